#!/usr/bin/env bash
# cli_test.sh NAS_SEARCH ROOT: help, exit codes, one-line errors, and estimate.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"
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
run --help
help="$output"
run help
expect "help without a word is --help" is "$status $output" "0 $help"
for subcommand in export estimate prepare inspect schedule run verify evaluate; do
  run "$subcommand" --help
  expect "$subcommand --help exits 0" is "$status" 0
  expect "$subcommand --help has examples" output_has "
  nas_search $subcommand "
  help="$output"
  run help "$subcommand"
  expect "help $subcommand is its --help" is "$status $output" "0 $help"
done
expect "help of nothing" fails_with 2 "help shedule: no such subcommand; did you mean 'schedule'? There are export, estimate," \
  help shedule
expect "a misspelt subcommand" fails_with 2 "did you mean 'schedule'?" shedule model.tflite
expect "a misspelt option" fails_with 2 "did you mean '--config'?" --confg smoke.yaml
expect "a misspelt option of a subcommand" fails_with 2 "did you mean '--memory-model'?" \
  estimate --network mobilenet_v2 --memory-modl tflm
expect "an empty value" fails_with 2 "--candidate: must not be empty" export runs/x --candidate ""
expect "an empty value of the program" fails_with 2 "--runs-dir: must not be empty" --config smoke.yaml --runs-dir ""

# Standard output that takes nothing: a full disk, a closed one, a pipe that nobody reads.
mkfifo pipe
exec 4<>pipe 3>pipe 4<&-
for arguments in --help --version "help run" "estimate --network mcunet_vww0" "estimate --network mcunet_vww0 --json"; do
  # shellcheck disable=SC2086  # several words
  output="$("$nas_search" $arguments 2>&1 >/dev/full)"
  expect "$arguments to a full disk: exit 1" is "$?" 1
  expect "$arguments to a full disk: says so" output_is "nas_search: standard output: cannot write: No space left on device"
  # shellcheck disable=SC2086
  output="$("$nas_search" $arguments 2>&1 >&-)"
  expect "$arguments to nowhere: exit 1" is "$?" 1
  # shellcheck disable=SC2086
  output="$(trap '' PIPE && "$nas_search" $arguments 2>&1 >&3)"
  expect "$arguments to a pipe without a reader: exit 1" is "$?" 1
done
exec 3>&-
rm pipe

expect "no arguments" fails_with 2 "needs --config NAME or --resume DIR"
expect "unknown option" fails_with 2 "--confg" --confg smoke.yaml
expect "both config and resume" fails_with 2 "and not both" --config smoke.yaml --resume x
expect "resume with another configuration" fails_with 2 "cannot be given with it" --resume x --set seed=2
expect "missing config" fails_with 2 "nowhere.yaml: no such configuration" --config nowhere.yaml
expect "misspelt key" fails_with 2 "did you mean 'population'?" --config smoke.yaml --set search.populaton=3
expect "wrong type" fails_with 2 "must be a whole number, not 'many'" --config smoke.yaml --set search.population=many
expect "key that --set made up" fails_with 2 \
  "--set serch.population=3: serch: unknown key; did you mean 'search'?" --config smoke.yaml --set serch.population=3
expect "out of range" fails_with 2 "--set search.population=0: search.population: 0 is out of range; allowed: 1 to" \
  --config smoke.yaml --set search.population=0
expect "unknown device" fails_with 2 "allowed: auto, cpu, cuda" --config smoke.yaml --device tpu
expect "missing data" fails_with 2 "no/data" --config smoke.yaml --set data.path=no/data
expect "nothing fits" fails_with 3 "nothing in the search space fits" --config smoke.yaml \
  --set target.sram_bytes=64 --set space.schedules=patches
