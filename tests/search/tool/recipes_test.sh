#!/usr/bin/env bash
# recipes_test.sh NAS_SEARCH: whole runs of the recipes that other tests do not run: the sandwich rule and a standalone
# network, stopped and continued, with what a checkpoint may hold besides weights.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"
# shellcheck source-path=SCRIPTDIR source=nas_search_testing.sh
source "$here/nas_search_testing.sh"

nas_search="$(realpath -- "${1:?usage: recipes_test.sh NAS_SEARCH}")"
cd -- "$scratch" || exit 1

# recipe FOLDER ARGUMENTS...: a small run there.
recipe() {
  local folder=$1
  shift
  run --config smoke.yaml --threads 2 --runs-dir "$folder" --set data.limit_training_images=1000 --set search.iterations=1 \
    --set checkpoint.every_seconds=0.1 "$@"
}
# stopped_recipe FOLDER STAGE ARGUMENTS...: the same, stopped in the stage and continued.
stopped_recipe() {
  local folder=$1 stage=$2 pid
  shift 2
  "$nas_search" --config smoke.yaml --threads 2 --runs-dir "$folder" --set data.limit_training_images=1000 \
    --set search.iterations=1 --set checkpoint.every_seconds=0.1 "$@" >/dev/null 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null && ! grep -q "\"$stage\": \"running\"" "$folder/smoke/run.json" 2>/dev/null; do
    sleep 0.01
  done
  sleep 0.3
  kill -TERM "$pid" 2>/dev/null
  wait "$pid"
  stopped_status=$?
  run --resume "$folder/smoke"
}
same_results() {
  local part
  for part in best export search metrics.jsonl; do
    diff -r "$1/smoke/$part" "$2/smoke/$part" || return 1
  done
}
metrics_of() { grep "\"stage\":\"$2\"" "$1/smoke/metrics.jsonl"; }

sandwich=(--set training.recipe=sandwich --set training.largest.epochs=0 --set training.supernet.subnets_per_step=3 --set training.supernet.ema_decay=0.9
  --set training.supernet.clip_norm=2 --set training.finetune.distillation=0.5 --set training.finetune.ema_decay=0.9)
recipe sandwich "${sandwich[@]}"
expect "the sandwich rule runs to the end" is "$status" 0
expect "it has no largest-first stage" is "$(grep -c train_largest sandwich/smoke/run.json)" 0
expect "validation accuracies are recorded every epoch" is \
  "$(metrics_of sandwich train_supernet | grep -c '"accuracy_largest":.*"accuracy_smallest":.*"accuracy_random_mean":')" 2
expect "those of fine-tuning too" is "$(metrics_of sandwich finetune | grep -c '"accuracy_subnet":')" 2
expect "learning rates are" is "$(metrics_of sandwich finetune | grep -vc '"learning_rate":')" 0
expect "images a second are beside them" grep -q '"stage":"train_supernet".*"images_per_second":' sandwich/smoke/timing.jsonl
stopped_recipe sandwich_stopped train_supernet "${sandwich[@]}"
expect "stopped in the supernet stage ($stopped_status)" is "$stopped_status" 75
expect "continued to the end" is "$status" 0
output="$(same_results sandwich sandwich_stopped 2>&1)"
expect "a stopped run ends in the same bytes" is "$output" ""

alone=(--set training.recipe=standalone --set training.architecture=sandwich/smoke/best/candidate.json
  --set training.teacher=sandwich/smoke --set training.finetune.distillation=0.5 --set training.finetune.epochs=4)
recipe alone "${alone[@]}"
expect "a standalone network runs to the end" is "$status" 0
expect "its screen has the accuracy" output_has "test accuracy"
expect "its stages" is "$(grep -o '"[a-z_]*": "done"' alone/smoke/run.json | head -n 2 | tr -d '\n')" \
  '"search": "done""finetune": "done"'
