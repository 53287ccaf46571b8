#!/usr/bin/env bash
# measure_latency_test.sh MEASURE_LATENCY: tables of an emulated core, through its own pipe and as a board at a serial
# port; stopped, continued, checked against whole programs; bad input.
set -uo pipefail
here="$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"
# shellcheck source-path=SCRIPTDIR source=nas_search_testing.sh
source "$here/nas_search_testing.sh"

nas_search="$(realpath -- "${1:?usage: measure_latency_test.sh MEASURE_LATENCY}")" # what `run` runs
cd -- "$scratch" || exit 1
if ! command -v arm-none-eabi-gcc >/dev/null || ! command -v qemu-system-arm >/dev/null ||
  [[ "$(arm-none-eabi-gcc -print-file-name=nosys.specs)" != */* ]]; then
  echo "skipped: gcc-arm-none-eabi, libnewlib-arm-none-eabi or qemu-system-arm is missing"
  exit 77
fi

run --help
expect "--help exits 0" is "$status" 0
smoke=(--config smoke.yaml --target cortex-m4)

run "${smoke[@]}" --table m4.txt --operators 200
expect "a table: exit 0" is "$status" 0
expect "it says how well it predicts" output_has "mean error"
expect "the journal is gone" test ! -e m4.txt.journal
rows="$(grep -c '^[a-z_]* [0-9]*x[0-9]* ' m4.txt)"
expect "it has the operators" test "$rows" -ge 200
cp m4.txt before.txt
run "${smoke[@]}" --table m4.txt --operators 100
expect "continued: exit 0" is "$status" 0
expect "what was measured stays as it is" is "$(comm -23 <(grep ' [0-9]*x[0-9]* ' before.txt | sort) <(sort m4.txt))" ""
expect "and there are more" test "$(wc -l <m4.txt)" -gt "$(wc -l <before.txt)"

# Killed in the middle: what was measured is there.
emulator_of() { # PID: the emulator that the process has started
  for status in /proc/[0-9]*/status; do
    { grep -q "^Name:[[:space:]]*qemu-system" "$status" && grep -q "^PPid:[[:space:]]*$1\$" "$status"; } 2>/dev/null &&
      basename -- "$(dirname -- "$status")"
  done
}
has_ended() { [[ -z "$({ tr -d '\0' <"/proc/$1/cmdline"; } 2>/dev/null)" ]]; } # or is a zombie
"$nas_search" "${smoke[@]}" --table killed.txt >/dev/null 2>&1 &
for _ in {1..300}; do
  [[ -s killed.txt.journal ]] && (($(wc -l <killed.txt.journal) > 200)) && break
  sleep 0.1
done
emulator="$(emulator_of $!)"
kill -KILL $! && wait $! 2>/dev/null
kept="$(wc -l <killed.txt.journal)"
for _ in {1..300}; do
  has_ended "$emulator" && break
  sleep 0.1
done
expect "its emulator was there" test -n "$emulator"
expect "and has ended too" has_ended "$emulator"
run "${smoke[@]}" --table killed.txt
expect "after a kill: exit 0" is "$status" 0
expect "measured before the kill" test "$kept" -gt 200
now="$(sed -n 's/.*; \([0-9,]*\) measured now.*/\1/p' <<<"$output" | tr -d ,)"
all="$(grep -c '^[a-z_]* [0-9]*x[0-9]* ' killed.txt)"
expect "the rest is measured now" test "$now" -gt 0
expect "and nothing again" test $((now + kept - 200)) -le "$all"

# With a budget: what calibrating needs in any case, then the operators that are worth most while there is time.
count_rows() { grep -c '^[a-z_]* [0-9]*x[0-9]* ' "$1"; }
run "${smoke[@]}" --table budget.txt --budget 0.000001
expect "a budget that is spent at once: exit 0" is "$status" 0
expect "a budget that is spent at once: a table" test "$(count_rows budget.txt)" -gt 0
expect "a budget that is spent at once: not all" test "$(count_rows budget.txt)" -lt "$all"
few="$(count_rows budget.txt)"
run "${smoke[@]}" --table budget.txt --budget 60 --operators 50
expect "a budget that is not spent: exit 0" is "$status" 0
expect "a budget that is not spent: --operators ends it" test "$(count_rows budget.txt)" -gt "$few" -a \
  "$(count_rows budget.txt)" -le $((few + 50))
for budget in 0 -1 soon; do
  expect "a budget that is none: $budget" fails_with 2 "--budget: must be a number above 0, not '$budget'" \
    "${smoke[@]}" --table budget.txt --budget "$budget"
done

run "${smoke[@]}" --table killed.txt --check 4
expect "whole programs: exit 0" is "$status" 0
mean="$(sed -n 's/.*mean error \([0-9.]*\) %.*/\1/p' <<<"$output")"
expect "within 2 % of them ($mean)" awk -v mean="$mean" 'BEGIN { exit !(mean != "" && mean < 2) }'

# A board: the same firmware behind a pseudo-terminal.
run --write-firmware firmware
expect "the firmware's sources: exit 0" is "$status" 0
echo 'stale' >firmware/runtime/of_a_former_version.c
sed -i 's|"files": \[|&"runtime/of_a_former_version.c",|' firmware/firmware.json
run --write-firmware firmware
expect "the firmware's sources again: exit 0" is "$status" 0
expect "nothing of a former version is compiled" test ! -e firmware/runtime/of_a_former_version.c
mkdir theirs && echo precious >theirs/README.md
expect "a folder with other content" fails_with 2 "theirs: this folder has other content" --write-firmware theirs
expect "which stays as it is" is "$(cat theirs/README.md) $(find theirs | wc -l)" "precious 2"
output="$("$nas_search" --write-firmware more 2>&1 >/dev/full)"
expect "standard output that is full: exit 1" is "$?" 1
expect "standard output that is full: says so" output_is \
  "measure_latency: standard output: cannot write: No space left on device"
kernels="$(sed -n 's/^kernels: //p' m4.txt)"
# shellcheck disable=SC2046  # a list of files
arm-none-eabi-gcc -std=c99 -O2 -mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mthumb -mfloat-abi=hard -ffunction-sections \
  -Ifirmware -Ifirmware/measuring -I"$here/../../../runtime/boards" -DFIRMWARE_KERNELS="\"$kernels\"" -nostartfiles \
  --specs=nosys.specs -Wl,--gc-sections -L"$here/../../../runtime/boards" -T mps2-an386.ld \
  $(find firmware -name '*.c' ! -name 'port_*') firmware/measuring/port_emulator.c "$here/../../../runtime/boards/board.c" \
  -o board.elf
expect "the sources compile" test -s board.elf
test_board() {
  run --config smoke.yaml --target board --port "$port" --table board.txt --operators 50 --clock-mhz 100 --answer-seconds 2
  expect "a board: exit 0" is "$status" 0
  expect "it has the operators" test "$(grep -c '^[a-z_]* [0-9]*x[0-9]* ' board.txt)" -ge 50
  expect "its own name is in the table" grep -q '^target: cortex-m4$' board.txt
  # Of the operators that both have measured; counts differ by a few, those of a softmax with what it reads, those of
  # a transposed convolution and of what finishes sums with what is clamped.
  expect "its costs are those of the emulated core" is "$(awk '
    /^[a-z_]+ [0-9]+x[0-9]+ / && !/^(softmax|convolve_transposed|connected_of_sums) / {
      cost = $(NF - 1); key = $0; sub(/ [0-9]+ [0-9]+$/, "", key)
      if (FILENAME ~ /killed/) {known[key] = cost; next}
      if (key in known) {++both; if (cost - known[key] > 8 || known[key] - cost > 8) ++other}
    }
    END {print (both >= 20), other + 0}' killed.txt board.txt)" "1 0"
  kill $board 2>/dev/null
  run --config smoke.yaml --target board --port "$port" --table gone.txt --operators 5 --answer-seconds 0.2
  expect "a board that is gone" test "$status" -ne 0
}
qemu-system-arm -M mps2-an386 -kernel board.elf -nographic -monitor none -serial pty -icount shift=6 \
  -semihosting-config enable=on,target=native,arg=board >qemu.log 2>&1 &
board=$!
port=
for _ in {1..100}; do
  port="$(grep -o '/dev/pts/[0-9]*' qemu.log)" && break
  kill -0 "$board" 2>/dev/null || break
  sleep 0.1
done
if [[ -c $port ]]; then
  test_board
else
  echo "skipped: a board at a serial port: the emulator gets no pseudo-terminal (is /dev/pts mounted?): $(head -n 1 qemu.log)"
fi
kill "$board" 2>/dev/null

# Bad input.
expect "no target" fails_with 2 "needs --target" --config smoke.yaml
expect "an unknown target" fails_with 2 "--target" --config smoke.yaml --target pdp11 --table x.txt
expect "a board without a port" fails_with 2 "needs --port" --config smoke.yaml --target board --table x.txt
expect "a port without a board" fails_with 2 "needs --target board" "${smoke[@]}" --table x.txt --port /dev/null
mkfifo pipe
expect "a table that is no file" fails_with 2 "pipe: is no file that a table could be continued in" "${smoke[@]}" --table pipe
expect "a misspelt network" fails_with 2 "did you mean 'mcunet_vww0'?" \
  --network mcunet_vww --target cortex-m4 --table x.txt
expect "no such port" fails_with 2 "/no/port: cannot open" --config smoke.yaml --target board --port /no/port --table x.txt
expect "no such rate" fails_with 2 "allowed: 9600" --config smoke.yaml --target board --port /dev/null --baud 7 --table x.txt
expect "a table of another core" fails_with 2 "give another file" --config smoke.yaml --target cortex-m7 --table m4.txt
sed 's/^pointwise .*/pointwise 1x1 1x1 0x0 1x9x8 1x9x4 -5 0/' m4.txt >damaged.txt
expect "a damaged table" fails_with 2 "a cost must be positive" "${smoke[@]}" --table damaged.txt

finish
