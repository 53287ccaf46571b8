#!/usr/bin/env bash
# kill_resume_test.sh NAS_SEARCH: a run that is killed in every stage and resumed ends in the same bytes as an
# undisturbed one. Seeded; the moments of the kills are not exactly reproducible, which is the point.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../build/testing.sh
source "$here/../build/testing.sh"

nas_search="$(realpath -- "${1:?usage: kill_resume_test.sh NAS_SEARCH}")"
stages=(train_largest train_supernet search finetune quantise export)
RANDOM=20240607

run_directory() { printf '%s/%s/smoke' "$scratch" "$1"; }
start() { exec "$nas_search" --config smoke.yaml --threads 2 --runs-dir "$scratch/$1"; }

stage_is() { grep -q "\"$2\": \"$3\"" "$(run_directory "$1")/run.json" 2>/dev/null; }

# wait_for_stage PID NAME STAGE: until the stage runs or is over, or the process has ended.
wait_for_stage() {
  while kill -0 "$1" 2>/dev/null && ! stage_is "$2" "$3" running && ! stage_is "$2" "$3" done; do
    sleep 0.01
  done
}

# signal_in_stage SIGNAL NAME STAGE SECONDS: starts the run, signals it so long after the stage began, and sets $status.
signal_in_stage() {
  start "$2" >/dev/null 2>"$scratch/$2.stderr" &
  local pid=$!
  wait_for_stage "$pid" "$2" "$3"
  sleep "$4"
  kill "-$1" "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  status=$?
}

finish_run() {
  output="$(start "$1" 2>"$scratch/$1.stderr")"
  status=$?
  output="${output//"$scratch/$1"/RUNS}"
}

# same_results NAME: what the run left is what the undisturbed run left.
same_results() {
  local mine theirs part
  mine="$(run_directory "$1")"
  theirs="$(run_directory undisturbed)"
  for part in best export search metrics.jsonl; do
    diff -r "$theirs/$part" "$mine/$part" || return 1
  done
}

# Seconds that each stage took, from the undisturbed run.
declare -A seconds
measure_stages() {
  local stage begin end log
  log="$(run_directory undisturbed)/log.txt"
  begin="$(date -d "$(head -n 1 "$log" | cut -c 1-23)" +%s%3N)"
  for stage in "${stages[@]}"; do
    end="$(date -d "$(grep " $stage: done in" "$log" | cut -c 1-23)" +%s%3N)"
    seconds[$stage]=$((end - begin))
    begin=$end
  done
}
# random_moment STAGE: seconds, somewhere within the stage.
random_moment() {
  local milliseconds=$((RANDOM * seconds[$1] / 32768))
  printf '%d.%03d' $((milliseconds / 1000)) $((milliseconds % 1000))
}

finish_run undisturbed
expect "an undisturbed run finishes" is "$status" 0
undisturbed_screen="$output"
measure_stages
for stage in "${stages[@]}"; do
  printf '# %s: %s ms\n' "$stage" "${seconds[$stage]}"
done
finish_run undisturbed
expect "a finished run prints its result again" is "$output" "$undisturbed_screen"

run="$(run_directory undisturbed)"
output="$("$nas_search" export "$run" --out "$scratch/again" 2>&1)"
expect "export again" is "$?" 0
output="$(diff -r "$run/export" "$scratch/again" 2>&1)"
expect "export again: the same bytes" is "$output" ""

cp "$run/best/quantised.ckpt" "$scratch/quantised.ckpt"
truncate -s -1 "$run/best/quantised.ckpt"
output="$("$nas_search" export "$run" --out "$scratch/again" 2>&1)"
expect "export of damaged weights: exit 2" is "$?" 2
expect "export of damaged weights: names the file" output_has "best/quantised.ckpt: "
mv "$scratch/quantised.ckpt" "$run/best/quantised.ckpt"

best="$(grep -o '"id": "[0-9a-f]*"' "$run/export/report.json" | grep -o '[0-9a-f]\{16\}')"
other="$(grep -o '"id":"[0-9a-f]*"' "$run/search/candidates.jsonl" | grep -o '[0-9a-f]\{16\}' | grep -v "$best" | head -n 1)"
output="$("$nas_search" export "$run" --candidate "$other" --out "$scratch/other" --dump-test-images 10 2>&1)"
expect "export another candidate" is "$?" 0
expect "it says that it was not fine-tuned" output_has "not fine-tuned"
expect "it is that candidate" grep -q "$other" "$scratch/other/report.json"
expect "dumped labels of 10 images" is "$(stat -c %s "$scratch/other/labels.bin")" 40
expect "dumped outputs of 10 images" is "$(stat -c %s "$scratch/other/outputs.bin")" 100
output="$("$nas_search" export "$run" --candidate 0123456789abcdef 2>&1)"
expect "no such candidate: exit 2" is "$?" 2
expect "no such candidate: named" output_has "no candidate '0123456789abcdef'"

landed=0
for round in 1 2 3; do
  for stage in "${stages[@]}"; do
    moment="$(random_moment "$stage")"
    signal_in_stage KILL "killed$round" "$stage" "$moment"
    if [[ $stage == train_supernet && $round == 1 ]]; then
      output="$("$nas_search" export "$(run_directory "killed$round")" 2>&1)"
      expect "export before there is a winner: exit 2" is "$?" 2
      expect "export before there is a winner: says what is missing" output_has "stage search is not done"
    fi
    if [[ $status == 137 ]]; then
      landed=$((landed + 1))
      printf '# round %s: killed %s s into %s\n' "$round" "$moment" "$stage"
    fi
  done
  finish_run "killed$round"
  expect "round $round: the run finishes" is "$status" 0
  expect "round $round: it prints the same result" is "$output" "$undisturbed_screen"
  output="$(same_results "killed$round" 2>&1)"
  expect "round $round: the same bytes in best/, export/, search/ and metrics.jsonl" is "$output" ""
done
expect "at least 10 kills found the process alive ($landed)" test "$landed" -ge 10

while read -r signal stage; do
  # A run that ends before the signal comes proves nothing: once more, from the start.
  for attempt in 1 2 3 4 5; do
    signal_in_stage "$signal" stopped "$stage" "0.$(printf '%03d' $((seconds[$stage] / 8 % 1000)))"
    [[ $status == 0 && $attempt -lt 5 ]] || break
    rm -rf -- "$scratch/stopped"
  done
  output="$(<"$scratch/stopped.stderr")"
  expect "SIG$signal in $stage: exit 75" is "$status" 75
  expect "SIG$signal in $stage: says so" output_has "stopped by SIG$signal; everything is saved"
done <<<$'TERM train_largest\nUSR1 train_supernet\nINT search'
finish_run stopped
expect "a stopped run finishes" is "$output" "$undisturbed_screen"
output="$(same_results stopped 2>&1)"
expect "a stopped run leaves the same bytes" is "$output" ""

finish
