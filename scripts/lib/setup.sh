# shellcheck shell=bash
# Shared by the scripts in this folder's parent: installs missing packages, configures, builds.
# To be sourced by bash after `set -euo pipefail`. Everything is said on standard error, so that
# standard output belongs to the program that a script runs.
#
# Environment:
#   PATCHNAS_PACKAGES=skip   do not look for Debian packages (another distribution, or a LibTorch
#                            of one's own named in CMAKE_PREFIX_PATH)
#   PATCHNAS_JOBS=N          compile N files at a time instead of as many as cores and memory allow
#   PATCHNAS_VERBOSE=1       show what apt-get, cmake and ninja print

# Physical path: a build folder reached by two names would be configured for one of them.
PATCHNAS_ROOT="$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)"
PATCHNAS_PACKAGE_LIST="$PATCHNAS_ROOT/third_party/debian-packages.txt"

readonly EXIT_BAD_INPUT=2  # as nas_search's: the user has something to put right

say() { printf 'patchnas: %s\n' "$*" >&2; }

fail() {
  local status=$1
  shift
  say "$*"
  exit "$status"
}

# run_logged LOG COMMAND...: the command's output goes to LOG; shown only when it fails.
run_logged() {
  local log=$1 status=0
  shift
  if [[ -n ${PATCHNAS_VERBOSE:-} ]]; then
    "$@" >&2
    return
  fi
  "$@" >"$log" 2>&1 || status=$?
  if ((status != 0)); then
    tail -n 40 -- "$log" >&2
    say "failed: $* (all of its output: $log)"
  fi
  return "$status"
}

# --- packages ------------------------------------------------------------------------------------

# required_packages GROUP...: the names under [GROUP] in the list, without those whose command, in the
# second column, is there already.
required_packages() {
  local line group='' name command
  while IFS= read -r line; do
    line=${line%%#*}
    if [[ $line =~ ^\[(.+)\] ]]; then
      group=${BASH_REMATCH[1]}
      continue
    fi
    read -r name command <<<"$line"
    if [[ -n $name && " $* " == *" $group "* ]] &&
      { [[ -z $command ]] || ! command -v "$command" >/dev/null; }; then
      printf '%s\n' "$name"
    fi
  done <"$PATCHNAS_PACKAGE_LIST"
}

missing_packages() {
  local -a required
  mapfile -t required < <(required_packages "$@")
  # dpkg-query complains about names it has never heard of and goes on; they count as missing.
  LC_ALL=C comm -23 <(printf '%s\n' "${required[@]}" | LC_ALL=C sort) \
    <(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "${required[@]}" 2>/dev/null |
      sed -n 's/^installed //p' | LC_ALL=C sort)
}

# ensure_packages GROUP...
ensure_packages() {
  if [[ ${PATCHNAS_PACKAGES:-} == skip ]]; then
    return
  fi
  if ! command -v dpkg-query >/dev/null; then
    return  # not a Debian system: CMake will name the libraries it cannot find
  fi
  local -a missing as_root=() install
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    return
  fi
  install=(apt-get install -y --no-install-recommends "${missing[@]}")
  if [[ $(id -u) != 0 ]]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
      say "${#missing[@]} Debian packages are missing and only root can install them. Please run:"
      printf 'sudo sh -c "apt-get update && %s"\n' "${install[*]}" >&2
      exit "$EXIT_BAD_INPUT"
    fi
    as_root=(sudo -n)
  fi
  local log="$PATCHNAS_ROOT/build/packages.log"
  say "installing ${#missing[@]} Debian packages and what they need: ${missing[*]}"
  mkdir -p -- "$PATCHNAS_ROOT/build"
  # env after sudo, which does not pass the environment on. Another apt-get may hold the lock.
  local -a quiet=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive)
  install=("${quiet[@]}" "${install[0]}" -o DPkg::Lock::Timeout=600 "${install[@]:1}")
  # Only when the package lists turn out missing or outdated does a second try fetch new ones.
  if ! "${install[@]}" >"$log" 2>&1 </dev/null; then
    say "updating apt's package lists first"
    run_logged "$log" "${quiet[@]}" apt-get -o DPkg::Lock::Timeout=600 update </dev/null ||
      fail 1 "cannot update the package lists"
    run_logged "$log" "${install[@]}" </dev/null || fail 1 "cannot install the packages"
  fi
  warn_if_other_blas
}

# With more than one BLAS installed, Debian's alternatives prefer OpenBLAS unless told otherwise.
warn_if_other_blas() {
  local alternative chosen
  alternative="$(compgen -G '/etc/alternatives/libblas.so.3-*' | head -n 1)" || return 0
  chosen="$(readlink -f -- "$alternative" || true)"
  if [[ $chosen != *openblas* ]]; then
    say "note: LibTorch will use $chosen, which is slower than OpenBLAS. To choose OpenBLAS:" \
      "update-alternatives --auto ${alternative##*/}"
  fi
}

# --- building ------------------------------------------------------------------------------------

