#!/usr/bin/env bash
# kernels_test.sh ROOT MAKE_KERNEL_CASES CORE double|single COUNT [FLAG...]: random calls of the kernels,
# compiled for one core with the flags, give the integer reference's answers on an emulated board, whether
# they round twice or once, and the DSP form's requantisation the defined ones. Exits 77 where the compiler
# or the emulator is missing.
set -euo pipefail
root=${1:?} make_cases=${2:?} core=${3:?} rounding=${4:?} count=${5:?}
shift 5
[[ $rounding == double ]] || set -- -DPATCHNAS_SINGLE_ROUNDING "$@"
flags=("$@")

case $core in
  cortex-m4) machine=mps2-an386 cpu='-mcpu=cortex-m4 -mfpu=fpv4-sp-d16' ;;
  cortex-m7) machine=mps2-an500 cpu='-mcpu=cortex-m7 -mfpu=fpv5-d16' ;;
  cortex-m55) machine=mps3-an547 cpu='-mcpu=cortex-m55 -mfpu=auto' ;;
  *) echo "kernels_test.sh: unknown core $core" >&2 && exit 2 ;;
esac
for needed in arm-none-eabi-gcc:gcc-arm-none-eabi qemu-system-arm:qemu-system-arm; do
  if ! command -v "${needed%:*}" >/dev/null; then
    echo "skipped: no ${needed%:*}; please run: apt-get install ${needed#*:}"
    exit 77
  fi
done
if [[ ! -e "$(arm-none-eabi-gcc -print-file-name=nosys.specs)" ]]; then
  echo "skipped: no newlib; please run: apt-get install libnewlib-arm-none-eabi"
  exit 77
fi

scratch="$(mktemp -d)"
trap 'rm -rf -- "$scratch"' EXIT
boards="$root/runtime/boards"

# build ELF SOURCE...
build() {
  local elf=$1
  shift
  # shellcheck disable=SC2086  # flags are words
  arm-none-eabi-gcc -std=c99 -O2 -Wall -Wextra -Werror $cpu "${flags[@]}" -mthumb -mfloat-abi=hard \
    -ffunction-sections -fdata-sections -I"$root" -I"$root/tests" -I"$boards" \
    -nostartfiles --specs=nosys.specs -Wl,--gc-sections -L"$boards" -T "$machine.ld" \
    "$@" "$root"/runtime/*.c "$boards/board.c" -o "$scratch/$elf"
}

# emulate ELF ARGUMENT...
emulate() {
  local argument command=enable=on,target=native
  for argument in "$@"; do
    command+=,arg=$argument
  done
  timeout 60 qemu-system-arm -M "$machine" -kernel "$1" -nographic -monitor none -serial none \
    -icount shift=6 -semihosting-config "$command"
}

build kernel_cases "$root/tests/emulator/kernel_cases_main.c" "$root/tests/runtime/run_kernel_cases.c" \
  "$root"/tests/runtime/call_*_kernel.c
build requantisation "$root/tests/emulator/requantisation_main.c"
"$make_cases" "$count" "$rounding" "$scratch/cases"
cd -- "$scratch"
emulate requantisation
emulate kernel_cases cases
