#!/usr/bin/env bash
# slurm_test.sh NAS_SEARCH [LOGS [SCENARIO...]]: jobs of scripts/slurm/nas_search.sbatch in a Slurm cluster of one node
# that is started for them (cluster.sh): requeued, preempted, at their time limit, with a rank killed, cancelled and
# submitted again, as an array, with bad input. What they leave equals, byte for byte, what an undisturbed job leaves.
# Needs root and the Debian packages of the group [slurm]. Leaves the logs of jobs and daemons in the folder LOGS.
set -uo pipefail
here="$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=cluster.sh
source "$here/cluster.sh"

if [[ -z ${CLUSTER_NAMESPACES:-} ]]; then
  nas_search="$(realpath -- "${1:?usage: slurm_test.sh NAS_SEARCH [LOGS [SCENARIO...]]}")"
  [[ -x $nas_search ]] || {
    printf '%s: no such program\n' "$nas_search"
    exit 2
  }
  logs="${2:+$(realpath -- "$2")}"
  skip() {
    printf 'skipped: %s\n' "$*"
    exit 0
  }
  [[ $(id -u) == 0 ]] || skip "a cluster needs root"
  # shellcheck source-path=SCRIPTDIR source=../../scripts/lib/setup.sh
  (source "$here/../../scripts/lib/setup.sh" && ensure_packages slurm) || skip "Slurm cannot be installed"
  for command in slurmctld slurmd srun munged ip unshare; do
    command -v "$command" >/dev/null || skip "$command is not installed"
  done
  can_enter_namespaces || skip "namespaces cannot be made here"
  enter_namespaces "${BASH_SOURCE[0]}" "$nas_search" "$logs" "${@:3}"
fi

nas_search=$1
logs=$2
shift 2
mount_cluster
script="$here/../../scripts/slurm/nas_search.sbatch"
# shellcheck source-path=SCRIPTDIR source=../build/testing.sh
source "$here/../build/testing.sh"
trap 'exit 130' INT TERM
# Long enough in train_supernet and search to be stopped there.
run_options=(--set training.supernet.epochs=40 --set search.iterations=20 --set search.recalibration.batches=16)

# --- jobs ----------------------------------------------------------------------------------------

# submit NAME SBATCH_OPTIONS... -- ARGUMENTS...: sets $job.
submit() {
  local name=$1
  local -a options=()
  shift
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  job="$(sbatch --parsable --job-name="$name" --output=%x.log "${options[@]}" "$script" "$@")"
}
# submit_run NAME SBATCH_OPTIONS...: the run NAME, with two tasks unless the options say otherwise.
submit_run() {
  submit "$1" --ntasks=2 "${@:2}" -- --config smoke.yaml --runs-dir "$1" "${run_options[@]}"
}

# job_field KEY: of $job, as `scontrol show job` gives it.
job_field() { scontrol show job --oneliner "$job" | grep -o " $1=[^ ]*" | head -n 1 | cut -d = -f 2; }
job_is() { [[ " $* " == *" $(job_field JobState) "* ]]; }
job_is_over() { job_is COMPLETED FAILED CANCELLED TIMEOUT NODE_FAIL OUT_OF_MEMORY DEADLINE; }
job_restarted() { [[ $(job_field Restarts) == "$1" ]]; }
stage_runs() { grep -q "\"$2\": \"running\"" "$1/smoke/run.json"; }
stage_began() { stage_runs "$@" || job_is_over; }

# signal_tasks SIGNAL TASK...: to processes of $job.
signal_tasks() {
  local signal=$1 task process
  shift
  for process in /proc/[0-9]*; do
    for task in "$@"; do
      if [[ $(<"$process/comm") == nas_search ]] && grep -qzx "SLURM_JOB_ID=$job" "$process/environ" &&
        grep -qzx "SLURM_PROCID=$task" "$process/environ"; then
        kill "-$signal" "${process#/proc/}"
      fi
    done
  done 2>/dev/null  # processes that are gone
}