expect "what would fit is said" output_has "; with space.patches=[1, 2, 3, 4, 5, 6, 7, 8] it would need "
# The name of the file is that of the run; a folder is called by what it may be called.
cp "$root/configs/smoke.yaml" "ein Läufer.yaml"
sed -i '/^name:/d' "ein Läufer.yaml"
expect "a file with a space and an umlaut in its name" fails_with 3 "nothing in the search space fits" \
  --config "ein Läufer.yaml" --set target.sram_bytes=0.0625KiB
{ cat "ein Läufer.yaml" && printf -- '---\nseed: 2\n'; } >two.yaml
expect "two documents in a file" fails_with 2 ": a second YAML document begins here; allowed: one" --config two.yaml
rm "ein Läufer.yaml" two.yaml
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
for key in schema params flash_bytes deployed segments schedule_text layers; do
  expect "json has $key" output_has "\"$key\""
done
run estimate --network mobilenet_v2 --patches 4 --split-block 4 --json
expect "4 x 4 patches to 28 x 28: 172 kB" is "$(json_number mcunetv2)" 175616
expect "json has the grid" is "$(json_number rows) $(json_number cols)" "4 4"
expect "json has the layers of the patches" is "$(json_number first_layer) $(json_number end_layer)" "0 13"
run estimate --network "$root/configs/networks/mobilenet_v2.yaml" --patches 2x3 --split-layer 5
expect "rectangular grids" output_has "2 x 3 patches over"
run estimate --config smoke.yaml --architecture smallest
expect "an architecture of a config" output_has "limits         needs "
expect "bad grid" fails_with 2 "must be P or PHxPW" estimate --network mobilenet_v2 --patches 4x --split-block 1
expect "grid without a split" fails_with 2 "needs --split-block N or --split-layer N" estimate --network mobilenet_v2 --patches 4
expect "split before the begin" fails_with 2 "split after block -1: allowed: 0 to" \
  estimate --network mobilenet_v2 --patches 4 --split-block -1
expect "split after the end" fails_with 2 "allowed: 1 to" estimate --network mobilenet_v2 --patches 4 --split-layer 999
expect "grid finer than its output" fails_with 2 \
  "segment of layers [0, 61): a grid of 64x64 tiles does not fit its output of 7x7 pixels" \
  estimate --network mobilenet_v2 --patches 64 --split-block 17
expect "a space is not a network" fails_with 2 "architectures; use --config" estimate --network "$root/configs/smoke.yaml"
# Schedules that are chosen.
run estimate --network mobilenet_v2 --schedule best --memory-model mcunetv2 --json
expect "the least SRAM of MobileNetV2 is at 4 x 4 patches to 28 x 28" is \
  "$(json_number mcunetv2) $(json_number rows) $(json_number cols) $(json_number end_layer)" "175616 4 4 13"
run estimate --network mobilenet_v2 --sram 512KiB --json
expect "a limit chooses patches that meet it" test "$(json_number deployed)" -le $((512 * 1024))
expect "json says that it fits" output_has '"fits": true'
expect "no more MACs than needed" test "$(json_number macs)" -lt "$(($(json_number macs_layer_by_layer) * 105 / 100))"
run estimate --network mobilenet_v2 --sram 64KiB --flash 1MiB
expect "limits out of reach: exit 3" is "$status" 3
expect "limits out of reach: what would need less" output_has "; with --input streamed it would need "
expect "limits out of reach are said" output_has "over the limit of 65,536) and"
run estimate --network mobilenet_v2 --schedules patches --sram 512KiB --pareto --input streamed --plot memory.svg
expect "--pareto starts layer by layer" output_has "layer by layer"
expect "--pareto says what fits" output_has " yes "
expect "--plot writes SVG" grep -q "^<svg .*" memory.svg
expect "--plot draws two bars for each of 64 layers" is "$(grep -c '<title>' memory.svg)" 128
expect "--plot names each layer" is "$(grep -c 'rotate(-60.*>[a-z0-9_.]*</text>' memory.svg)" 64
# MobileNetV2's 1188.5 KiB, and what the chosen patches leave of them, in bars of that proportion.
expect "--plot draws the peak layer by layer" grep -q 'height="288.5" fill="#b8c0cc"><title>.*: 1,217,012 bytes<' memory.svg
run estimate --network mobilenet_v2 --schedules patches --sram 512KiB --input streamed --json
patched="$(json_number deployed)"
height="$(awk -v bytes="$patched" 'BEGIN { printf "%.1f", 300 / 1.04 * bytes / 1217012 }')"
patched="$(sed -E 's/([0-9]{3})$/,\1/' <<<"$patched")"
expect "--plot draws the peak in patches: $patched bytes" \
  grep -q "height=\"$height\" fill=\"#d1495b\"><title>.*: $patched bytes<" memory.svg
