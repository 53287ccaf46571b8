#!/usr/bin/env bash
# ranks_test.sh NAS_SEARCH: one run on two processes, as torchrun would start them: equal results every time, through
# signals and the death of either; and the search's outcome is that of one process.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"

nas_search="$(realpath -- "${1:?usage: ranks_test.sh NAS_SEARCH}")"
cd -- "$scratch" || exit 1
readonly lost_within=30  # seconds; a hang is what it is about

arguments=(--threads 1 --rank-timeout 120)
smoke=(--config smoke.yaml --set data.limit_training_images=1000 --set search.iterations=2 --set checkpoint.every_seconds=0.1)

# start_rank RANK COUNT FOLDER [ARGUMENTS]: in the background, output in FOLDER.RANK; $pid is set.
start_rank() {
  local rank=$1 count=$2 folder=$3
  shift 3
  RANK=$rank WORLD_SIZE=$count LOCAL_RANK=$rank LOCAL_WORLD_SIZE=$count TORCHELASTIC_RUN_ID="test-$folder" \
    "$nas_search" "${arguments[@]}" "${smoke[@]}" --runs-dir "$folder" "$@" >"$folder.$rank.out" 2>"$folder.$rank.err" &
  pid=$!
}
# start_two FOLDER [ARGUMENTS]: sets $first and $second.
start_two() {
  start_rank 0 2 "$@"
  first=$pid
  start_rank 1 2 "$@"
  second=$pid
}
# wait_for_two: sets $status to both exit codes.
wait_for_two() {
  wait "$first" 2>/dev/null
  status=$?
  wait "$second" 2>/dev/null
  status+=" $?"
  output="$(cat -- "$1.0.err" "$1.1.err")"
}
two() {
  start_two "$@"
  wait_for_two "$1"
}
one() {
  local folder=$1
  shift
  output="$("$nas_search" "${arguments[@]}" "${smoke[@]}" --runs-dir "$folder" "$@" 2>&1)"
  status=$?
}
wait_for_stage() {
  while kill -0 "$first" 2>/dev/null && ! grep -Eq "\"$2\": \"(running|done)\"" "$1/smoke/run.json" 2>/dev/null; do
    sleep 0.02
  done
}
same_results() {
  local part
  for part in best export search metrics.jsonl; do
    diff -r "$1/smoke/$part" "$2/smoke/$part" || return 1
  done
}
no_meeting_file() { [[ -z $(find "$1" -maxdepth 1 -name '*ranks*') ]]; }

two undisturbed
expect "two ranks finish" is "$status" "0 0"
expect "the second rank is silent" is "$(cat undisturbed.1.err undisturbed.1.out)" ""
expect "it says how many ranks" grep -q "ranks: 2" undisturbed/smoke/log.txt
expect "nothing of their meeting is left" no_meeting_file undisturbed
two again
output="$(same_results undisturbed again 2>&1)"
expect "two ranks give the same bytes again" is "$output" ""
two again
expect "a finished run is finished for both" is "$status" "0 0"

# The search on two ranks, from a supernet that one trained.
one alone --set data.cache=cache
expect "one rank finishes" is "$status" 0
cp -r alone shared
rm -rf shared/smoke/search shared/smoke/best shared/smoke/export shared/smoke/supernet/{finetune,quantise}*
sed -i -E 's/"(search|finetune|quantise|export)": "done"/"\1": "pending"/' shared/smoke/run.json
two shared --set data.cache=cache
expect "two ranks continue what one began" is "$status" "0 0"
output="$(diff -r alone/smoke/search shared/smoke/search 2>&1)"
expect "two ranks search with the outcome of one, byte for byte" is "$output" ""
output="$(diff alone/smoke/best/candidate.json shared/smoke/best/candidate.json 2>&1)"
expect "with the same winner" is "$output" ""
expect "and fine-tune it" test -s shared/smoke/export/model.tflite

# A signal to one rank stops both; a killed one takes the other down. Nothing is lost.
while IFS='|' read -r signal rank stage expected text; do
  name="$signal-$rank-$stage"
  for attempt in 1 2 3; do
    start_two "$name"
    wait_for_stage "$name" "$stage"
    victims=("$first" "$second")
    kill "-$signal" "${victims[rank]}" 2>/dev/null
    begin=$SECONDS
    wait_for_two "$name"
    [[ $status == "0 0" && $attempt -lt 3 ]] || break
    rm -rf -- "$name"  # it ended before the signal came
  done
  expect "SIG$signal to rank $rank in $stage: exit codes" is "$status" "$expected"
  expect "SIG$signal to rank $rank in $stage: says '$text'" output_has "$text"
  [[ $signal == KILL ]] ||
    expect "SIG$signal to rank $rank in $stage: rank 0 speaks for both" is "$(<"$name.1.err")" ""
  expect "SIG$signal to rank $rank in $stage: within seconds" test $((SECONDS - begin)) -lt $lost_within
  two "$name"
  expect "SIG$signal to rank $rank in $stage: it continues" is "$status" "0 0"
  output="$(same_results undisturbed "$name" 2>&1)"
  expect "SIG$signal to rank $rank in $stage: the same bytes" is "$output" ""
done <<'CASES'
TERM|0|train_largest|75 75|stopped by SIGTERM; everything is saved
USR1|1|train_supernet|75 75|everything is saved
TERM|1|search|75 75|everything is saved
KILL|1|train_supernet|75 137|rank 1 is lost
KILL|0|finetune|137 75|rank 1: rank 0 is lost
KILL|1|search|75 137|rank 1 is lost
KILL|0|search|137 75|rank 0 is lost
CASES

start_two fewer
wait_for_stage fewer train_supernet
kill -TERM "$first" "$second"
wait_for_two fewer
expect "two ranks stop" is "$status" "75 75"
one fewer
expect "one rank continues what two began" is "$status" 0
expect "to an exported network" test -s fewer/smoke/export/model.tflite

# What is wrong with the arguments or the images ends every rank, with the code that says so.
start_two wrong --set target.sram_bytes=16
wait_for_two wrong
expect "nothing fits: every rank exits 3" is "$status" "3 3"
expect "nothing fits: said once" is "$(cat wrong.?.err | grep -vc '^\[')" 1
arguments=(--threads 1 --rank-timeout 2)
start_rank 0 2 missing
first=$pid
wait "$first"
status=$?
output="$(cat missing.0.err)"
expect "a rank that does not come: exit 75" is "$status" 75
expect "a rank that does not come is named" output_has "rank 1 did not start within 2 s"

finish
