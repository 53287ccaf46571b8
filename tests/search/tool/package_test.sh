#!/usr/bin/env bash
# package_test.sh NAS_SEARCH MAKE_LITERT_CASES PATCHNAS_REFERENCE: schedule, run and verify, on the host and on emulated cores.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"
# shellcheck source-path=SCRIPTDIR source=nas_search_testing.sh
source "$here/nas_search_testing.sh"

nas_search="$(realpath -- "${1:?usage: package_test.sh NAS_SEARCH MAKE_LITERT_CASES PATCHNAS_REFERENCE}")"
make_cases="$(realpath -- "${2:?usage: package_test.sh NAS_SEARCH MAKE_LITERT_CASES PATCHNAS_REFERENCE}")"
reference="$(realpath -- "${3:?usage: package_test.sh NAS_SEARCH MAKE_LITERT_CASES PATCHNAS_REFERENCE}")"
cd -- "$scratch" || exit 1

if ! command -v cc >/dev/null; then
  echo "skipped: no cc (Debian package gcc)"
  exit 77
fi
targets=(host)
if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null &&
  [[ "$(arm-none-eabi-gcc -print-file-name=nosys.specs)" == */* ]]; then
  targets+=(cortex-m4 cortex-m7 cortex-m55)
else
  echo "skipped: emulated cores: gcc-arm-none-eabi, libnewlib-arm-none-eabi or qemu-system-arm is missing"
fi

"$make_cases" cases >/dev/null || exit 1
for subcommand in schedule run verify; do
  run "$subcommand" --help
  expect "$subcommand --help exits 0" is "$status" 0
done

# One case with images and what the reference says about them.
model=cases/case0/model.tflite
run estimate --network "$model" --json
sram="$(json_number deployed)"
run schedule "$model" --sram 1 --out nowhere
expect "nothing fits 1 byte: exit 3" is "$status" 3
expect "how close it gets is said" output_has "no schedule fits; the one of least SRAM"
expect "what would need less is said" output_has "; with --input streamed it would need "
expect "nothing is written then" test ! -e nowhere

# runs_on PACKAGE TARGET: one image, twice on emulated cores.
runs_on() {
  local package=$1 target=$2 key instructions
  rm -f output.bin
  run run "$package" --target "$target" --input image.bin --output output.bin --json
  expect "$package, $target: runs" is "$status" 0
  expect "$package, $target: the reference's bits" cmp -s output.bin expected.bin
  expect "$package, $target: the arena is the estimate" is "$(json_number arena_bytes)" "$arena"
  expect "$package, $target: nothing else is static" is "$(json_number static_bytes)" 0
  for key in stack_bytes flash_bytes; do
    expect "$package, $target: $key" test "$(json_number "$key")" -gt 0
  done
  if [[ $target != host ]]; then
    expect "$package, $target: instructions" test "$(json_number instructions)" -gt 0
  fi
}
for input in resident streamed; do
  run schedule "$model" --sram "$sram" --input "$input" --out "$input"
  expect "$input: scheduled" is "$status" 0
  for file in model.h model.c model_weights.c README.md Makefile package.cmake package.json report.json model.tflite; do
    expect "$input: $file" test -s "$input/$file"
  done
  output="$(cat "$input/report.json")"
  arena="$(json_number deployed)"
  expect "$input: arena in report and header" grep -q "define MODEL_ARENA_BYTES $arena\$" "$input/model.h"
  head -c "$(sed -n 's/^#define .*INPUT_BYTES //p' "$input/model.h")" cases/case0/inputs.bin >image.bin
  head -c "$(sed -n 's/^#define .*OUTPUT_BYTES //p' "$input/model.h")" cases/case0/outputs.bin >expected.bin
  runs_on "$input" host
done
for target in "${targets[@]}"; do
  [[ $target == host ]] || runs_on streamed "$target"
done
if ((${#targets[@]} > 1)); then
  instructions="$(json_number instructions)"
  runs_on streamed "${targets[-1]}"
  expect "the same count again" is "$(json_number instructions)" "$instructions"
fi
for target in "${targets[@]:0:2}"; do
  run verify streamed --target "$target" --images 3
  expect "$target: verified" is "$status" 0
  expect "$target: says so" output_has "identical with the integer reference's"
  output="$(cat streamed/report.json)"
  expect "$target: the figures are in report.json" output_has "\"$target\": {"
done
# One rounding instead of two: an image for which the output tells.
"$reference" --single-rounding "$model" cases/case0/inputs.bin once.bin
byte="$(cmp -l once.bin cases/case0/outputs.bin | awk 'NR == 1 {print $1}')"
expect "the roundings can be told apart" test -n "$byte"
input_bytes=$(wc -c <image.bin) output_bytes=$(wc -c <expected.bin)
differing=$(((${byte:-1} - 1) / output_bytes))
tail -c +$((differing * input_bytes + 1)) cases/case0/inputs.bin | head -c "$input_bytes" >other.bin
tail -c +$((differing * output_bytes + 1)) once.bin | head -c "$output_bytes" >rounded_once.bin
for target in "${targets[@]:0:2}"; do
  run run streamed --target "$target" --rounding single --input other.bin --output output.bin
  expect "$target, rounding once: the reference's bits" cmp -s output.bin rounded_once.bin
  run verify streamed --target "$target" --rounding single --images 3
  expect "$target, rounding once: verified" is "$status" 0
  output="$(cat streamed/report.json)"
  expect "$target, rounding once: beside the other figures" output_has "\"$target-single-rounding\": {"
done
run inspect "$model"
expect "inspect: exit 0" is "$status" 0
expect "inspect: it can be run" output_has "can be run: nas_search schedule"
expect "inspect: operators are counted" output_has "x CONV_2D"
run inspect "$model" --json
expect "inspect --json: no obstacles" output_has '"obstacles": []'
expect "inspect: no such file" fails_with 2 "nothing.tflite" inspect nothing.tflite
# Folded: fewer multiply-accumulates, and still the bytes of the file as it is.
whole="${PATCHNAS_SHARED_DIR:-$here/../../../../shared}/models/mlperf_vww_96_int8.tflite"
if [[ -f $whole ]]; then
  run schedule "$whole" --sram 1MiB --no-folding --name whole --out whole --json
  macs="$(json_number macs)"
  run schedule "$whole" --sram 1MiB --name folded --out folded
  expect "folding: says so" output_has "of the MACs,"
  output="$(cat folded/report.json)"
  expect "folding: fewer MACs" test "$(json_number macs_layer_by_layer)" -lt "$macs"
  for package in whole folded; do
    run verify "$package" --target host --images 2
    expect "$package: verified against the file" is "$status" 0
  done
  cp folded/package.json whole/package.json
  expect "the package of another network" fails_with 2 "" verify whole --target host
else
  echo "skipped: folding: there is no $whole"
fi
# The same network as an .onnx file in QDQ form.
run inspect cases/case0/model.onnx
expect "inspect: an .onnx file can be run" output_has "can be run: nas_search schedule"
expect "inspect: its operators are counted" output_has "x DequantizeLinear"
run schedule cases/case0/model.onnx --sram "$sram" --out from_onnx
expect "an .onnx file is scheduled" is "$status" 0
expect "and kept" cmp -s cases/case0/model.onnx from_onnx/model.onnx
run run from_onnx --target host --input image.bin --output output.bin
expect "the bits of the .tflite file" cmp -s output.bin expected.bin
run verify from_onnx --target host --images 2
expect "its package is verified" is "$status" 0
run schedule "$model" --sram "$sram" --out from_onnx
expect "what replaces it leaves one model" is "$(cd from_onnx && echo model.*)" "model.c model.h model.tflite"
# Files whose own numbers are float32 or uint8, where they are to be had: `run` takes and gives those.
field="${PATCHNAS_SHARED_DIR:-$here/../../../../shared}/field"
for name in openmv_force_int_quant st_resnet_v1_8_32 tflm_add_two_inputs tinyengine_detection; do
  if [[ ! -f $field/$name.tflite ]]; then
    echo "skipped: a file with numbers of its own: there is no $field/$name.tflite"
    continue
  fi
  run schedule "$field/$name.tflite" --sram 1MiB --out "$name"
  expect "$name: scheduled" is "$status" 0
  ends=()
  for file in "$field/vectors/$name".in*; do
    ends+=(--input "$file")
  done
  for file in "$field/vectors/$name".out*; do
    ends+=(--output "own.${file##*.}")
  done
  run run "$name" --target host "${ends[@]}"
  expect "$name: run" is "$status" 0
  for file in "$field/vectors/$name".out*; do
    expect "$name: the recorded bytes of ${file##*.}" cmp -s "own.${file##*.}" "$file"
  done
  expect "$name: an output too many" fails_with 2 " given; $name has " \
    run "$name" --target host "${ends[@]}" --output more.bin
  run verify "$name" --target host --images 3
  expect "$name: verified" is "$status" 0
done
run verify streamed --target host --json
expect "host: executed multiply-accumulates are counted" test "$(json_number macs)" -gt 0
expect "host: as many as the schedule has" is "$(json_number macs)" "$(json_number estimated_macs)"
expect "no temporary files are left" is "$(find . -name '*.tmp')" ""

# Outputs go where the name leads.
output_bytes=$(wc -c <expected.bin)
ln -s real.bin link.bin
mkfifo pipe
exec 4<>pipe
for file in link.bin pipe; do
  run run streamed --target host --input image.bin --output "$file"
  expect "run --output $file: exit 0" is "$status" 0
done
expect "a link is followed" cmp -s real.bin expected.bin
expect "and stays one" test -L link.bin
expect "a pipe's reader gets the bytes" cmp -s <(timeout 5 head -c "$output_bytes" <&4) expected.bin
expect "and it stays a pipe" test -p pipe
head -c "$(wc -c <image.bin)" cases/case0/inputs.bin >one.bin
"$reference" "$model" one.bin pipe
expect "so does the reference's" cmp -s <(timeout 5 head -c "$output_bytes" <&4) expected.bin
exec 4<&-
output="$("$reference" "$model" one.bin "" 2>&1)"
expect "no name: exit 2" is "$?" 2
output="$("$reference" --help 2>&1 >/dev/full)"
expect "patchnas_reference --help to a full disk: exit 1" is "$?" 1

# Any model's name makes a package that runs.
for named in patchnas_x=net_patchnas_x stdint=net_stdint 1=network arm_acle=net_arm_acle main=net_main; do
  file="${named%=*}.tflite" name="${named#*=}"
  cp "$model" "$file"
  run schedule "$file" --sram "$sram" --out named
  expect "$file: scheduled" is "$status" 0
  run run named --target host --input image.bin --output output.bin
  expect "$file: runs" is "$status" 0
  expect "$file: the reference's bits" cmp -s output.bin expected.bin
  expect "$file: no other package's sources" is "$(echo named/*.c)" "named/$name.c named/${name}_weights.c"
done
run schedule "$model" --sram "$sram" --out named --name wakeword
expect "a name that is given" test -s named/wakeword.h
expect "a name that is taken" fails_with 2 "package name 'stdint': allowed are" \
  schedule "$model" --sram "$sram" --out other --name stdint
expect "a name that is none" fails_with 2 "as 'a_b'" schedule "$model" --sram "$sram" --out other --name a-b

# A folder belongs to whose content it has.
mkdir theirs
echo precious >theirs/README.md
expect "a folder with other content" fails_with 2 "theirs: this folder has other content" \
  schedule "$model" --sram "$sram" --out theirs
echo '{"name": "a web page", "files": ["README.md"]}' >theirs/package.json
expect "another program's package.json" fails_with 2 "theirs: this folder has other content" \
  schedule "$model" --sram "$sram" --out theirs
expect "what is there stays" is "$(cat theirs/README.md) $(find theirs | wc -l)" "precious 3"
expect "export too" fails_with 2 "theirs: this folder has other content" export no_such_run --out theirs
echo 'int added;' >named/added.c
run schedule cases/case1/model.tflite --sram 1MiB --out named
expect "a package replaces a package" is "$status" 0
expect "nothing of the old one is compiled" is "$(cd named && ls ./*.c)" "./added.c
./model.c
./model_weights.c"
expect "only kernels that are listed" is "$(cd named && find runtime -type f | sort)" \
  "$(grep -o '"runtime/[a-z_0-9]*\.[ch]"' named/package.json | tr -d '"' | sort -u)"
run verify named --target host --images 1
expect "it is that package" is "$status" 0

# Several packages in one program: every symbol is the package's own, on every core.
for target in "${targets[@]}"; do
  [[ $target != host ]] || continue
  (cd named && arm-none-eabi-gcc -O2 -mcpu="$target" -mthumb -mfloat-abi=hard -I. -c runtime/*.c model.c model_weights.c &&
    arm-none-eabi-nm -g --defined-only ./*.o | awk 'NF == 3 {print $3}' | grep -v '^model_' >foreign.txt)
  expect "$target: symbols are compiled" test -s named/model.o
  expect "$target: all begin with the name" is "$(cat named/foreign.txt)" ""
  rm named/*.o named/foreign.txt
done

# Bad input.
package=resident
head -c 3 image.bin >short.bin
expect "input of another size" fails_with 2 "short.bin: has 3 bytes; model reads" \
  run "$package" --target host --input short.bin --output o.bin
cp -r -- "$package" real && sed -i 's/"type": "int8"/"type": "float32"/' real/package.json
expect "input of other numbers" \
  fails_with 2 "image.bin: has $input_bytes bytes; model reads $((4 * input_bytes)): $input_bytes float32 numbers" \
  run real --target host --input image.bin --output o.bin
sed -i 's/"type": "float32"/"type": "int12"/' real/package.json
expect "numbers of another type" fails_with 2 "package.json: does not describe a package" \
  run real --target host --input image.bin --output o.bin
expect "no package" fails_with 2 "no exported package there" run cases --target host --input image.bin --output o.bin
expect "unknown target" fails_with 2 "--target" run "$package" --target cortex-m0 --input image.bin --output o.bin
expect "unknown rounding" fails_with 2 "--rounding" \
  run "$package" --target host --rounding none --input image.bin --output o.bin
expect "a limit that is none" fails_with 2 "--sram: must be a number of bytes" \
  schedule "$model" --sram -1 --out o
expect "no such model" fails_with 2 "none.tflite: cannot open" schedule none.tflite --sram 1KiB --out o
expect "unwritable folder" fails_with 2 "/proc/o: cannot create" schedule cases/case0/model.tflite --sram 1MiB --out /proc/o
mkdir damaged && echo '{"name": "../x"}' >damaged/package.json
expect "damaged package.json" fails_with 2 "damaged/package.json: does not describe a package" \
  run damaged --target host --input image.bin --output o.bin
sed 's/"sources": \[/&"\/etc\/x.c",/' "$package/package.json" >damaged/package.json
expect "sources outside the package" fails_with 2 "does not describe a package" \
  run damaged --target host --input image.bin --output o.bin
mkdir empty
for target in host cortex-m4; do
  output="$(PATH="$scratch/empty" "$nas_search" run "$package" --target "$target" --input image.bin --output o.bin 2>&1)"
  expect "no compiler for $target: exit 2" is "$?" 2
  expect "no compiler for $target: names the Debian package" output_has "Debian has it in the package gcc"
done
cp -r -- "$package" broken
sed -i 's/patchnas_/no_such_/' broken/model.c
expect "a package that does not compile" fails_with 2 "cc fails: " run broken --target host --input image.bin --output o.bin
cp -r -- "$package" changed
sed -i '0,/_biases\[[0-9]*\] = {/{n;}; s/^  -\{0,1\}\([0-9]\)/  7\1/' changed/model_weights.c
run verify changed --target host
expect "a changed package does not verify" is "$status" 1

finish
