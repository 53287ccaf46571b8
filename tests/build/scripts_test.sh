#!/usr/bin/env bash
# scripts_test.sh ROOT: what the scripts do without root, with packages missing, the first time and
# the second. They run in a copy of scripts/ with stand-ins for dpkg-query, apt-get, cmake and so on.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=testing.sh
source "$here/testing.sh"

root=${1:?usage: scripts_test.sh ROOT}

# A stand-in that notes its call in $CALLS before it does what the given lines say.
stand_in() {
  local name=$1
  shift
  # shellcheck disable=SC2016  # expanded when the stand-in runs
  {
    printf '#!/bin/bash\nprintf "%%s\\n" "%s $*" >>"$CALLS"\n' "$name"
    printf '%s\n' "$@"
  } >"$bin/$name"
  chmod +x "$bin/$name"
}

# new_machine: a fresh clone on a machine where every package is installed and the user is not root.
new_machine() {
  clone="$(mktemp -d -p "$scratch")/a clone"
  bin="$clone.bin"
  export CALLS="$clone.calls"
  mkdir -p -- "$clone/third_party" "$bin"
  cp -r -- "$root/scripts" "$clone/"
  cp -- "$root/CMakePresets.json" "$clone/"
  printf '%s\n' '# comment' '[tool]' 'g++   # compiler' 'cmake # build' 'present bash' \
    '[training]' 'libtorch-dev' '[tests]' 'npm no-such-command' >"$clone/third_party/debian-packages.txt"
  : >"$CALLS"
  installed "g++" "libtorch-dev" "cmake" "npm"
  stand_in id 'echo 1000'
  stand_in sudo 'exit 1'
  stand_in apt-get 'exit 0'
  stand_in ctest 'exit 0'
  # Configuring makes the build folder; building makes the program, which shows how it was called.
  # shellcheck disable=SC2016  # expanded when the stand-in runs
  stand_in cmake \
    'if [[ $1 == --preset ]]; then mkdir -p "build/$2" && echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >"build/$2/CMakeCache.txt"; exit; fi' \
    'echo "[1/4] Reading the git revision"' \
    'mkdir -p "$2/bin" && printf "%s\n" "#!/bin/bash" "echo \"in \$PWD:\"; printf \"<%s>\" \"\$@\"; exit 7" >"$2/bin/nas_search"' \
    'chmod +x "$2/bin/nas_search"'
}
installed() {
  local -a lines=()
  local name
  for name in "$@"; do
    lines+=("echo 'installed $name'")
  done
  stand_in dpkg-query "${lines[@]}" 'exit 1'
}
run_script() {
  output="$(cd "$scratch" && env -u PATCHNAS_PACKAGES -u PATCHNAS_PRESET -u PATCHNAS_VERBOSE \
    PATH="$bin:$PATH" "$clone/scripts/$1" "${@:2}" 2>&1)"
  status=$?
  calls="$(<"$CALLS")"
}
calls_have() { [[ $calls == *"$1"* ]]; }
calls_lack() { [[ $calls != *"$1"* ]]; }

command_to_run='sudo sh -c "apt-get update && apt-get install -y --no-install-recommends cmake libtorch-dev"'

new_machine
installed "g++"
run_script nas_search --config smoke.yaml
expect "no root, packages missing: the one command" is "$(tail -n 1 <<<"$output")" "$command_to_run"
expect "no root, packages missing: nothing else that looks like a command" is "$(grep -c apt-get <<<"$output")" 1
expect "no root, packages missing: exit status" is "$status" 2
expect "no root, packages missing: nothing is installed" calls_lack "apt-get"
expect "no root, packages missing: nothing is built" calls_lack "cmake --"
rm "$bin/sudo"
stand_in sudo 'exit 127'
run_script test
expect "scripts/test needs more" is "$(tail -n 1 <<<"$output")" "${command_to_run%\"} npm\""

new_machine
installed "g++"
stand_in id 'echo 0'
run_script nas_search --resume run
expect "root: says what it installs" output_has "installing 2 Debian packages and what they need: cmake libtorch-dev"
expect "root: installs it" calls_have "install -y --no-install-recommends cmake libtorch-dev"
expect "root: no update when none is needed" calls_lack "update"
expect "root: goes on to the program" is "$status" 7

new_machine
installed "g++"
stand_in id 'echo 0'
# shellcheck disable=SC2016
stand_in apt-get 'if [[ $* == *update* ]]; then touch "$CALLS.updated"; else [[ -e $CALLS.updated ]]; fi'
run_script nas_search --resume run
expect "root, outdated package lists: updates them and tries again" is \
  "$(grep '^apt-get' <<<"$calls" | sed -e 's/-o [^ ]* //' -e 's/ .*//;s/.*/x/' | tr -d '\n')" xxx