# As many compilers as cores, but no more than fit into memory: a file that includes LibTorch's
# headers takes up to 1.8 GiB.
build_jobs() {
  if [[ -n ${PATCHNAS_JOBS:-} ]]; then
    printf '%s\n' "$PATCHNAS_JOBS"
    return
  fi
  local jobs memory_kib limit
  jobs="$(nproc)"
  memory_kib="$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
  if [[ -r /sys/fs/cgroup/memory.max ]]; then  # a container's limit
    limit="$(</sys/fs/cgroup/memory.max)"
    if [[ $limit != max ]] && ((limit / 1024 < memory_kib)); then
      memory_kib=$((limit / 1024))
    fi
  fi
  limit=$((memory_kib / (1800 * 1024)))
  if ((limit < 1)); then
    limit=1
  fi
  printf '%s\n' $((jobs < limit ? jobs : limit))
}

# show_progress WHAT: reads ninja's output; shows "[done/all] ..." lines as one line that changes on
# a terminal, as a line for each tenth elsewhere, and passes everything else (errors) on. Silent
# when there was nothing to compile.
show_progress() {
  local what=$1 line tenth last=-1 shown=
  local -r clear=$'\r\033[K'
  while IFS= read -r line; do
    if [[ $line == *"Reading the git revision" || $line == "ninja: no work to do." ]]; then
      continue  # happens on every build
    fi
    if [[ -n ${PATCHNAS_VERBOSE:-} || ! $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]]; then
      printf '%s%s\n' "${shown:+$clear}" "$line" >&2
      continue
    fi
    if [[ -t 2 ]]; then
      printf '%spatchnas: %s: step %s of %s' "$clear" "$what" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&2
      shown=1
    else
      tenth=$((BASH_REMATCH[1] * 10 / BASH_REMATCH[2]))
      if ((tenth != last)); then
        say "$what: step ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
        last=$tenth
      fi
    fi
  done
  if [[ -n $shown ]]; then
    printf '%s' "$clear" >&2
  fi
}

# What can be built: each part with all of the one before it, and with the packages of its groups. A folder that
# was configured for more stays as it is.
#   tool       nas_search and the other programs, without the commands that train
#   training   all commands
#   tests      the tests and benchmarks as well
#   sanitize   what that preset says: tests of all that needs no LibTorch
declare -rA PATCHNAS_PART_PACKAGES=(
  [tool]="tool" [training]="tool training" [tests]="tool training tests" [sanitize]="tool tests")
declare -rA PATCHNAS_PART_SETTINGS=(
  [tool]="-DPATCHNAS_MODULES=core -DPATCHNAS_BUILD_TESTS=OFF -DPATCHNAS_BUILD_BENCHMARKS=OFF"
  [training]="-DPATCHNAS_MODULES=all -DPATCHNAS_BUILD_TESTS=OFF -DPATCHNAS_BUILD_BENCHMARKS=OFF"
  [tests]="-DPATCHNAS_MODULES=all -DPATCHNAS_BUILD_TESTS=ON -DPATCHNAS_BUILD_BENCHMARKS=ON"
  [sanitize]="")
declare -ra PATCHNAS_PARTS=(tool training tests)

# part_includes PART OTHER: whether a folder configured for PART has what OTHER needs.
part_includes() {
  local part has=
  [[ $1 == "$2" ]] && return
  for part in "${PATCHNAS_PARTS[@]}"; do
    if [[ $part == "$2" ]]; then
      has=1
    elif [[ $part == "$1" ]]; then
      [[ -n $has ]]
      return
    fi
  done
  return 1
}

# build PART PRESET [TARGET]: installs the packages that PART needs, configures when that has not been done yet
# (ninja itself notices changed CMake files) and builds TARGET, or everything.
build() {
  local part=$1 preset=$2 target=${3:-} directory="$PATCHNAS_ROOT/build/$2"
  mkdir -p -- "$directory"
  # Two scripts at a time must not build in one folder.
  exec {build_lock}>"$directory/.lock"
  if ! flock --nonblock "$build_lock"; then
    say "waiting for another build in $directory"
    flock "$build_lock"
  fi
  # .configured names the folder that was configured, so that a copied tree does not build its original, and the part.
  local configured="$directory/.configured" root='' was=''
  if [[ -e $configured ]]; then
    { read -r root && read -r was; } <"$configured" || true
  fi
  if part_includes "$was" "$part"; then
    part=$was
  fi
  local -a groups settings
  read -ra groups <<<"${PATCHNAS_PART_PACKAGES[$part]}"
  read -ra settings <<<"${PATCHNAS_PART_SETTINGS[$part]}"
  ensure_packages "${groups[@]}"
  if [[ $root != "$PATCHNAS_ROOT" || $was != "$part" || $PATCHNAS_ROOT/CMakePresets.json -nt $configured ]]; then
    say "configuring ($preset)"
    if ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PATCHNAS_ROOT" "$directory/CMakeCache.txt" 2>/dev/null; then
      rm -rf -- "$directory/CMakeCache.txt" "$directory/CMakeFiles"
    fi
    rm -f -- "$configured"
    # CMake looks for presets in the current folder.
    (cd -- "$PATCHNAS_ROOT" && run_logged "$directory/configure.log" cmake --preset "$preset" "${settings[@]}") ||
      fail 1 "cannot configure"
    printf '%s\n' "$PATCHNAS_ROOT" "$part" >"$configured"
  fi
  cmake --build "$directory" --parallel "$(build_jobs)" ${target:+--target "$target"} 2>&1 {build_lock}>&- |
    show_progress "building ${target:-everything} ($preset)" ||
    fail 1 "the build failed"
  exec {build_lock}>&-
}
