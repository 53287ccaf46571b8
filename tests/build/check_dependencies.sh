#!/usr/bin/env bash
# check_dependencies.sh ROOT: does every #include in the modules go the way that the dependency
# rule allows? Prints one line for each that does not, and exits 1 if there is any.
#
# Each module's CMake target links only what its row names, but headers are found from the
# repository root, so a compiler would accept an include of another module's header-only code.
set -euo pipefail

root=${1:?usage: check_dependencies.sh ROOT}

modules=(arch memory_models latency_models runtime deploy supernet search)

# The one table. A module may always include its own headers. deploy uses runtime as text that it
# writes into packages, and does not include it; memory_models asks the kernels themselves, in runtime/scratch.h,
# how much scratch they need.
declare -A may_include=(
  [arch]=""
  [memory_models]="arch runtime"
  [latency_models]="arch"
  [runtime]=""
  [deploy]="arch memory_models"
  [supernet]="arch"
  [search]="arch memory_models latency_models runtime deploy supernet"
)
# The first part of an <include> that has a slash, or the whole of one that has a dot: libraries.
# The standard library and C's own headers are free to all.
declare -A may_use=(
  [arch]="yaml-cpp"
  [memory_models]=""
  [latency_models]="Eigen"
  [runtime]=""
  [deploy]="flatbuffers nlohmann"
  [supernet]="torch ATen c10 opencv2 nlohmann zlib.h omp.h"
  [search]="torch ATen c10 CLI spdlog fmt nlohmann yaml-cpp"
)
free_headers='^(assert|complex|ctype|dirent|dlfcn|errno|fcntl|fenv|float|inttypes|limits|locale|math|netdb|poll|pthread|sched|setjmp|signal|spawn|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|strings|termios|threads|time|unistd|wchar|wctype|immintrin|arm_acle|arm_mve|arm_neon|cpuid)\.h$'

# Outside supernet/, only these files may reach a LibTorch header, be it through other headers:
# the rest compiles in seconds and is tested without LibTorch.
drives_torch() { [[ $1 =~ ^(supernet/.*|search/(torch_[^/]*|stages/.*))$ ]]; }

is_one_of() { [[ " $2 " == *" $1 "* ]]; }

violations=0
violation() {
  printf '%s:%s: %s\n' "$1" "$2" "$3"
  violations=$((violations + 1))
}

declare -A included_by_us=()  # file -> the files of ours that it includes
declare -A torch_header=()    # file -> the LibTorch header that it includes itself
declare -A torch_path=()      # file -> how it reaches LibTorch, or "-"; filled by find_torch_path

check_include() {
  local file=$1 line=$2 kind=$3 included=$4
  local module=${file%%/*} first=${included%%/*}
  if [[ $kind == '<' ]]; then
    if [[ $included != */* ]]; then
      [[ $included != *.* || $included =~ $free_headers ]] && return
    elif [[ $first == sys || $first == linux ]]; then
      return
    fi
    if ! is_one_of "$first" "${may_use[$module]}"; then
      violation "$file" "$line" "$module may not use <$included>"
    fi
    if [[ $first =~ ^(torch|ATen|c10)$ ]]; then
      torch_header[$file]="<$included>"
    fi
  elif is_one_of "$first" "${modules[*]}" && [[ $included == */* ]]; then
    included_by_us[$file]+=" $included"
    if [[ $first != "$module" ]] && ! is_one_of "$first" "${may_include[$module]}"; then
      violation "$file" "$line" "$module may not include \"$included\""
    fi
  elif [[ $included == ../* || $included == */../* ]]; then
    violation "$file" "$line" "name \"$included\" from the repository root"
  elif [[ $included == tests/* || $included == benchmarks/* ]]; then
    violation "$file" "$line" "$module may not include \"$included\""
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
  --include='*.h' --include='*.hpp' --include='*.c' --include='*.cpp' --include='*.in' || true)

if ((${#files[@]} == 0)); then
  echo "no include found in $root: is this the right folder?" >&2
  exit 2
fi
for file in "${!files[@]}"; do
  if ! drives_torch "$file"; then
    find_torch_path "$file"
    if [[ ${torch_path[$file]} != - ]]; then
      violation "$file" 1 "only supernet/, search/torch_* and search/stages/ may reach LibTorch: ${torch_path[$file]}"
    fi
  fi
done
((violations == 0))