expect "root, outdated package lists: goes on to the program" is "$status" 7

new_machine
installed "g++"
stand_in id 'echo 0'
stand_in apt-get 'echo "E: no network" >&2' 'exit 100'
run_script nas_search --resume run
expect "root, no network: shows what apt-get said" output_has "E: no network"
expect "root, no network: exit status" is "$status" 1
expect "root, no network: nothing is built" calls_lack "cmake --"

new_machine
installed "g++"
# shellcheck disable=SC2016
stand_in sudo 'shift' '[[ $1 == true ]] || "$@"'
run_script nas_search --resume run
expect "sudo without a password: installs through it" calls_have \
  "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get"
expect "sudo without a password: goes on to the program" is "$status" 7

# Who only schedules a network needs no LibTorch.
for arguments in "schedule m.tflite" "estimate --network n" "verify package" "run p" help --help --version shedule \
  "export --help" ""; do
  new_machine
  installed "g++"
  stand_in id 'echo 0'
  # shellcheck disable=SC2086  # words
  run_script nas_search $arguments
  expect "nas_search $arguments: installs what the tool needs" calls_have "install -y --no-install-recommends cmake"$'\n'
  expect "nas_search $arguments: builds without what trains" calls_have \
    "--preset release -DPATCHNAS_MODULES=core -DPATCHNAS_BUILD_TESTS=OFF"
done
: >"$CALLS"
run_script nas_search --config smoke.yaml
expect "the first command that trains installs the rest" calls_have \
  "install -y --no-install-recommends cmake libtorch-dev"$'\n'
expect "and configures for it" calls_have "--preset release -DPATCHNAS_MODULES=all -DPATCHNAS_BUILD_TESTS=OFF"
installed "g++" "libtorch-dev" "cmake"
: >"$CALLS"
run_script nas_search schedule m.tflite
expect "which later commands leave as it is" calls_lack "--preset"
mkdir -p "$scratch/run"
: >"$scratch/run/run.json"
new_machine
run_script nas_search verify run --target cortex-m4
expect "a run is verified on its own images, which the tool alone cannot read" calls_have "-DPATCHNAS_MODULES=all"
rm -r "$scratch/run"
new_machine
run_script nas_search evaluate m.tflite --images photos
expect "so are images in folders" calls_have "-DPATCHNAS_MODULES=all"

new_machine
run_script nas_search --config "my file.yaml" ''
expect "all there: nothing is installed" calls_lack "apt-get"
expect "all there: configures and builds just the program" calls_have "--target nas_search"
expect "the program runs where the user is, with the user's arguments" output_has \
  "in $scratch:"$'\n'"<--config><my file.yaml><>"
expect "the program's exit status is the script's" is "$status" 7
: >"$CALLS"
run_script nas_search
expect "second run: does not configure" calls_lack "--preset"
expect "second run: only the program speaks" is "$output" "in $scratch:"$'\n'"<>"
: >"$CALLS"
touch -d "+1 minute" "$clone/CMakePresets.json"
run_script nas_search
expect "changed presets: configures again" calls_have "--preset release"
touch -d "-1 minute" "$clone/CMakePresets.json"
mv "$clone" "$clone moved"
clone="$clone moved"
: >"$CALLS"
run_script nas_search
expect "a moved tree: configures again" calls_have "--preset release"
ln -s "$clone/scripts/nas_search" "$bin/link"
output="$(cd "$scratch" && PATH="$bin:$PATH" link 2>&1)"
expect "through a symbolic link" is "$output" "in $scratch:"$'\n'"<>"

new_machine
# shellcheck disable=SC2016
stand_in cmake '[[ $1 == --preset ]] && { echo "CMake Error: no LibTorch"; exit 1; }' 'exit 0'
run_script nas_search
expect "configuring fails: shows why" output_has "CMake Error: no LibTorch"
expect "configuring fails: exit status" is "$status" 1
expect "configuring fails: does not build" calls_lack "--build"

new_machine
# shellcheck disable=SC2016
stand_in cmake '[[ $1 == --preset ]] && exit 0' 'echo "[1/2] Building a.cpp"' 'echo "a.cpp:1: error: no"' 'exit 1'
run_script nas_search
expect "the build fails: shows the compiler's words" output_has "a.cpp:1: error: no"
expect "the build fails: exit status" is "$status" 1

