#!/usr/bin/env bash
# cli_test.sh NAS_SEARCH ROOT: help, exit codes, one-line errors, and estimate.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../build/testing.sh
source "$here/../build/testing.sh"
# shellcheck source-path=SCRIPTDIR source=nas_search_testing.sh
source "$here/nas_search_testing.sh"

nas_search="$(realpath -- "${1:?usage: cli_test.sh NAS_SEARCH ROOT}")"
root="$(realpath -- "${2:?usage: cli_test.sh NAS_SEARCH ROOT}")"
cd -- "$scratch" || exit 1

run --help
expect "help exits 0" is "$status" 0
for word in --config --resume --set --device --threads --runs-dir export estimate Examples: "Exit codes"; do
  expect "help mentions $word" output_has "$word"
done
run --version
expect "version exits 0" is "$status" 0
for subcommand in export estimate prepare; do
  run "$subcommand" --help
  expect "$subcommand --help exits 0" is "$status" 0
done

expect "no arguments" fails_with 2 "needs --config NAME or --resume DIR"
expect "unknown option" fails_with 2 "--confg" --confg smoke.yaml
expect "both config and resume" fails_with 2 "and not both" --config smoke.yaml --resume x
expect "resume with another configuration" fails_with 2 "cannot be given with it" --resume x --set seed=2
expect "missing config" fails_with 2 "nowhere.yaml: no such configuration" --config nowhere.yaml
expect "misspelt key" fails_with 2 "did you mean 'population'?" --config smoke.yaml --set search.populaton=3
expect "wrong type" fails_with 2 "must be a whole number, not 'many'" --config smoke.yaml --set search.population=many
expect "out of range" fails_with 2 "--set search.population=0: search.population: 0 is out of range; allowed: 1 to" \
  --config smoke.yaml --set search.population=0
expect "unknown device" fails_with 2 "allowed: auto, cpu, cuda" --config smoke.yaml --device tpu
expect "missing data" fails_with 2 "no/data" --config smoke.yaml --set data.path=no/data
expect "nothing fits" fails_with 3 "nothing in the search space fits" --config smoke.yaml --set target.sram_bytes=64
expect "nothing was written by then" is "$(ls)" ""
expect "unwritable folder" fails_with 2 "/proc/runs/smoke: cannot create the folder" --config smoke.yaml --runs-dir /proc/runs
# A limit on the size of files, which a write meets as it meets a full disk.
output="$(ulimit -f 8 && "$nas_search" --config smoke.yaml --runs-dir full 2>&1)"
expect "full disk: exit 2" is "$?" 2
output="${output##*$'\n'}"
expect "full disk: the last line names file and reason" output_has "cannot write: File too large"
expect "full disk: nothing half-written" is "$(find full -name '*.tmp')" ""
rm -rf full
expect "resume of nothing" fails_with 2 "not a run directory" --resume no_such_run
expect "export of nothing" fails_with 2 "not a run directory" export no_such_run

run prepare --config smoke.yaml
expect "prepare exits 0" is "$status" 0
expect "prepare counts the training images" output_has "training         2000 images of 10 classes: 200 200"
expect "prepare counts the validation images" output_has "validation        300 images of 10 classes: 30 30"
expect "prepare counts the test images" output_has "test              500 images of 10 classes"
expect "prepare names the folder that is missing" fails_with 2 "no/coco: no such folder" \
  prepare --config vww_32kb.yaml --set data.path=no/coco
mkdir coco
expect "prepare names what is missing and where it is" fails_with 2 "instances_train2014.json: not found" \
  prepare --config vww_32kb.yaml --set data.path=coco
rmdir coco

sed 's/^seed: 1/seed: 1\nsead: 2/' "$root/configs/smoke.yaml" >broken.yaml
expect "unknown key in a file, with line and column" fails_with 2 "broken.yaml:3:1: sead: unknown key; did you mean 'seed'?" \
  --config broken.yaml
rm broken.yaml

# MobileNetV2's published figures (MCUNetV2's accounting).
run estimate --network mobilenet_v2 --json
expect "estimate --json exits 0" is "$status" 0
expect "layer by layer: 1372 kB" is "$(json_number mcunetv2)" 1404928
expect "layer by layer: 300.8 M MACs" is "$(($(json_number macs) / 100000))" 3007
expect "macs and macs_layer_by_layer agree" is "$(json_number macs)" "$(json_number macs_layer_by_layer)"
for key in params flash_bytes deployed patches_h patches_w split_layer layers; do
  expect "json has $key" output_has "\"$key\""
