#!/usr/bin/env bash
# code_size_test.sh ROOT: the table of code sizes belongs to the kernels, and scripts/measure_code_size
# notices when it does not. Where the cross compiler is installed: what it measures.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=testing.sh
source "$here/testing.sh"

root=${1:?usage: code_size_test.sh ROOT}

measure() {
  output="$("$1/scripts/measure_code_size" "${@:2}" 2>&1)"
  status=$?
}
lines() { grep -cF -- "$1" "$tree/runtime/code_size.yaml"; }

measure "$root" --check
expect "the table belongs to the kernels" is "$status" 0
expect "it says nothing then" output_is ""

tree="$scratch/a tree"
mkdir -p -- "$tree/scripts"
cp -r -- "$root/runtime" "$tree/"
cp -- "$root/scripts/measure_code_size" "$tree/scripts/"
measure "$tree" --check
expect "wherever the tree lies" is "$status" 0
measure "$tree" --chekc
expect "an unknown option is an error" is "$status" 2

printf '/* changed */\n' >>"$tree/runtime/add.c"
measure "$tree" --check
expect "a changed kernel fails" is "$status" 1
expect "with the one command to run" output_is \
  "measure_code_size: runtime/code_size.yaml is not of these sources; please run: scripts/measure_code_size"

if ! command -v arm-none-eabi-gcc >/dev/null; then
  measure "$tree"
  expect "no compiler: exit status" is "$status" 2
  expect "no compiler: says what to install" output_has "apt-get install gcc-arm-none-eabi"
  finish
  exit
fi

# Two functions that share a helper, its table and a library function.
cat >"$tree/runtime/sharing.c" <<'C'
#include "runtime/patchnas_runtime.h"
static const int32_t table[7] = {1, 5, 3, 9, 4, 2, 11};
__attribute__((noinline)) static int32_t helper(int32_t i) { return table[i] * i; }
int64_t patchnas_first(int64_t a, int32_t i) { return a / i + helper(i); }
int64_t patchnas_second(int64_t a, int32_t i) { return a % i - helper(i); }
C
measure "$tree"
expect "it measures" is "$status" 0
expect "a shared constant is listed once a target" is \
  "$(lines '{name: "sharing.o:.rodata.table", bytes: 28, kernels: patchnas_first patchnas_second}')" 3
expect "so is a function of the compiler's library" is \
  "$(lines '(_aeabi_ldivmod.o):.text"')" 3
measure "$tree" --check
expect "the new table belongs to the new kernels" is "$status" 0

before="$(<"$tree/runtime/code_size.yaml")"
printf 'int32_t count;\nint32_t patchnas_count(void) { return ++count; }\n' >>"$tree/runtime/sharing.c"
measure "$tree"
expect "a kernel with state is refused" is "$status" 1
expect "and named" output_has "patchnas_count has state: sharing.o:.bss.count"
expect "the table stays as it was" is "$(<"$tree/runtime/code_size.yaml")" "$before"

rm -- "$tree/runtime/code_size.yaml"
measure "$tree" --check
expect "a missing table fails" is "$status" 1

finish
