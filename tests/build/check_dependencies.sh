#!/usr/bin/env bash
# check_dependencies.sh ROOT ROOMS: does every #include in the modules name what its own room links? Prints one
# line for each that does not, and exits 1 if there is any.
#
# The rule itself is in the rooms' CMakeLists.txt, which CMake writes to ROOMS (BUILD/rooms.txt). A compiler cannot
# keep it alone: headers are found from the repository root, so it would take those of any room. Nor can links
# say that LibTorch stays behind a wall, whatever links what: see drives_torch.
set -euo pipefail

root=${1:?usage: check_dependencies.sh ROOT ROOMS}
rooms=${2:?usage: check_dependencies.sh ROOT ROOMS}

modules=(arch memory_models latency_models runtime deploy supernet search)

# The library that brings a header: by the first part of an <include> that has a slash, or the whole of one that
# has a dot. The standard library and C's own headers are free to all.
declare -A library_of=(
  [yaml-cpp]=yaml-cpp::yaml-cpp
  [Eigen]=Eigen3::Eigen
  [flatbuffers]=flatbuffers::flatbuffers
  [nlohmann]=nlohmann_json::nlohmann_json
  [opencv2]=patchnas::opencv
  [zlib.h]=ZLIB::ZLIB
  [omp.h]=OpenMP::OpenMP_CXX
  [CLI]=CLI11::CLI11
  [spdlog]=spdlog::spdlog
  [torch]=patchnas::torch
  [ATen]=patchnas::torch
  [c10]=patchnas::torch
)
free_headers='^(assert|complex|ctype|dirent|dlfcn|errno|fcntl|fenv|float|inttypes|limits|locale|math|netdb|poll|pthread|sched|setjmp|signal|spawn|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|strings|termios|threads|time|unistd|wchar|wctype|immintrin|arm_acle|arm_mve|arm_neon|cpuid)\.h$'

# Only these files may reach a LibTorch header, be it through other headers: the rest compiles in seconds and is
# useful, and tested, without LibTorch.
drives_torch() { [[ $1 =~ ^(supernet/(ranks|network|training)|search/stages)/ ]]; }

violations=0
violation() {
  printf '%s:%s: %s\n' "$1" "$2" "$3"
  violations=$((violations + 1))
}

# --- what each room links ------------------------------------------------------------------------

declare -A folder_of=()  # patchnas::NAME -> its folder
declare -A links=()      # patchnas::NAME -> all that it links
declare -A exports=()    # patchnas::NAME -> what whoever links it gets with it
declare -A targets_in=() # folder -> the targets that it holds
while read -r folder name links_text; do
  target=patchnas::$name
  folder_of[$target]=$folder
  targets_in[$folder]+=" $target"
  scope=PRIVATE
  for word in $links_text; do
    if [[ $word == PUBLIC || $word == PRIVATE ]]; then
      scope=$word
      continue
    fi
    links[$target]+=" $word"
    if [[ $scope == PUBLIC ]]; then
      exports[$target]+=" $word"
    fi
  done
done <"$rooms"

declare -A reach=()  # folder -> " library folder ... " that its includes may name
add_export() {       # FOLDER TARGET
  local folder=$1 target=$2 next
  if [[ ${reach[$folder]:-} == *" $target "* ]]; then
    return
  fi
  reach[$folder]+="$target ${folder_of[$target]:-} "
  for next in ${exports[$target]:-}; do
    add_export "$folder" "$next"
  done
}
for folder in "${!targets_in[@]}"; do
  reach[$folder]=" $folder "
  for target in ${targets_in[$folder]}; do
    for linked in ${links[$target]:-}; do
      add_export "$folder" "$linked"
    done
  done
done

# --- what each file includes ---------------------------------------------------------------------

declare -A included_by_us=()  # file -> the files of ours that it includes
declare -A torch_header=()    # file -> the LibTorch header that it includes itself
declare -A torch_path=()      # file -> how it reaches LibTorch, or "-"; filled by find_torch_path

# Sets `room` to the folder that holds FILE, or the one above it where that is no target of its own.
find_room() {
  room=${1%/*}
  while [[ -z ${targets_in[$room]:-} && $room == */* ]]; do
    room=${room%/*}
  done
}

check_include() {
  local file=$1 line=$2 kind=$3 included=$4
  local room included_room first=${included%%/*}
  find_room "$included"
  included_room=$room
  find_room "$file"
  if [[ $kind == '<' ]]; then
    if [[ $included != */* ]]; then
      [[ $included != *.* || $included =~ $free_headers ]] && return
    elif [[ $first == sys || $first == linux ]]; then
      return
    fi
    if [[ -z ${library_of[$first]:-} || ${reach[$room]:-} != *" ${library_of[$first]} "* ]]; then
      violation "$file" "$line" "$room does not link what brings <$included>"
    fi
    if [[ $first =~ ^(torch|ATen|c10)$ ]]; then
      torch_header[$file]="<$included>"
    fi
  elif [[ " ${modules[*]} " == *" $first "* && $included == */* ]]; then
    included_by_us[$file]+=" $included"
    if [[ " $room ${reach[$room]:-} " != *" $included_room "* ]]; then
      violation "$file" "$line" "$room does not link the room of \"$included\""
    fi
  elif [[ $included == ../* || $included == */../* ]]; then
    violation "$file" "$line" "name \"$included\" from the repository root"
  elif [[ $included == tests/* || $included == benchmarks/* ]]; then
    violation "$file" "$line" "$room may not include \"$included\""
  fi
}

# Sets torch_path[FILE] to "FILE -> ... -> <torch/torch.h>", or to "-" when it reaches none.
find_torch_path() {
  local file=$1 next
  if [[ -n ${torch_path[$file]:-} ]]; then
    return
  fi
  torch_path[$file]=-  # also ends the recursion where headers include each other
  if [[ -n ${torch_header[$file]:-} ]]; then
    torch_path[$file]="$file -> ${torch_header[$file]}"
    return
  fi
  for next in ${included_by_us[$file]:-}; do
    find_torch_path "$next"
    if [[ ${torch_path[$next]} != - ]]; then
      torch_path[$file]="$file -> ${torch_path[$next]}"
      return
    fi
  done
}

cd -- "$root"
existing=()
for module in "${modules[@]}"; do
  if [[ -d $module ]]; then
    existing+=("$module")
  fi
done
if ((${#existing[@]} == 0)); then
  echo "no module in $root" >&2
  exit 2
fi

pattern='^([^:]+):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*(["<])([^">]+)'
declare -A files=()
while IFS= read -r hit; do
  if [[ $hit =~ $pattern ]]; then
    files[${BASH_REMATCH[1]}]=1
    check_include "${BASH_REMATCH[@]:1:4}"
  fi
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' "${existing[@]}" \
  --include='*.h' --include='*.hpp' --include='*.c' --include='*.cpp' || true)

if ((${#files[@]} == 0)); then
  echo "no include found in $root: is this the right folder?" >&2
  exit 2
fi
for file in "${!files[@]}"; do
  if ! drives_torch "$file"; then
    find_torch_path "$file"
    if [[ ${torch_path[$file]} != - ]]; then
      violation "$file" 1 "only supernet's ranks, network and training and search/stages may reach LibTorch: ${torch_path[$file]}"
    fi
  fi
done
((violations == 0))