expect "--plot draws the limit" grep -q "limit 512.0 KiB" memory.svg
rm memory.svg
run estimate --network mcunet_vww0 --input streamed --sram 16KiB --map map.svg
expect "--map writes SVG with both arenas" grep -q "^<svg .*" map.svg
expect "--map says what they need" is "$(grep -cE '>(layer by layer|[0-9]+ segments): [0-9.]+ KiB<' map.svg)" 2
expect "--map draws the image in both" is "$(grep -c '<title>image: ' map.svg)" 2
rm map.svg
mkfifo drawing
exec 4<>drawing
run estimate --network mcunet_vww0 --plot drawing
output="$(timeout 5 head -n 1 <&4)"
expect "--plot writes to a pipe" output_has "<svg "
expect "which stays one" test -p drawing
exec 4<&-
run estimate --network mcunet_vww0 --plot /dev/stdout
expect "--plot writes to standard output" output_has "<svg "
expect "beside what else is there" output_has "peak SRAM"
rm drawing
run estimate --network mobilenet_v2 --every-schedule --max-patches 2
expect "--every-schedule lists them" output_has "2 x 2 patches over the first 12 of 64 layers"
expect "--every-schedule excludes --pareto" fails_with 2 "--pareto excludes --every-schedule" \
  estimate --network mobilenet_v2 --every-schedule --pareto
run estimate --network mobilenet_v2 --pareto --json
expect "--pareto --json" output_has '"pareto": ['
for size in lots -1 0 64KB 1e3; do
  expect "size that is none: $size" fails_with 2 "--sram: must be a number of bytes, as 65536, 64KiB" \
    estimate --network mobilenet_v2 --sram "$size"
  expect "flash that is none: $size" fails_with 2 "--flash: must be a number of bytes" \
    estimate --network mobilenet_v2 --flash "$size"
done
run estimate --network mcunet_vww0 --input streamed --sram 14KiB
expect "rows fit where patches need 17 KiB: exit 0" is "$status" 0
expect "rows fit: the schedule" output_has "schedule       layers 0 to 5 by rows"
expect "rows fit: at no more MACs" output_has "(+0.0 % against layer by layer)"
run estimate --network mcunet_vww0 --input streamed --sram 14KiB --optimise ram
expect "--optimise ram" output_has " strips"
rows='{"segments":[{"first_layer":0,"end_layer":6,"step_rows":1,"strips":3,"halo":"cache"}]}'
run estimate --network mcunet_vww0 --input streamed --schedule "$rows"
expect "--schedule JSON" output_has "schedule       layers 0 to 5 by rows in 3 strips"
expect "--schedule: more strips than columns" fails_with 2 \
  "--schedule: segment of layers [0, 6): 30 strips of an output that is 16 columns wide" \
  estimate --network mcunet_vww0 --schedule "${rows/:3,/:30,}"
expect "--schedule: more rows than there are" fails_with 2 \
  "steps of 100 rows, its first layer has only 32" \
  estimate --network mcunet_vww0 --schedule "${rows/step_rows\":1/step_rows\":100}"
expect "--schedule: beyond the network" fails_with 2 "the network has only 51 layers" \
  estimate --network mcunet_vww0 --schedule "${rows/:6,/:60,}"
expect "--schedule: neither" fails_with 2 "--schedule nowhere.json: must be best, layer-by-layer" \
  estimate --network mcunet_vww0 --schedule nowhere.json
run estimate --network mcunet_vww0 --sram 0.0009765625MiB --json
expect "nothing fits 1 KiB: exit 3" is "$status" 3
expect "nothing fits 1 KiB: as json" output_has '"fits": false'
expect "nothing fits 1 KiB: in one line" fails_with_at_last 3 "mcunet_vww0: does not fit the limits: needs " \
  estimate --network mcunet_vww0 --schedules patches --sram 1KiB