new_machine
run_script test -R Planner
expect "scripts/test builds everything" calls_lack "--target"
expect "scripts/test hands its arguments to ctest" calls_have "-R Planner"
expect "scripts/test builds Release" calls_have "--preset release -DPATCHNAS_MODULES=all -DPATCHNAS_BUILD_TESTS=ON"
run_script test --sanitize -L arch
expect "scripts/test --sanitize builds with sanitizers" calls_have "--preset sanitize"$'\n'
expect "scripts/test --sanitize takes ctest's arguments too" calls_have "-L arch"

# What was skipped is listed last, with the reason, whether tests passed or not.
ctest_that_skips() {
  # shellcheck disable=SC2016  # expanded when the stand-in runs
  stand_in ctest 'mkdir -p "$2/Testing/Temporary" && cd "$2/Testing" || exit' \
    'cp "$CALLS.xml" tests.xml' 'cp "$CALLS.log" Temporary/LastTest.log' 'echo "98% tests passed"' 'exit 8'
  cat >"$CALLS.xml" <<'XML'
	<testcase name="deploy.Reference.Bytes/net  # GetParam() = &quot;net&quot;" classname="x" time="0" status="notrun">
		<skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
	<testcase name="emulator.kernels" classname="x" time="0" status="notrun">
		<skipped message="SKIP_RETURN_CODE=77"/>
	<testcase name="silent" classname="x" time="0" status="notrun">
		<skipped message="SKIP_RETURN_CODE=77"/>
	<testcase name="search.export" classname="x" time="0" status="run">
	<testcase name="torture.quick" classname="x" time="0" status="run">
XML
  cat >"$CALLS.log" <<'LOG'
1/5 Testing: emulator.kernels
skipped: no qemu-system-arm
<end of output>
3/5 Testing: deploy.Reference.Bytes/net  # GetParam() = "net"
../../tests/deploy/reference_test.cpp:35: Skipped
no reference networks
[  SKIPPED ] Reference.Bytes/net (6 ms)
2/5 Testing: silent
4/5 Testing: search.export
ok - nothing is skipped: here
skipped: an archived run: no folder can be made read-only here
5/5 Testing: torture.quick
full disk: skipped: needs root
LOG
}
new_machine
ctest_that_skips
run_script test
expect "scripts/test lists what was skipped, last" is "$(grep -A9 '^98%' <<<"$output")" "98% tests passed
skipped: emulator.kernels: no qemu-system-arm
skipped: deploy.Reference.Bytes/net: no reference networks
skipped in part: search.export: an archived run: no folder can be made read-only here
skipped in part: torture.quick: full disk: needs root
skipped: silent: SKIP_RETURN_CODE=77"
expect "scripts/test has ctest's exit status" is "$status" 8
stand_in ctest 'exit 0'
run_script test
expect "scripts/test: nothing of an earlier run is listed" is "$(grep -c skipped <<<"$output") $status" "0 0"
new_machine
ctest_that_skips
cp -r -- "$root/.ci" "$clone/"
mkdir -p "$clone/tests/slurm" "$clone/build/sanitize/tests/fuzz"
printf '#!/bin/bash\necho "skipped: a cluster needs root"\n' >"$clone/tests/slurm/slurm_test.sh"
printf '#!/bin/bash\n' >"$clone/build/sanitize/tests/fuzz/fuzz_networks"
chmod +x "$clone/tests/slurm/slurm_test.sh" "$clone/build/sanitize/tests/fuzz/fuzz_networks"
run_script ../.ci/run
expect "CI fails with its tests" is "$status" 1
expect "CI lists at the end what any part of it skipped" is "$(tail -n 13 <<<"$output")" "98% tests passed
skipped: emulator.kernels: no qemu-system-arm
skipped: deploy.Reference.Bytes/net: no reference networks
skipped in part: search.export: an archived run: no folder can be made read-only here
skipped in part: torture.quick: full disk: needs root
skipped: silent: SKIP_RETURN_CODE=77
skipped with sanitizers: emulator.kernels: no qemu-system-arm
skipped with sanitizers: deploy.Reference.Bytes/net: no reference networks
skipped in part with sanitizers: search.export: an archived run: no folder can be made read-only here
skipped in part with sanitizers: torture.quick: full disk: needs root
skipped with sanitizers: silent: SKIP_RETURN_CODE=77
skipped: Slurm: a cluster needs root
CI failed: see above for the part that did"

