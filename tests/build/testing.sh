# shellcheck shell=bash
# Helpers of the shell tests in this folder; to be sourced.

scratch="$(mktemp -d)"
trap 'rm -rf -- "$scratch"' EXIT

failures=0

# expect NAME CONDITION...: runs the condition, reports, and shows $output when it fails.
output=
expect() {
  local name=$1
  shift
  if "$@"; then
    printf 'ok - %s\n' "$name"
  else
    printf 'FAILED - %s\n' "$name"
    printf '%s\n' "$output" | sed 's/^/    | /'
    failures=$((failures + 1))
  fi
}

output_is() { [[ $output == "$1" ]]; }
output_has() { [[ $output == *"$1"* ]]; }
is() { [[ $1 == "$2" ]]; }

finish() {
  printf '%s failed\n' "$failures"
  ((failures == 0))
}