expect "more patches would need less" output_has "; with --max-patches 8 it would need "
run estimate --network mobilenet_v2 --sram 512KiB --schedule layer-by-layer
expect "another schedule would fit" output_has "; with --schedule best it would need "
expect "and fits" output_has "bytes of SRAM, which fits"
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
expect "a JSON description" is "$status $(json_number end_layer)" "0 5"
macs=$(json_number macs_layer_by_layer)
run estimate --network net.json --resolution 64 --json
# Only the classifier does not grow with the image.
expect "a JSON description at another resolution" is "$(($(json_number macs) - 80))" $((4 * (macs - 80)))
sed 's/"use_se": false/"has_shuffle": true/' net.json >shuffled.json
expect "what a description may not have" fails_with 2 "blocks[0].mobile_inverted_conv.has_shuffle: is not supported" \
  estimate --network shuffled.json
run estimate --network mobilenet_v2 --width 0.35 --json
expect "a network of another width: 59 M MACs" is "$(($(json_number macs) / 1000000))" 59
expect "width of final widths" fails_with 2 "state a base \`width\` can be scaled" estimate --network mcunet_in2 --width 0.5
expect "width of a description" fails_with 2 "--width cannot be given" estimate --network net.json --width 0.5
printf 'TFL3TFL3TFL3' >cut.tflite
expect "a damaged .tflite file" fails_with 2 "cut.tflite: is not a .tflite file, or is damaged or cut short" \
  estimate --network cut.tflite
expect "resolution of a .tflite file" fails_with 2 "--resolution cannot be given: a trained model is made for one" \
  estimate --network cut.tflite --resolution 96
expect "no such network" fails_with 2 "nowhere: no such network; there are fbnet_a, mcunet_in2," estimate --network nowhere
expect "a misspelt network" fails_with 2 "mobilnet_v2: no such network; did you mean 'mobilenet_v2'? There are fbnet_a," \
  estimate --network mobilnet_v2
expect "a misspelt device" fails_with 2 "stm32h734: no such device; did you mean 'stm32h743'? There are stm32f412," \
  estimate --network mobilenet_v2 --device stm32h734
expect "a misspelt latency table" fails_with 2 "did you mean 'cortex-m7'?" \
  estimate --network mobilenet_v2 --latency-table cortex-m77
expect "a misspelt device in a configuration" fails_with 2 \
  "--set target.device=stm32h734: target.device: stm32h734: no such device" --config smoke.yaml --set target.device=stm32h734
# What other frameworks write is called by its name.
mkdir folder saved && touch saved/saved_model.pb
printf '\x89HDF\r\n\x1a\n' >weights
for file in model.h5 model.keras model.pb model.pt model.pth weights saved; do
  [[ -e $file ]] || printf '\x08\x07' >"$file"
  expect "no model: $file" fails_with 2 ", not a .tflite or .onnx file" estimate --network "$file"
  expect "nor for schedule: $file" fails_with 2 ", not a .tflite or .onnx file" \
    schedule "$file" --sram 64KiB --out package
done
printf '\x08\x07' >model.onnx
for command in "estimate --network" inspect "schedule --sram 64KiB --out package"; do
  # shellcheck disable=SC2086  # several words
  expect "no ONNX model: $command" fails_with 2 "model.onnx: is not an ONNX model, or damaged" $command model.onnx
done
expect "a folder" fails_with 2 "folder: is a folder; give a .tflite or .onnx file" estimate --network folder
expect "a folder for schedule" fails_with 2 "folder: is a folder; give a .tflite or .onnx file" \
  schedule folder --sram 64KiB --out package
rm -r folder saved weights model.*
expect "architecture of a network" fails_with 2 "--architecture: needs --config" \
  estimate --network net.json --architecture largest
rm net.json se.json cut.tflite
expect "foreign architecture" fails_with 2 \
  "architecture is not in the search space: resolution 7 is not offered; allowed: [20, 28]" \
  estimate --config smoke.yaml --architecture '{"resolution":7,"stages":[]}'

finish