# stop_in STAGE NAME COMMAND...: runs the command a moment after $job began the stage, waits until it has stopped the
# job and checks that the stage was not over.
stop_in() {
  local stage=$1 name=$2
  shift 2
  wait_until 240 stage_began "$name" "$stage"
  sleep 0.5
  "$@"
  wait_until 120 job_is PENDING CANCELLED FAILED
  output="$(tail -n 20 "$name.log"; cat "$name/smoke/run.json")"
  expect "$name: stopped in the middle of $stage" stage_runs "$name" "$stage"
}

# ends_as NAME STATE EXIT_CODE: waits for the end of $job.
ends_as() {
  wait_until 240 job_is_over
  output="$(tail -n 20 "$1.log")"
  expect "$1: ends as $2, exit code $3" is "$(job_field JobState) $(job_field ExitCode)" "$2 $3:0"
}
was_restarted() {
  expect "$1: started again, $2 times" is "$(job_field Restarts)" "$2"
  has_continued "$1" "$2"
}
has_continued() {
  output="$(tail -n 20 "$1.log")"
  expect "$1: continues each time" is "$(grep -c ' resuming ' "$1/smoke/log.txt")" "$2"
}
log_has() {
  output="$(<"$1.log")"
  expect "$1: the log has '$2'" output_has "$2"
}
# same_results RUN_DIRECTORY OTHER
same_results() {
  local part
  output="$(for part in best export search metrics.jsonl; do diff -r "$2/$part" "$1/$part" 2>&1; done)"
  expect "${1%/smoke}: the same bytes as ${2%/smoke} in best/, export/, search/ and metrics.jsonl" is "$output" ""
}

# --- scenarios -----------------------------------------------------------------------------------

test_undisturbed() {
  submit_run undisturbed
  ends_as undisturbed COMPLETED 0
  was_restarted undisturbed 0
  output="$(ls undisturbed/smoke/export)"
  expect "undisturbed: exports" test -s undisturbed/smoke/export/model.tflite
}

test_requeue() {
  submit_run requeued
  stop_in train_supernet requeued scontrol requeue "$job"
  stop_in search requeued scontrol requeue "$job"
  ends_as requeued COMPLETED 0
  was_restarted requeued 2
  same_results requeued/smoke undisturbed/smoke
}

test_killed_rank() {
  submit_run killed
  stop_in train_supernet killed signal_tasks KILL 1
  ends_as killed COMPLETED 0
  was_restarted killed 1
  log_has killed "task 1: Killed"
  log_has killed "stopped (137); requeued, restart 1 of at most 20"
  same_results killed/smoke undisturbed/smoke
}

# The job in the partition of higher priority wants all processors.
test_preemption() {
  submit_run graceful --partition=graceful
  local graceful=$job
  submit_run preempted
  wait_until 240 stage_began graceful train_supernet
  stop_in train_supernet preempted sbatch --quiet --partition=high --exclusive --output=/dev/null --wrap="sleep 1"
  ends_as preempted COMPLETED 0
  was_restarted preempted 1
  log_has preempted "DUE TO PREEMPTION"
  same_results preempted/smoke undisturbed/smoke
  job=$graceful
  ends_as graceful COMPLETED 0
  was_restarted graceful 1
  log_has graceful "stopped (75); requeued, restart 1 of at most 20"
  same_results graceful/smoke undisturbed/smoke
}

# Slurm looks for jobs near their time limit, in whole minutes, every 30 seconds. The tasks stand still until it does;
# they are to be told a minute before the limit, so at once.
limits_checked() { grep -c "Testing job time limits" "$cluster/slurmctld.log"; }
limits_checked_since() { (($(limits_checked) > $1)); }
test_time_limit() {
  local count
  count="$(limits_checked)"
  wait_until 60 limits_checked_since "$count"
  submit_run limited --time=1 --signal=USR1@60
  wait_until 240 stage_began limited train_supernet
  count="$(limits_checked)"
  signal_tasks STOP 0 1
  wait_until 60 limits_checked_since "$count"
  signal_tasks CONT 0 1
  ends_as limited COMPLETED 0
  has_continued limited "$(job_field Restarts)"
  log_has limited "stopped by SIGUSR1"
  log_has limited "stopped (75); requeued, restart 1 of at most 20"
  same_results limited/smoke undisturbed/smoke
}

