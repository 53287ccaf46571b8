#!/usr/bin/env bash
# export_test.sh NAS_SEARCH: what a finished run exports, again and of other candidates, with the emulator where it is
# installed. That a run which is killed and continued exports the same is tested by tests/torture.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"
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

# In an archive nothing can be written: root, whom permissions do not bind, mounts it read-only.
in_archive() {
  if [[ $(id -u) == 0 ]]; then
    # shellcheck disable=SC2016  # expanded in the namespace
    unshare --mount bash -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && "${@:2}"' _ "$run_directory" "$@"
    return
  fi
  chmod -R a-w "$run_directory"
  "$@"
  local status=$?
  chmod -R u+w "$run_directory"
  return "$status"
}
if in_archive test ! -w "$run_directory" 2>/dev/null; then
  program="$nas_search"
  in_archive_program() { in_archive "$program" "$@"; }
  nas_search=in_archive_program
  state_of_run() { (cd -- "$run_directory" && find . -type f -exec sha256sum {} + | sort); }
  before="$(state_of_run)"
  run export "$run_directory" --out "$scratch/from_archive"
  expect "export from an archive" is "$status" 0
  expect "it says once what is not recorded" is "$(grep -c "nothing can be written there" <<<"$output")" 1
  output="$(diff -r -x report.json "$run_directory/export" "$scratch/from_archive" 2>&1)"
  expect "export from an archive: the same bytes" is "$output" ""
  run export "$run_directory" --candidate "$other" --out "$scratch/other_from_archive"
  expect "another candidate from an archive" is "$status" 0
  output="$(diff -r -x '*.bin' -x report.json "$scratch/other" "$scratch/other_from_archive" 2>&1)"
  expect "another candidate from an archive: the same bytes" is "$output" ""
  run export "$run_directory"
  expect "export into an archive: exit 2" is "$status" 2
  expect "export into an archive" output_has "nothing can be written there; --out names another folder"
  run verify "$run_directory" --target host
  expect "verify an archive" is "$status" 0
  expect "verify an archive: says what is not recorded" output_has "export/report.json stay as they are"
  expect "verify an archive: the figures" output_has "identical with the integer reference's"
  run --resume "$run_directory"
  expect "an archive is not continued" is "$status" 2
  expect "nothing in it has changed" is "$(state_of_run)" "$before"
  nas_search="$program"
else
  echo "skipped: an archived run: no folder can be made read-only here"
fi

# A live run: another process holds its lock.
exec 9>>"$run_directory/lock"
flock 9
before="$(sha256sum "$run_directory"/{run.json,log.txt,export/report.json})"
run verify "$run_directory" --target host --images 3 --json
expect "verify a live run" is "$status" 0
expect "verify a live run: the figures" output_has '"identical": true'
expect "verify a live run: whose it is" output_has "nothing can be written there (in use by process "
expect "verify a live run: nothing has changed" is \
  "$(sha256sum "$run_directory"/{run.json,log.txt,export/report.json})" "$before"
expect "export a live run" fails_with 2 "is in use by process " export "$run_directory" --out "$scratch/live"
exec 9>&-
run verify "$run_directory" --target host --images 3
expect "verify it later" is "$status" 0
expect "verify it later: its report has the figures" grep -q '"host": {' "$run_directory/export/report.json"

# Evaluated again: the report's accuracy, by whichever way the network and its test images are named.
# top1 ARGUMENTS...: what evaluate says.
top1() { "$nas_search" evaluate "$@" --json 2>/dev/null | grep -o '"top1": [0-9.]*' | grep -o '[0-9.]*$'; }
accuracy="$(grep -o '"test_int8": [0-9.]*' "$run_directory/export/report.json" | grep -o '[0-9.]*$')"
expect "evaluate the run" is "$(top1 "$run_directory")" "$accuracy"
expect "evaluate its file on the configuration" is \
  "$(top1 "$run_directory/export/model.tflite" --config smoke.yaml)" "$accuracy"
expect "evaluate its package on the host" is "$(top1 "$run_directory" --target host)" "$accuracy"
expect "its file alone does not say what pixels are" fails_with 2 "--mean 128 --stddev 64, for (pixel - 128) / 64, make int8 = pixel - 128" \
  evaluate "$run_directory/export/model.tflite" --images "$scratch"

# Stopped while it compiles and runs the package: nothing stays in the folder of temporary files.
mkdir "$scratch/temporary"
for signal in TERM INT HUP; do
  TMPDIR="$scratch/temporary" env --default-signal=HUP "$nas_search" verify "$run_directory" --target host --images 500 >/dev/null 2>&1 &
  for _ in {1..200}; do
    [[ -n "$(ls "$scratch/temporary")" ]] && break
    sleep 0.02
  done
  kill "-$signal" $!
  wait $!
  expect "verify stopped by SIG$signal: exit 75" is "$?" 75
  output="$(ls -A "$scratch/temporary")"
  expect "verify stopped by SIG$signal: no temporary files" output_is ""
  rm -rf "$scratch/temporary"/*
done

# A configuration may come from a pipe, and is read once.
run --config <(sed '/^name:/d' "$run_directory/config.yaml") --runs-dir "$scratch/piped" --set target.sram_bytes=64
expect "a configuration from a pipe is read" output_has "nothing in the search space fits"
expect "a configuration from a pipe: exit 3" is "$status" 3
mkfifo "$scratch/nobody_writes"
"$nas_search" --config "$scratch/nobody_writes" >/dev/null 2>&1 &
for _ in {1..300}; do
  readlink "/proc/$!/fd/"* | grep -qxF "$scratch/nobody_writes" && break # it waits there
  sleep 0.1
done
kill -TERM $!
wait $!
expect "a configuration from a pipe that nobody writes to: stopped, exit 75" is "$?" 75

finish
