# shellcheck shell=bash
# Which tests ctest skipped and why; to be sourced. A test says why by a line "skipped: REASON" (a program that exits
# with 77) or with GTEST_SKIP. One that passes may have skipped a part of itself and says that by the same line.

# run_ctest BUILD_FOLDER ARGUMENTS...: ctest there; its exit status.
run_ctest() {
  local build=$1
  shift
  rm -f -- "$build/Testing/Temporary/LastTest.log" "$build/Testing/tests.xml"
  ctest --test-dir "$build" --output-junit "$build/Testing/tests.xml" "$@"
}

# list_skipped_tests BUILD_FOLDER: what the last run_ctest there skipped, a line each:
#
#   skipped: NAME: REASON
#   skipped in part: NAME: REASON
list_skipped_tests() {
  local names="$1/Testing/tests.xml" log="$1/Testing/Temporary/LastTest.log"
  [[ -e $names && -e $log ]] || return 0
  # The log has all of the output, but not whether a test was skipped that does not say so.
  awk '
    function without_parameter(name) {
      sub(/  # GetParam.*/, "", name)
      return name
    }
    function report(reason) {
      printf "%s: %s: %s\n", test in how_skipped ? "skipped" : "skipped in part", test, reason
      is_reported[test] = 1
    }
    FNR == NR {
      if (sub(/.*<testcase name="/, "")) {
        sub(/".*/, "")
        test = without_parameter($0)
      } else if (sub(/^\t*<skipped message="/, "")) {
        sub(/".*/, "")
        how_skipped[test] = $0
      }
      next
    }
    /^[0-9]+\/[0-9]+ Testing: / {
      sub(/^[^ ]* Testing: /, "")
      test = without_parameter($0)
    }
    gtest_says_why {
      report($0)
      gtest_says_why = 0
    }
    /: Skipped$/ { gtest_says_why = 1 }
    /^(.*: )?skipped: / {
      sub(/skipped: /, "")
      report($0)
    }
    END {
      for (test in how_skipped) {
        if (!(test in is_reported)) {
          report(how_skipped[test])
        }
      }
    }' "$names" "$log"
}