architecture_of() { sed -n '/"architecture"/,/"schedule"/p' "$1/smoke/best/candidate.json"; }
output="$(architecture_of alone)"
expect "it is that network" test -n "$output" -a "$output" = "$(architecture_of sandwich)"
expect "int8 accuracies of quantisation-aware training are recorded" is \
  "$(metrics_of alone quantise | grep -c '"accuracy_int8":')" 1
expect "nothing was searched" is "$(grep -c '"accuracy"' alone/smoke/best/candidate.json)" 0
stopped_recipe alone_stopped finetune "${alone[@]}"
expect "stopped in the training of it ($stopped_status)" is "$stopped_status" 75
output="$(same_results alone alone_stopped 2>&1)"
expect "and continued: the same bytes" is "$output" ""
recipe alone_with_all "${alone[@]}" --set training.finetune.on_validation=true
expect "trained on the validation images as well" is "$status" 0
steps_of() { metrics_of "$1" finetune | tail -n 1 | grep -o '"step":[0-9]*' | cut -d : -f 2; }
expect "1,300 images in batches of 64 instead of 1,000, 4 times" is "$(steps_of alone) $(steps_of alone_with_all)" "60 80"
expect "nothing is evaluated on them" is "$(grep -c '"accuracy_' alone_with_all/smoke/metrics.jsonl)" 0
expect "nor by the export" is "$(grep -c validation_exported {alone,alone_with_all}/smoke/export/report.json | cut -d : -f 2 | tr '\n' ' ')" \
  "1 0 "
run export alone/smoke --out again
expect "exported again" is "$status" 0
output="$(diff -r alone/smoke/export again 2>&1)"
expect "exported again: the same bytes" is "$output" ""

excited='[{stride: 1, depth: [1], kernel_size: [3], expand_ratio: [1, 2], width: 8, activation: [relu6, hard_swish]},
  {stride: 2, depth: [1, 2], kernel_size: [3, 5], expand_ratio: [2, 3], width: 16, activation: [hard_swish],
   squeeze_excitation: [false, true]}]'
recipe excited --set "space.stages=$excited" --set target.sram_bytes=6KiB --set target.flash_bytes=40KiB \
  --set search.population=4 --set search.parents=2 --set search.crossover=2 --set search.mutation=2
expect "hard-swish and squeeze-and-excitation run to the end" is "$status" 0
expect "candidates have either" is "$(grep -o '"squeeze_excitation":true' excited/smoke/search/candidates.jsonl | sort -u)" \
  '"squeeze_excitation":true'
expect "the winner has hard-swish" grep -q '"activation": "hard_swish"' excited/smoke/best/candidate.json
run verify excited/smoke --target host --images 3
expect "the exported package computes what was promised" is "$status" 0

expect "a network that does not fit" fails_with 3 "training.architecture: does not fit under any patch schedule" \
  --config smoke.yaml --runs-dir bad "${alone[@]}" --set target.max_macs=1000
expect "standalone without a network" fails_with 2 "training.architecture: is missing" --config smoke.yaml --runs-dir bad \
  --set training.recipe=standalone
expect "a search that is limited to few MACs" fails_with 3 "over the limit of 1,000)" --config smoke.yaml --runs-dir bad \
  --set target.max_macs=1000
expect "mixed precision on the CPU" fails_with 2 "mixed needs a CUDA device" --config smoke.yaml --runs-dir bad \
  --device cpu --set training.precision=mixed
expect "nothing was written by then" test ! -e bad
expect "a teacher that is none" fails_with 2 "no_run/config.yaml" --config smoke.yaml --runs-dir teacher "${alone[@]}" \
  --set training.teacher=no_run
expect "training that diverges" fails_with 1 " at step " --config smoke.yaml --runs-dir diverges "${alone[@]}" \
  --set training.finetune.learning_rate=100 --set training.finetune.momentum=0.999 \
  --set training.finetune.weight_decay=1
run estimate --config smoke.yaml --set target.max_macs=4.4M
expect "estimate says the limit of MACs" output_has "MACs (within the limit of 4,400,000)"

finish
