#!/usr/bin/env bash
# without_training_test.sh NAS_SEARCH MAKE_LITERT_CASES: in a build without LibTorch the commands that
# train or read images have their help, and say in one line what is missing. NAS_SEARCH is of such a build.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"

nas_search="$(realpath -- "${1:?usage: without_training_test.sh NAS_SEARCH MAKE_LITERT_CASES}")"
make_cases="$(realpath -- "${2:?usage: without_training_test.sh NAS_SEARCH MAKE_LITERT_CASES}")"
cd -- "$scratch" || exit 1

missing="this nas_search was built without LibTorch and OpenCV; scripts/nas_search installs and builds with them, or configure with -DPATCHNAS_MODULES=all"
for arguments in "--config smoke.yaml" "--resume runs/x" "export runs/x" "prepare --config smoke.yaml"; do
  # shellcheck disable=SC2086  # words
  output="$("$nas_search" $arguments 2>&1)"
  expect "nas_search $arguments: bad input" is "$?" 2
  expect "nas_search $arguments: says what is missing, and no more" output_is "nas_search: $arguments: $missing"
done
expect "nothing is written" is "$(ls -A)" ""
output="$("$nas_search" 2>&1)"
expect "neither --config nor --resume: bad input as ever" is "$?" 2
expect "neither --config nor --resume: as ever" output_has "needs --config NAME or --resume DIR"
for command in export prepare schedule estimate evaluate; do
  output="$("$nas_search" help "$command" 2>&1)"
  expect "help $command" is "$?" 0
  expect "help $command has examples" output_has "Examples:"
done

"$make_cases" . >/dev/null || exit 1
output="$("$nas_search" evaluate case1/model.tflite --images photos --mean 128 --stddev 64 2>&1)"
expect "evaluate: bad input" is "$?" 2
expect "evaluate: says what is missing, and no more" output_is "nas_search: evaluate case1/model.tflite: $missing"
output="$("$nas_search" evaluate nothing.tflite --images photos 2>&1)"
expect "evaluate: what can be known without images is said first" output_has "nothing.tflite: cannot open"

finish
