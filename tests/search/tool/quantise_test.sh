#!/usr/bin/env bash
# quantise_test.sh NAS_SEARCH MAKE_LITERT_CASES CHECK_REPORT REPORTS_MD: float files to int8.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"
# shellcheck source-path=SCRIPTDIR source=nas_search_testing.sh
source "$here/nas_search_testing.sh"

usage="usage: quantise_test.sh NAS_SEARCH MAKE_LITERT_CASES CHECK_REPORT REPORTS_MD"
nas_search="$(realpath -- "${1:?$usage}")"
make_cases="$(realpath -- "${2:?$usage}")"
check_report="$(realpath -- "${3:?$usage}")"
reports_page="$(realpath -- "${4:?$usage}")"
cd -- "$scratch" || exit 1
"$make_cases" cases >/dev/null || exit 1
folder=cases/case0
float=$folder/float.tflite
samples=$folder/samples.f32

# share_above NUMBER KEY: the share behind KEY in the JSON of $output is larger.
share_above() { awk -v least="$1" -v key="\"$2\":" '$1 == key { found = $2 + 0 > least } END { exit !found }' <<<"$output"; }

for calibration in min_max percentile mse; do
  run quantise "$float" --inputs "$samples" --calibration "$calibration" --count 20 --out int8.tflite --json
  expect "$calibration: exit 0" is "$status" 0
  expect "$calibration: is said" output_has "\"calibration\": \"$calibration\""
  expect "$calibration: classes stay" share_above 0.9 top1_agreement
  printf '%s\n' "$output" >report.json
  expect "$calibration: a report as described" "$check_report" "$reports_page" quantise report.json
  run inspect int8.tflite
  expect "$calibration: can be run" output_has "can be run: nas_search schedule"
done
run quantise "$float" --inputs "$samples" --labels $folder/labels.bin --count 20
expect "accuracies are printed" output_has " in float, "
expect "so are layers" output_has "zero point  layer"
run quantise "$float" --inputs "$samples" --mean 120 --stddev 60 --ends float32 --out ends.tflite
run inspect ends.tflite
expect "ends are in the user's numbers" output_has "input     float32"
run quantise "$float" --inputs "$samples" --out same.tflite
run quantise "$float" --inputs "$samples" --out again.tflite
expect "the same seed gives the same file" cmp same.tflite again.tflite

expect "schedule points to quantise" fails_with 2 "to run it, quantise it to int8 (nas_search quantise)" \
  schedule "$float" --sram 1MiB --out package
expect "an int8 file" fails_with 2 "holds int8 numbers: it is quantised already" \
  quantise $folder/model.tflite --inputs "$samples"
expect "no samples" fails_with 2 "quantise: needs --images FOLDER or --inputs FILE..., to measure ranges with, and not both" quantise "$float"
expect "two files for one input" fails_with 2 "inputs: 2 given; the network has 1" \
  quantise "$float" --inputs "$samples" "$samples"
head -c 10 "$samples" >short.f32
expect "half a sample" fails_with 2 "short.f32: has 10 bytes; must be a multiple of " quantise "$float" --inputs short.f32
head -c 8 $folder/labels.bin >short.bin
expect "too few labels" fails_with 2 "short.bin: has 8 bytes; must be an int32 number for each of " \
  quantise "$float" --inputs "$samples" --labels short.bin
expect "half a normalisation" fails_with 2 "--mean requires --stddev" quantise "$float" --inputs "$samples" --mean 3

for ((i = 0; i < 400; ++i)); do cat "$samples"; done >many.f32
output="$(timeout --signal TERM --preserve-status 1 "$nas_search" quantise "$float" --inputs many.f32 --count 1000000 \
  --out stopped.tflite 2>&1)"
status=$?
expect "a signal: exit 75" is "$status" 75
expect "a signal: what became of the work" output_has "stopped by SIGTERM; nothing was written, the same command begins anew"
expect "a signal: which is true" test ! -e stopped.tflite

finish