done
run estimate --network mobilenet_v2 --patches 4 --split-block 4 --json
expect "4 x 4 patches to 28 x 28: 172 kB" is "$(json_number mcunetv2)" 175616
expect "json has the grid" is "$(json_number patches_h) $(json_number patches_w)" "4 4"
expect "json has the split block" is "$(json_number split_block)" 4
run estimate --network "$root/configs/networks/mobilenet_v2.yaml" --patches 2x3 --split-layer 5
expect "rectangular grids" output_has "2 x 3 patches over"
run estimate --config smoke.yaml --architecture smallest
expect "an architecture of a config" output_has "limits         needs "
expect "bad grid" fails_with 2 "must be P or PHxPW" estimate --network mobilenet_v2 --patches 4x --split-block 1
expect "grid without a split" fails_with 2 "needs --split-block N or --split-layer N" estimate --network mobilenet_v2 --patches 4
expect "split after the end" fails_with 2 "allowed: 1 to" estimate --network mobilenet_v2 --patches 4 --split-layer 999
expect "grid finer than its output" fails_with 2 "" estimate --network mobilenet_v2 --patches 64 --split-block 17
expect "a space is not a network" fails_with 2 "architectures; use --config" estimate --network "$root/configs/smoke.yaml"
# Schedules that are chosen.
run estimate --network mobilenet_v2 --schedule best --memory-model mcunetv2 --json
expect "the least SRAM of MobileNetV2 is at 4 x 4 patches to 28 x 28" is \
  "$(json_number mcunetv2) $(json_number patches_h) $(json_number patches_w) $(json_number split_block)" "175616 4 4 4"
run estimate --network mobilenet_v2 --sram 512KiB --json
expect "a limit chooses patches that meet it" test "$(json_number deployed)" -le $((512 * 1024))
expect "json says that it fits" output_has '"fits": true'
expect "no more MACs than needed" test "$(json_number macs)" -lt "$(($(json_number macs_layer_by_layer) * 105 / 100))"
run estimate --network mobilenet_v2 --sram 64KiB --flash 1MiB
expect "limits out of reach are said" output_has "over the limit of 65,536) and"
run estimate --network mobilenet_v2 --sram 512KiB --pareto --input streamed --plot memory.svg
expect "--pareto starts layer by layer" output_has "layer by layer"
expect "--pareto says what fits" output_has " yes "
expect "--plot writes SVG" grep -q "^<svg .*" memory.svg
expect "--plot draws two bars a layer" is "$(grep -c '<title>' memory.svg)" "$((2 * $(grep -c 'rotate(-60' memory.svg)))"
rm memory.svg
run estimate --network mobilenet_v2 --every-schedule --max-patches 2
expect "--every-schedule lists them" output_has "2 x 2 patches over the first 12 of 64 layers"
expect "--every-schedule excludes --pareto" fails_with 2 "--pareto excludes --every-schedule" \
  estimate --network mobilenet_v2 --every-schedule --pareto
run estimate --network mobilenet_v2 --pareto --json
expect "--pareto --json" output_has '"pareto": ['
expect "size that is none" fails_with 2 "--sram" estimate --network mobilenet_v2 --sram lots
expect "schedule given twice" fails_with 2 "give either it or --patches" \
  estimate --network mobilenet_v2 --schedule best --patches 2 --split-block 1
expect "plot that cannot be written" fails_with 2 "/proc/x.svg" estimate --network mobilenet_v2 --plot /proc/x.svg

# Every form of a network.
cat >net.json <<'JSON'
{"first_conv": {"name": "ConvLayer", "kernel_size": 3, "stride": 2, "in_channels": 3, "out_channels": 8, "act_func": "relu6"},
 "blocks": [
  {"name": "MobileInvertedResidualBlock", "mobile_inverted_conv": {"name": "MBInvertedConvLayer", "in_channels": 8,
   "out_channels": 8, "kernel_size": 5, "stride": 1, "expand_ratio": 4, "act_func": "relu6", "use_se": false},
   "shortcut": {"name": "IdentityLayer"}}],
 "classifier": {"name": "LinearLayer", "in_features": 8, "out_features": 10}, "resolution": 32}
JSON
run estimate --network net.json --patches 2 --split-block 1 --json
expect "a JSON description" is "$status $(json_number split_block)" "0 1"
macs=$(json_number macs_layer_by_layer)
run estimate --network net.json --resolution 64 --json
# Only the classifier does not grow with the image.
expect "a JSON description at another resolution" is "$(($(json_number macs) - 80))" $((4 * (macs - 80)))
sed 's/"use_se": false/"use_se": true/' net.json >se.json
expect "what a description may not have" fails_with 2 "blocks[0].mobile_inverted_conv.use_se: is not supported" \
  estimate --network se.json
run estimate --network mobilenet_v2 --width 0.35 --json
expect "a network of another width: 59 M MACs" is "$(($(json_number macs) / 1000000))" 59
expect "width of final widths" fails_with 2 "state a base \`width\` can be scaled" estimate --network mcunet_in2 --width 0.5
expect "width of a description" fails_with 2 "--width cannot be given" estimate --network net.json --width 0.5
printf 'TFL3TFL3TFL3' >cut.tflite
expect "a damaged .tflite file" fails_with 2 "cut.tflite: is not a .tflite file, or is damaged or cut short" \
  estimate --network cut.tflite
expect "resolution of a .tflite file" fails_with 2 "--resolution cannot be given: a .tflite file is made for one" \
  estimate --network cut.tflite --resolution 96
expect "no such network" fails_with 2 "networks/nowhere: no such" estimate --network nowhere
expect "architecture of a network" fails_with 2 "--architecture: needs --config" \
  estimate --network net.json --architecture largest
rm net.json se.json cut.tflite
expect "foreign architecture" fails_with 2 "" estimate --config smoke.yaml --architecture '{"resolution":7,"stages":[]}'

finish