# Nobody is told before the limit. Slurm wakes what stands still and sends SIGTERM.
test_struck_by_limit() {
  submit_run struck --time=1 --signal=USR1@0
  wait_until 240 stage_began struck train_supernet
  signal_tasks STOP 0 1
  wait_until 180 job_is_over
  output="$(tail -n 20 struck.log; cat struck/smoke/run.json)"
  expect "struck: by the time limit" job_is TIMEOUT
  expect "struck: in the middle of train_supernet" stage_runs struck train_supernet
  log_has struck "DUE TO TIME LIMIT"
  expect "struck: not started again by itself" job_restarted 0
  submit_run struck
  ends_as struck COMPLETED 0
  has_continued struck 1
  same_results struck/smoke undisturbed/smoke
}

deployed_bytes() { grep -o '"deployed": [0-9]*' "$1/export/report.json" | head -n 1 | cut -d ' ' -f 2; }
test_cancel() {
  submit_run cancelled
  stop_in search cancelled scancel "$job"
  sleep 8  # longer than a requeued job waits
  expect "cancelled: stays cancelled" job_is CANCELLED
  submit_run cancelled --ntasks=1
  ends_as cancelled COMPLETED 0
  has_continued cancelled 1
  log_has cancelled "ranks: 1"
  expect "cancelled, with one task: a result within its 3 KiB" test "$(deployed_bytes cancelled/smoke)" -le 3072
}

test_array() {
  local index
  sed 's/^seed: 1/seed: 2/' "$here/../../configs/smoke.yaml" >second.yaml
  submit array --ntasks=1 --array=1-3 --output=%x-%a.log -- smoke.yaml second.yaml --runs-dir array "${run_options[@]}"
  local array=$job
  for index in 1 2; do
    job="${array}_$index"
    ends_as "array-$index" COMPLETED 0
  done
  job="${array}_3"
  ends_as array-3 FAILED 2
  log_has array-3 "array index 3 and 2 configurations; allowed: --array=1-N"
  # One process without Slurm.
  "$nas_search" --config second.yaml --threads 1 --runs-dir alone "${run_options[@]}" >alone.log 2>&1
  same_results array/second alone/second
}

test_bad_input() {
  submit bad --ntasks=2 -- --config smoke.yaml --set search.populaton=8
  ends_as bad FAILED 2
  log_has bad "did you mean 'population'"
  expect "bad: not started again" job_restarted 0
  submit infeasible --ntasks=2 -- --config smoke.yaml --set target.sram_bytes=100
  ends_as infeasible FAILED 3
  expect "infeasible: not started again" job_restarted 0
  PATCHNAS_PROGRAM='' submit nowhere --ntasks=2 -- --config smoke.yaml
  ends_as nowhere FAILED 2
  log_has nowhere "build it before submitting"
}

test_requeue_limit() {
  PATCHNAS_MAX_REQUEUES=1 submit_run often
  stop_in train_supernet often scancel --signal=USR1 "$job"
  stop_in search often scancel --signal=USR1 "$job"
  ends_as often FAILED 75
  was_restarted often 1
  log_has often "as often as PATCHNAS_MAX_REQUEUES allows; submit it again to continue"
  submit_run often
  ends_as often COMPLETED 0
  same_results often/smoke undisturbed/smoke
}

# --- the test ------------------------------------------------------------------------------------

start_cluster || {
  cat "$cluster"/*.log
  printf 'FAILED - the cluster starts\n'
  exit 1
}
mkdir "$cluster/work" && cd "$cluster/work" || exit
if [[ -n $logs ]]; then
  trap 'cp -- ./*.log "$cluster"/slurm*.log "$logs"' EXIT
fi
export PATCHNAS_PROGRAM="$nas_search"
if (($# == 0)); then
  set -- struck_by_limit requeue killed_rank time_limit cancel array bad_input requeue_limit
  test_undisturbed
  test_preemption
fi
run_scenario() {
  failures=0
  "test_$1" >"$1.out" 2>&1
  ((failures == 0))
}
# Together, because most of a job's time is waiting for Slurm.
declare -a running
for scenario in "$@"; do
  run_scenario "$scenario" &
  running[$!]=$scenario
done
for process in "${!running[@]}"; do
  wait "$process" || failures=$((failures + 1))
  cat "${running[$process]}.out"
done
finish
