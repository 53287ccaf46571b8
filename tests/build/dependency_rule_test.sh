#!/usr/bin/env bash
# dependency_rule_test.sh ROOT: the dependency rule holds in ROOT, and the check can fail.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=testing.sh
source "$here/testing.sh"

root=${1:?usage: dependency_rule_test.sh ROOT}

# new_tree: starts a tree that keeps the rule; write adds files to it.
new_tree() {
  tree="$(mktemp -d -p "$scratch")"
  write arch/network.h '#include <vector>'
  write arch/network.cpp '#include "arch/network.h"' '#include <yaml-cpp/yaml.h>'
  write memory_models/sram.h '#include "arch/network.h"'
  write runtime/conv.c '#include <stdint.h>'
  write supernet/net.h '#include <torch/torch.h>' '#include "arch/network.h"'
  write supernet/data_source.h '#include <string>'
  write search/evolution.h '#include "memory_models/sram.h"' '#include "supernet/data_source.h"'
  write search/torch_evaluator.cpp '#include "search/evolution.h"' '#include "supernet/net.h"'
  write search/stages/train.cpp '#include <torch/torch.h>'
}
write() {
  local file="$tree/$1"
  shift
  mkdir -p -- "$(dirname -- "$file")"
  printf '%s\n' "$@" >"$file"
}
check() {
  output="$("$here/check_dependencies.sh" "$1" 2>&1)"
  status=$?
}

# expect_violation NAME LINE
expect_violation() {
  check "$tree"
  expect "$1: is reported" output_is "$2"
  expect "$1: exit status" is "$status" 1
}

check "$root"
expect "our own tree keeps the rule" is "$status" 0

new_tree
check "$tree"
expect "a tree that keeps the rule passes" is "$status" 0

new_tree
write arch/bad.h '// first line' '#include "memory_models/sram.h"'
expect_violation "against an arrow" 'arch/bad.h:2: arch may not include "memory_models/sram.h"'

new_tree
write deploy/bad.cpp '#  include "supernet/data_source.h"'
expect_violation "a module out of reach" 'deploy/bad.cpp:1: deploy may not include "supernet/data_source.h"'

new_tree
write memory_models/bad.cpp '#include <yaml-cpp/yaml.h>'
expect_violation "a library of another module" 'memory_models/bad.cpp:1: memory_models may not use <yaml-cpp/yaml.h>'

new_tree
write runtime/bad.c '#include <zlib.h>'
expect_violation "a library in the runtime" 'runtime/bad.c:1: runtime may not use <zlib.h>'

new_tree
write search/evolution.cpp '#include <ATen/ATen.h>'
expect_violation "LibTorch in the search engine" \
  'search/evolution.cpp:1: only supernet/, search/torch_* and search/stages/ may reach LibTorch: search/evolution.cpp -> <ATen/ATen.h>'

new_tree
write search/evolution.cpp '#include "search/torch_device.h"'
write search/torch_device.h '#include "supernet/net.h"'
expect_violation "LibTorch in the search engine through other headers" \
  'search/evolution.cpp:1: only supernet/, search/torch_* and search/stages/ may reach LibTorch: search/evolution.cpp -> search/torch_device.h -> supernet/net.h -> <torch/torch.h>'

new_tree
write arch/bad.cpp '#include "../runtime/conv.h"'
expect_violation "a relative path" 'arch/bad.cpp:1: name "../runtime/conv.h" from the repository root'

new_tree
write arch/bad.cpp '#include "tests/support/random_networks.h"'
expect_violation "test code" 'arch/bad.cpp:1: arch may not include "tests/support/random_networks.h"'

check "$scratch"
expect "a folder without modules is an error, not a pass" is "$status" 2

finish
