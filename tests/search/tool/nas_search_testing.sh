# shellcheck shell=bash
# Helpers of the tests of nas_search's commands; to be sourced after testing.sh; $nas_search is the program.

run() {
  output="$("$nas_search" "$@" 2>&1)"
  status=$?
}
# fails_with CODE TEXT ARGUMENTS...: exits with CODE and prints one line of the program, which contains TEXT; log lines
# may come before it.
fails_with() {
  local code=$1 text=$2
  shift 2
  run "$@"
  local complaint
  complaint="$(grep -v '^\[[0-9:]*\] ' <<<"$output")"
  [[ $status == "$code" && $complaint != *$'\n'* && $complaint == "${nas_search##*/}: "*"$text"* ]]
}
# fails_with_at_last CODE TEXT ARGUMENTS...: the same, behind what was printed.
fails_with_at_last() {
  local code=$1 text=$2
  shift 2
  run "$@"
  [[ $status == "$code" && ${output##*$'\n'} == "${nas_search##*/}: "*"$text"* ]]
}
# json_number KEY: the number behind the first "KEY" of the JSON in $output.
json_number() { grep -o "\"$1\": *[0-9]*" <<<"$output" | head -n 1 | grep -o '[0-9]*$'; }
