#!/usr/bin/env bash
# install_test.sh BUILD_DIR CXX: what `cmake --install` leaves is complete and works without the
# source tree: the program, its configurations, the libraries and their headers.
set -uo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=testing.sh
source "$here/testing.sh"

build=${1:?usage: install_test.sh BUILD_DIR CXX}
cxx=${2:?usage: install_test.sh BUILD_DIR CXX}
prefix="$scratch/a prefix"

output="$(cmake --install "$build" --prefix "$prefix" 2>&1)"
expect "it installs" is "$?" 0
cd -- "$scratch" || exit 1

for file in bin/nas_search libexec/nas_search share/doc/patchnas/LICENSE share/patchnas/configs/smoke.yaml \
  share/patchnas/configs/networks/mobilenet_v2.yaml include/patchnas/arch/arch.h; do
  expect "$file is there" test -s "$prefix/$file"
done
output="$(find "$prefix" -type f ! -perm -o=r)"
expect "everyone may read all of it" output_is ""

output="$("$prefix/bin/nas_search" --version 2>&1)"
expect "the program starts" is "$?" 0
# A configuration that only the installed tree has; its bad value shows that it was read.
cp -- "$prefix/share/patchnas/configs/smoke.yaml" "$prefix/share/patchnas/configs/only_installed.yaml"
output="$("$prefix/bin/nas_search" --config only_installed.yaml --set search.population=0 2>&1)"
expect "it finds installed configurations" output_has "search.population"

cat >user.cpp <<'CPP'
#include <deploy/deploy.h>
#include <latency_models/latency_models.h>
#include <memory_models/memory_models.h>
#include <arch/arch.h>

int main() { return patchnas::to_string(patchnas::MemoryModel::kDeployed).empty() ? 1 : 0; }
CPP
libraries="$(dirname -- "$(find "$prefix" -name libpatchnas_arch.a)")"
output="$("$cxx" -std=c++20 -I"$prefix/include/patchnas" user.cpp -o user \
  -L"$libraries" -lpatchnas_memory_models -lpatchnas_arch -lpatchnas_arch_base -lyaml-cpp 2>&1 && ./user)"
expect "a program builds with the installed headers and libraries, and runs" is "$?" 0

finish
