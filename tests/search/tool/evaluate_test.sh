#!/usr/bin/env bash
# evaluate_test.sh NAS_SEARCH MAKE_LABELLED_IMAGES CHECK_REPORT REPORTS_MD: the accuracy of files and packages on images
# in folders, whose answers are known. Of runs: export_test.sh.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../build/testing.sh
source "$here/../../build/testing.sh"
# shellcheck source-path=SCRIPTDIR source=nas_search_testing.sh
source "$here/nas_search_testing.sh"

usage="usage: evaluate_test.sh NAS_SEARCH MAKE_LABELLED_IMAGES CHECK_REPORT REPORTS_MD"
nas_search="$(realpath -- "${1:?$usage}")"
make_labelled_images="$(realpath -- "${2:?$usage}")"
check_report="$(realpath -- "${3:?$usage}")"
reports_page="$(realpath -- "${4:?$usage}")"
cd -- "$scratch" || exit 1
mkdir data && "$make_labelled_images" data || exit 1
cd data || exit 1

# evaluated ARGUMENTS...: prints a report as docs/reports.md describes it, which is left in $output.
evaluated() {
  local complaints
  "$nas_search" evaluate "$@" --json >report.json 2>errors
  status=$?
  complaints="$("$check_report" "$reports_page" evaluate report.json 2>&1)" || {
    output="$complaints $(<errors)"
    return 1
  }
  output="$(<report.json)"
}
# sum KEY: of the key's numbers within "classes".
sum() { sed '1,/"classes"/d' report.json | grep -o "\"$1\": [0-9]*" | awk '{sum += $2} END {print sum + 0}'; }
files_in() { find "$1" -type f | wc -l; }

# Every image lies in the folder of the class that the reference answers.
for name in grey probability colour; do
  expect "$name" evaluated "$name.tflite" --images "$name"
  expect "$name: exit 0" is "$status" 0
  expect "$name: all images" is "$(json_number images) $(sum images)" "$(files_in "$name") $(files_in "$name")"
  expect "$name: all are right" output_has '"top1": 1.0'
  [[ $name != grey ]] || expect "of more than ten classes, the five likeliest too" output_has '"top5": 1.0'
done
run evaluate colour.tflite --images colour --resize letterbox --filter antialias
expect "an image of the right size stays as it is" output_has "accuracy      100.00 %, 120 right"
expect "the table says how images are resized" output_has "resizing      letterbox to 5x7, antialias, RGB"
expect "and what their pixels are" output_has "int8 = pixel - 128, which is [-1, 1] by the input's scale 0.0078125"

# The same network in float, quantised with these images: its answers are nearly theirs.
share_of() { grep -A 3 "\"accuracy\"" <<<"$output" | grep -o "\"$1\": [0-9.]*" | awk '{print ($2 > 0.9)}'; }
for pixels in "128 128" "128,128,128 128,128,128"; do
  run quantise colour.float.tflite --images colour --mean "${pixels% *}" --stddev "${pixels#* }" --out quantised.tflite --json
  expect "quantise, $pixels: exit 0" is "$status" 0
  expect "quantise, $pixels: accuracies" is "$(share_of float) $(share_of int8)" "1 1"
done
expect "what was quantised" evaluated quantised.tflite --images colour --mean 128,128,128 --stddev 128,128,128
expect "quantise: images of other channels" fails_with 2 "--mean, --stddev: 2 numbers for images of 3 channels" \
  quantise colour.float.tflite --images colour --mean 1,2 --stddev 1,2
expect "quantise: no such folder" fails_with 2 "nowhere: " quantise colour.float.tflite --images nowhere

# Two of each class in the folder of the next: counts add up, and mistakes have names.
cp -r colour wrong
for pair in ab bc ca; do
  find "colour/${pair:0:1}" -name '*.png' | sort | head -n 2 | while read -r file; do
    mv "wrong/${file#colour/}" "wrong/${pair:1}"
  done
done
expect "wrong" evaluated colour.tflite --images wrong
expect "wrong: six are mistaken" is "$(sum right) $(sum mistaken_images)" "$(($(files_in wrong) - 6)) 6"
expect "wrong: images of the classes" is "$(sum images)" "$(files_in wrong)"
expect "wrong: for which class" is "$(grep -o '"mistaken_for": "."' report.json | cut -d '"' -f 4 | tr -d '\n')" "cab"
answers="$(grep -v '"pixels"' report.json)"
expect "given numbers, one a channel" evaluated colour.tflite --images wrong --mean 128,128,128 --stddev 128
expect "given numbers: they are the file's, and so are the answers" is "$(grep -v '"pixels"' report.json)" "$answers"