# The list itself: sections, and one package a line, each with a name that Debian allows.
output="$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$root/third_party/debian-packages.txt" |
  grep -vxE '\[(tool|training|tests|slurm)\]|[a-z0-9][a-z0-9+.-]+[[:space:]]*[a-z0-9-]*')"
expect "the package list has sections and names" output_is ""

# Every program that scripts and tests call is in each Debian ("required": bash, coreutils, sed and so on), or comes with
# the packages of the list. A program that its caller asks for by `command -v` may be missing.
words_of_commands() {
  sed -E 's/(\$\(|`|&&|\|\||[|;({!]|\b(if|then|elif|else|do|while|until|exec)\b)/\n/g' |
    sed -E -e 's/^[[:space:]"]*([A-Z_]+=[^ ]* )*//' -e 's/[[:space:]<>"].*//' | grep -xE '[a-z][a-z0-9_.+-]*' | sort -u
}
called_by_script() {
  sed -E -e 's/^[[:space:]]*#.*//' -e 's/[[:space:]]#.*//' -e "s/([a-z])'([a-z])/\\1\\2/g" -e 's/"[^"$]*"//g' "$1" |
    sed -z "s/'[^']*'//g" | words_of_commands
}
called_by_test() { # C++: what its strings hand to a shell
  tr '\n' ' ' <"$1" | grep -oE '(run_command|system|popen)\([^;]*;' | grep -oE '"([^"\\]|\\.)*"' | tr -d '"' | words_of_commands
}
packages_of_list() {
  local -a all names
  local before=0
  mapfile -t names < <(sed -e 's/#.*//' -e '/^\[/d' "$root/third_party/debian-packages.txt" | awk 'NF { print $1 }')
  while ((${#names[@]} > before)); do # with what they depend on
    before=${#names[@]}
    all=("${names[@]}")
    mapfile -t names < <({
      printf '%s\n' "${all[@]}"
      dpkg-query --show --showformat='${Depends}, ${Pre-Depends}\n' "${all[@]}" 2>/dev/null | tr ',' '\n' |
        sed -E 's/^ *([a-z0-9.+-]+).*/\1/' | grep -xE '[a-z0-9.+-]+'
    } | sort -u)
  done
  printf '%s\n' "${names[@]}"
}
# no_package: reads "FILE PROGRAM" lines; prints those of this machine's programs that no package of the list brings.
no_package() {
  local file program path package
  local -a calls paths=()
  local -A is_fine package_of
  while read -r file program; do
    # Functions are no programs, and who looks first can do without.
    if path="$(type -P "$program")" &&
      ! grep -qE "command -v \"?$program\b|\b$program --version|^ *$program\(\)" "$file"; then
      calls+=("$file $program $path")
      # A package may name what lies in /usr/bin by /bin; alternatives are links.
      paths+=("$path" "${path#/usr}" "$(readlink -f -- "$path")")
    fi
  done
  while IFS=$'\t' read -r package path; do
    package_of[$path]="${package%%[:,]*}"
  done < <(dpkg-query --search "${paths[@]}" 2>/dev/null | sed 's/: /\t/')
  while read -r package; do
    is_fine[$package]=1
  done < <(packages_of_list && dpkg-query --show --showformat='${Package} ${Priority}\n' | sed -n 's/ required$//p')
  while read -r file program path; do
    package="${package_of[$path]:-${package_of[${path#/usr}]:-${package_of[$(readlink -f -- "$path")]:-none}}}"
    if [[ -z ${is_fine[$package]:-} ]]; then
      printf '%s: %s\n' "${file#"$root"/}" "$program"
    fi
  done < <(printf '%s\n' "${calls[@]}")
}
if command -v dpkg-query >/dev/null; then
  output="$({
    while IFS= read -r file; do
      called_by_script "$file" | sed "s|^|$file |"
    done < <(grep -rlE --exclude=scripts_test.sh '^#!.*\bbash|shellcheck shell=bash' "$root/scripts" "$root/tests" \
      "$root/benchmarks" "$root/.ci")
    while IFS= read -r file; do
      called_by_test "$file" | sed "s|^|$file |"
    done < <(grep -rlE --include='*.cpp' '(run_command|system|popen)\(' "$root/tests")
  } | no_package)"
  expect "no script or test calls a program that no package of the list brings" output_is ""
  mapfile -t output < <(called_by_test "$root/tests/deploy/package/c_package_test.cpp")
  output="${output[*]}"
  expect "what a test hands to a shell is seen" output_is "ld make nm"
else
  echo "skipped: which package a program is of, without dpkg-query"
fi

finish
