#!/usr/bin/env bash
# options_test.sh NAS_SEARCH CHECK_REPORT REPORTS_MD MAKE_LITERT_CASES: what estimate and schedule are asked alike, without
# a compiler and without LibTorch; and that what commands print is what docs/reports.md says.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"
# shellcheck source-path=SCRIPTDIR source=nas_search_testing.sh
source "$here/nas_search_testing.sh"

usage="usage: options_test.sh NAS_SEARCH CHECK_REPORT REPORTS_MD MAKE_LITERT_CASES"
nas_search="$(realpath -- "${1:?$usage}")"
check_report="$(realpath -- "${2:?$usage}")"
reports_page="$(realpath -- "${3:?$usage}")"
make_cases="$(realpath -- "${4:?$usage}")"
cd -- "$scratch" || exit 1
"$make_cases" cases >/dev/null || exit 1
model=cases/case0/model.tflite

# report_holds KIND ARGUMENTS...: prints one report on standard output, as the page describes it; leaves it in $output.
report_holds() {
  local kind=$1 complaints
  shift
  "$nas_search" "$@" >report.json 2>errors
  status=$?
  complaints="$("$check_report" "$reports_page" "$kind" report.json 2>&1)" || {
    output="$complaints $(<errors)"
    return 1
  }
  output="$(<report.json)"
}
# Both commands, with the same options: estimated for a network of a file, scheduled as a package.
for command in estimate schedule; do
  subject=(estimate --network "$model" --json)
  [[ $command == estimate ]] || subject=(schedule "$model" --out package --json)
  of() { report_holds "$command" "${subject[@]}" "$@"; }

  expect "$command --device" of --device stm32h743 --schedule best
  expect "$command --device: exit 0" is "$status" 0
  expect "$command --device: its SRAM is the limit" is "$(json_number sram_bytes)" 524288
  expect "$command --device: its flash too" output_has '"flash_bytes": 2097152'
  expect "$command --device: its core" output_has '"core": "cortex-m7"'
  expect "$command --device: it fits" output_has '"fits": true'
  expect "$command --device and --sram" of --device stm32h743 --sram 100KiB
  expect "$command --device and --sram: --sram goes before" is "$(json_number sram_bytes)" 102400
  expect "$command --device and --core" of --device stm32h743 --core cortex-m55
  expect "$command --device and --core: --core goes before" output_has '"core": "cortex-m55"'
  expect "$command: no such device" fails_with 2 "stm32h734: no such device; did you mean 'stm32h743'?" \
    "${subject[@]}" --device stm32h734

  expect "$command --no-folding" of --sram 1MiB --no-folding
  expect "$command --no-folding: nothing is" test "$(grep -c '"folded"' report.json)" -eq 0

  expect "$command --core" of --sram 1MiB --core cortex-m4
  code="$(json_number code)"
  expect "$command --core: the other core" of --sram 1MiB --core cortex-m7
  expect "$command --core: has code of another size" test "$(json_number code)" -ne "$code"
  expect "$command: no such core" fails_with 2 "--core: " "${subject[@]}" --sram 1MiB --core cortex-m0

  expect "$command --latency-table" of --sram 1MiB --core cortex-m7 --latency-table cortex-m7
  expect "$command --latency-table: in its unit" output_has '"unit": "instructions"'
  expect "$command --latency-table: no milliseconds without a clock" test "$(grep -c '"ms"' report.json)" -eq 0
  expect "$command --latency-table with a device" of --device stm32h743 --latency-table cortex-m7
  expect "$command --latency-table with a device: milliseconds" output_has '"ms": '
  expect "$command --latency-table of another core" fails_with 2 "cortex-m7" \
    "${subject[@]}" --sram 1MiB --core cortex-m4 --latency-table cortex-m7
  expect "$command --latency-table that is not there" fails_with 2 "did you mean 'cortex-m7'?" \
    "${subject[@]}" --sram 1MiB --latency-table cortex-m77
  printf 'no table\n' >table.txt
  expect "$command --latency-table that is none" fails_with 2 "table.txt" \
    "${subject[@]}" --sram 1MiB --latency-table table.txt

  expect "$command --patches --split-layer" of --patches 1x2 --split-layer 2
  expect "$command --patches --split-layer: exit 0" is "$status" 0
  expect "$command --patches --split-layer: that schedule" is \
    "$(json_number first_layer) $(json_number end_layer) $(json_number rows) $(json_number cols)" "0 2 1 2"
  expect "$command --patches --split-layer: no limits" test "$(grep -c '"limits"\|"fits"' report.json)" -eq 0
  expect "$command --patches 1" of --patches 1
  expect "$command --patches 1: layer by layer" output_has '"schedule_text": "layer by layer"'
  expect "$command --schedule layer-by-layer" of --schedule layer-by-layer
  layer_by_layer="$(json_number deployed)"
  expect "$command --schedule best without limits" of --schedule best
  expect "$command --schedule best without limits: no more SRAM" test "$(json_number deployed)" -le "$layer_by_layer"
  expect "$command: patches without a split" fails_with 2 "needs --split-block N or --split-layer N" \
    "${subject[@]}" --patches 2
  expect "$command: a split without patches" fails_with 2 "need --patches P" \
    "${subject[@]}" --sram 1MiB --split-layer 2
  expect "$command: a split that is not there" fails_with 2 "--split-layer 999: allowed: 1 to " \
    "${subject[@]}" --patches 2 --split-layer 999
  expect "$command: both splits" fails_with 2 "--split-block excludes --split-layer" \
    "${subject[@]}" --patches 2 --split-layer 2 --split-block 1
  expect "$command: no patches" fails_with 2 "--patches 0: must be P or PHxPW" \
    "${subject[@]}" --patches 0 --split-layer 1
  expect "$command: a schedule given twice" fails_with 2 "give either it or --patches" \
    "${subject[@]}" --schedule layer-by-layer --patches 2 --split-layer 1

  for memory_model in deployed mcunetv2 tflm; do
    expect "$command --memory-model $memory_model" of --sram 1MiB --memory-model "$memory_model"
    expect "$command --memory-model $memory_model: is said" output_has "\"memory_model\": \"$memory_model\""
  done
  expect "$command --input streamed" of --sram 1MiB --input streamed
  expect "$command --input streamed: is said" output_has '"input": "streamed"'