# Names of classes.
printf 'a\nb\nc\n' >sorted.txt
printf 'c  \r\nb\r\na\r\n\r\n' >reversed.txt
expect "--classes in another order" evaluated colour.tflite --images colour --classes reversed.txt
expect "--classes in another order: only the class in the middle stays" is "$(sum right)" "$(files_in colour/b)"
cp -r colour two && rm -r two/b
expect "a class without a folder" evaluated colour.tflite --images two --classes sorted.txt
expect "a class without a folder: the rest is right" is "$(sum right)" "$(files_in two)"

# Corrupt images are named and left out.
cp -r colour broken && echo nothing >broken/a/zzz.png && cp broken/a/zzz.png broken/b/zzz.jpg
run evaluate colour.tflite --images broken
expect "corrupt: exit 0" is "$status" 0
expect "corrupt: named" output_has "broken/a/zzz.png is neither a JPEG nor a PNG file; it is skipped"
expect "corrupt: counted" output_has "left out      2 corrupt images"
expect "corrupt: one too many" fails_with 2 "that is one corrupt image more than the 1 that --max-corrupt-images allows" \
  evaluate colour.tflite --images broken --max-corrupt-images 1

# A package runs itself: the same answers, on a sample of every class.
run schedule colour.tflite --sram 1MiB --out package
sample=(--images wrong --rounding single --count 20 --seed 3)
expect "a package without a target" evaluated package "${sample[@]}"
expect "a package without a target: so many images" is "$(json_number images) $(sum images)" "20 20"
cp report.json of_reference.json
targets=()
if command -v cc >/dev/null; then
  targets+=(host)
fi
if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null &&
  [[ "$(arm-none-eabi-gcc -print-file-name=nosys.specs)" == */* ]]; then
  targets+=(cortex-m4)
else
  echo "skipped: emulated cores: gcc-arm-none-eabi, libnewlib-arm-none-eabi or qemu-system-arm is missing"
fi
for target in "${targets[@]}"; do
  expect "$target" evaluated package "${sample[@]}" --target "$target"
  expect "$target: the reference's answers" is "$(grep -v '"target"\|"instructions"' report.json)" "$(<of_reference.json)"
  expect "$target: is said" output_has "\"target\": \"$target\""
done

# Bad input.
mkdir flat && cp colour/a/*.png flat
# What needs no images is said first.
expect "no images" fails_with 2 "evaluate: needs --images FOLDER with a folder of images for each class" evaluate colour.tflite
expect "no such file" fails_with 2 "nothing.tflite: cannot open" evaluate nothing.tflite --images colour
expect "no package" fails_with 2 "flat: no exported package there" evaluate flat --images colour
expect "a file on a target" fails_with 2 "--target host: colour.tflite is no package; nas_search schedule colour.tflite" \
  evaluate colour.tflite --images colour --target host
expect "no such output" fails_with 2 "no output 'x'; there are 'layer0.conv'" evaluate colour.tflite --images colour --output x
expect "two numbers for three channels" fails_with 2 "--mean, --stddev: needed are both, as one number or as 3, one a channel" \
  evaluate colour.tflite --images colour --mean 1,2 --stddev 3
expect "a mean alone" fails_with 2 "--mean, --stddev: needed are both" evaluate colour.tflite --images colour --mean 1
expect "no division by 0" fails_with 2 "--stddev: must be a number above 0" \
  evaluate colour.tflite --images colour --mean 1 --stddev 0
expect "a crop of nothing" fails_with 2 "--crop-ratio" evaluate colour.tflite --images colour --crop-ratio 0
expect "a crop of what is stretched" fails_with 2 "--crop-ratio: needs --resize crop" \
  evaluate colour.tflite --images colour --resize stretch --crop-ratio 0.5
expect "images of two kinds" fails_with 2 "--images excludes --config" \
  evaluate colour.tflite --images colour --config smoke.yaml
expect "a folder without classes" fails_with 2 "flat: has no class folders; images belong into one folder per class" \
  evaluate colour.tflite --images flat
printf 'a\nb\nd\n' >other.txt
expect "a class that is not listed" fails_with 2 "colour/c: is none of the classes" \
  evaluate colour.tflite --images colour --classes other.txt
printf 'a\na\n' >twice.txt
expect "a class named twice" fails_with 2 "twice.txt:2: 'a' is there twice" \
  evaluate colour.tflite --images colour --classes twice.txt
expect "classes that are too few" fails_with 2 "two: has 2 classes; colour.tflite has 3: 'layer0.conv', 3 values" \
  evaluate colour.tflite --images two
expect "images of other channels" fails_with 2 "smoke.yaml: its images have 1 channel; the network reads 3" \
  evaluate colour.tflite --config smoke.yaml

finish
