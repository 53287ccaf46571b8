#!/usr/bin/env bash
# python_accounting_test.sh CANDIDATE_COSTS ROOT: an implementation in another language, written from the
# definitions, finds the same numbers. Exits 77 where there is no Python.
set -euo pipefail

candidate_costs=${1:?usage: python_accounting_test.sh CANDIDATE_COSTS ROOT}
root=${2:?usage: python_accounting_test.sh CANDIDATE_COSTS ROOT}
if ! command -v python3 >/dev/null; then
  echo "skipped: python3 is not installed"
  exit 77
fi
check() {
  echo "$(basename -- "$1"), $3 image:"
  "$candidate_costs" "$1" "$2" "$3" | python3 "$root/benchmarks/memory_models_python.py"
}
for mode in resident streamed; do
  check "$root/configs/fashion_mnist_32kb.yaml" 16 "$mode"
  check "$root/benchmarks/mcunet_160.yaml" 4 "$mode"
done