done
expect "schedule --json is the package's report.json" cmp report.json package/report.json

# What one says of a network the other says too.
expect "estimate" report_holds estimate estimate --network "$model" --sram 1MiB --core cortex-m7 --json
mv report.json estimate.json
expect "schedule" report_holds schedule schedule "$model" --sram 1MiB --core cortex-m7 --json --out package
expect "estimate and schedule agree" is "$(grep -v '"package"' report.json)" "$(<estimate.json)"

# Limits that are missed: exit 3.
flash="$(json_number flash_bytes)"
rm -r package
for arguments in "--flash $((flash - 1))" "--sram 16" "--sram 1MiB --flash 1KiB" "--patches 1 --sram 16" \
  "--sram 16 --memory-model mcunetv2" "--device stm32f412 --flash 1KiB"; do
  # shellcheck disable=SC2086  # several words
  run schedule "$model" --out package --core cortex-m7 $arguments
  expect "schedule $arguments: exit 3" is "$status" 3
  # shellcheck disable=SC2086
  expect "schedule $arguments: in one line" fails_with 3 "$model: " schedule "$model" --out package --core cortex-m7 $arguments
  expect "schedule $arguments: nothing is written" test ! -e package
  # shellcheck disable=SC2086
  expect "estimate $arguments: the report is printed" \
    report_holds estimate estimate --network "$model" --core cortex-m7 --json $arguments
  expect "estimate $arguments: exit 3" is "$status" 3
  expect "estimate $arguments: says so" output_has '"fits": false'
  # shellcheck disable=SC2086
  expect "estimate $arguments: in one line" fails_with_at_last 3 "$model: does not fit the limits: needs " \
    estimate --network "$model" --core cortex-m7 $arguments
done
run schedule "$model" --flash "$flash" --core cortex-m7 --out package
expect "schedule --flash that just suffices" is "$status" 0
expect "a given schedule that does not fit" fails_with 3 "does not fit the limits: layer by layer, needs " \
  schedule "$model" --patches 1 --sram 16 --out other
expect "which schedule would" output_has "; with --schedule best it would need "
expect "schedule without anything to fit" fails_with 2 \
  "schedule: needs --sram BYTES or --device NAME, which the package is to fit, or a schedule: --patches P" \
  schedule "$model" --out other
expect "a limit that is none" fails_with 2 "--flash: must be a number of bytes" schedule "$model" --flash lots --out other
expect "nothing was written then" test ! -e other

# Reports with everything in them.
expect "estimate --pareto" report_holds estimate estimate --network mcunet_vww0 --pareto --latency-table cortex-m4 --json
expect "estimate --every-schedule" report_holds estimate estimate --config smoke.yaml --every-schedule --json
expect "estimate of MobileNetV2" report_holds estimate estimate --network mobilenet_v2 --json

expect "nothing to fold without values" fails_with 2 "--no-folding requires --network" \
  estimate --config smoke.yaml --no-folding

finish
