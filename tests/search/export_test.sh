#!/usr/bin/env bash
# export_test.sh NAS_SEARCH: what a finished run exports, again and of other candidates, with the emulator where it is
# installed. That a run which is killed and continued exports the same is tested by tests/torture.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../build/testing.sh
source "$here/../build/testing.sh"
# shellcheck source-path=SCRIPTDIR source=nas_search_testing.sh
source "$here/nas_search_testing.sh"

nas_search="$(realpath -- "${1:?usage: export_test.sh NAS_SEARCH}")"
start() { "$nas_search" --config smoke.yaml --threads 2 --runs-dir "$scratch" 2>/dev/null; }
run_directory="$scratch/smoke"

screen="$(start)"
expect "a run finishes" is "$?" 0
output="$(start)"
expect "a finished run prints its result again" is "$output" "$screen"

run export "$run_directory" --out "$scratch/again"
expect "export again" is "$status" 0
output="$(diff -r "$run_directory/export" "$scratch/again" 2>&1)"
expect "export again: the same bytes" is "$output" ""

run export "$run_directory" --out "$scratch/again"
expect "an earlier export is replaced" is "$status" 0
output="$(diff -r "$run_directory/export" "$scratch/again" 2>&1)"
expect "by the same bytes" is "$output" ""

best="$(grep -o '"id": "[0-9a-f]*"' "$run_directory/export/report.json" | grep -o '[0-9a-f]\{16\}')"
other="$(grep -o '"id":"[0-9a-f]*"' "$run_directory/search/candidates.jsonl" | grep -o '[0-9a-f]\{16\}' | grep -v "$best" |
  head -n 1)"
run export "$run_directory" --candidate "$other" --out "$scratch/other" --dump-test-images 10
expect "export another candidate" is "$status" 0
expect "it says that it was not fine-tuned" output_has "not fine-tuned"
expect "it is that candidate" grep -q "$other" "$scratch/other/report.json"
expect "dumped labels of 10 images" is "$(stat -c %s "$scratch/other/labels.bin")" 40
expect "dumped outputs of 10 images" is "$(stat -c %s "$scratch/other/outputs.bin")" 100
expect "no such candidate" fails_with 2 "no candidate '0123456789abcdef'" export "$run_directory" \
  --candidate 0123456789abcdef

cp -r "$run_directory" "$scratch/damaged"
truncate -s -1 "$scratch/damaged/best/quantised.ckpt"
expect "export of damaged weights" fails_with 2 "stage quantise is not done" export "$scratch/damaged"
expect "it names the file" output_has "best/quantised.ckpt: missing or changed since stage quantise was done"
run --resume "$scratch/damaged"
expect "continued, the weights are made again" is "$status" 0
output="$(diff -r "$run_directory/best" "$scratch/damaged/best" 2>&1 && diff -r "$run_directory/export" "$scratch/damaged/export" 2>&1)"
expect "the same bytes" is "$output" ""

finish
