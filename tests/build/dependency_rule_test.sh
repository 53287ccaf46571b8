#!/usr/bin/env bash
# dependency_rule_test.sh ROOT ROOMS: the dependency rule holds in ROOT, and the check can fail.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=testing.sh
source "$here/testing.sh"

root=${1:?usage: dependency_rule_test.sh ROOT ROOMS}
real_rooms=${2:?usage: dependency_rule_test.sh ROOT ROOMS}

# new_tree: starts a tree that keeps the rule; write adds files to it.
new_tree() {
  tree="$(mktemp -d -p "$scratch")"
  write rooms.txt 'arch arch PUBLIC  PRIVATE yaml-cpp::yaml-cpp' \
    'memory_models memory_models PUBLIC patchnas::arch PRIVATE patchnas::runtime_scratch' \
    'runtime runtime PUBLIC  PRIVATE' 'runtime runtime_scratch PUBLIC' \
    'supernet/data supernet_data PUBLIC patchnas::arch PRIVATE' \
    'supernet/network supernet_network PUBLIC patchnas::supernet_data patchnas::torch PRIVATE' \
    'search/engine search_engine PUBLIC patchnas::memory_models PRIVATE' \
    'search/stages search_stages PUBLIC patchnas::search_engine patchnas::supernet_network PRIVATE' \
    'search/tool nas_search PRIVATE patchnas::search_stages CLI11::CLI11'
  write arch/network.h '#include <vector>'
  write arch/network.cpp '#include "arch/network.h"' '#include <yaml-cpp/yaml.h>'
  write memory_models/sram.h '#include "arch/network.h"' '#include "runtime/scratch.h"'
  write runtime/conv.c '#include <stdint.h>'
  write supernet/network/net.h '#include <torch/torch.h>' '#include "supernet/data/data_source.h"'
  write supernet/data/data_source.h '#include <string>'
  write search/engine/evolution.h '#include "memory_models/sram.h"' '#include "arch/network.h"'
  write search/stages/train.h '#include "search/engine/evolution.h"'
  write search/stages/train.cpp '#include <torch/torch.h>' '#include "supernet/network/net.h"'
  write search/tool/main.cpp '#include <CLI/CLI.hpp>' '#include "search/stages/train.h"'
}
write() {
  local file="$tree/$1"
  shift
  mkdir -p -- "$(dirname -- "$file")"
  printf '%s\n' "$@" >"$file"
}
check() {
  output="$("$here/check_dependencies.sh" "$1" "$2" 2>&1)"
  status=$?
}

# expect_violation NAME LINE
expect_violation() {
  check "$tree" "$tree/rooms.txt"
  expect "$1: is reported" output_is "$2"
  expect "$1: exit status" is "$status" 1
}

check "$root" "$real_rooms"
expect "our own tree keeps the rule" output_is ""
expect "and that is a pass" is "$status" 0

new_tree
check "$tree" "$tree/rooms.txt"
expect "a tree that keeps the rule passes" output_is ""
expect "with exit status 0" is "$status" 0

new_tree
write arch/bad.h '// first line' '#include "memory_models/sram.h"'
expect_violation "against an arrow" 'arch/bad.h:2: arch does not link the room of "memory_models/sram.h"'

new_tree
write search/engine/bad.cpp '#  include "supernet/data/data_source.h"'
expect_violation "a room out of reach" \
  'search/engine/bad.cpp:1: search/engine does not link the room of "supernet/data/data_source.h"'

new_tree
write search/engine/bad.cpp '#include "runtime/scratch.h"'
expect_violation "what another room links privately" \
  'search/engine/bad.cpp:1: search/engine does not link the room of "runtime/scratch.h"'

new_tree
write memory_models/bad.cpp '#include <yaml-cpp/yaml.h>'
expect_violation "a library of another module" \
  'memory_models/bad.cpp:1: memory_models does not link what brings <yaml-cpp/yaml.h>'

new_tree
write runtime/bad.c '#include <zlib.h>'
expect_violation "a library in the runtime" 'runtime/bad.c:1: runtime does not link what brings <zlib.h>'

new_tree
write search/tool/main.cpp '#include <ATen/ATen.h>'
expect_violation "LibTorch in the tool" \
  "search/tool/main.cpp:1: only supernet's ranks, network and training and search/stages may reach LibTorch: search/tool/main.cpp -> <ATen/ATen.h>"

new_tree
write search/stages/train.h '#include "supernet/network/net.h"'
expect_violation "LibTorch in the tool through other headers" \
  "search/tool/main.cpp:1: only supernet's ranks, network and training and search/stages may reach LibTorch: search/tool/main.cpp -> search/stages/train.h -> supernet/network/net.h -> <torch/torch.h>"

new_tree
write arch/bad.cpp '#include "../runtime/conv.h"'
expect_violation "a relative path" 'arch/bad.cpp:1: name "../runtime/conv.h" from the repository root'

new_tree
write arch/bad.cpp '#include "tests/support/random_networks.h"'
expect_violation "test code" 'arch/bad.cpp:1: arch may not include "tests/support/random_networks.h"'

check "$scratch" "$tree/rooms.txt"
expect "a folder without modules is an error, not a pass" is "$status" 2

finish
