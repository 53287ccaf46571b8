#include "tests/fuzz/network_target.h"

#include <cstdlib>
#include <ctime>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "arch/arch.h"
#include "arch/join_parts.h"
#include "deploy/onnx/onnx.h"
#include "deploy/prepare/fold.h"
#include "deploy/quantise/fold_batch_norm.h"
#include "deploy/quantise/prepare_for_int8.h"
#include "deploy/quantise/quantise.h"
#include "deploy/tflite/tflite_import.h"
#include "memory_models/memory_models.h"
#include "memory_models/schedule_sweep.h"

namespace {

using patchnas::InputError;
using patchnas::Network;

void require(bool condition, std::string_view what) {
  if (!condition) {
    std::cerr << "fuzz: " << what << "\n";
    std::abort();
  }
}

// What `read` returns, or nothing where it refuses its input as it should.
template <typename Read>
auto read_or_refuse(Read read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const InputError& error) {
    const std::string_view message = error.what();
    require(!message.empty() && message.find('\n') == std::string_view::npos,
            "an error must be one line");
    return std::nullopt;
  }
}

// All schedules at once must cost what each costs by itself.
void compare_schedules(const Network& network) {
  patchnas::ScheduleSweep sweep({{2, 2}, {3, 1}}, patchnas::SplitPoints::kLayers,
                                patchnas::InputMode::kStreamed);
  read_or_refuse([&] {
    for (const patchnas::ScheduleCosts& costs : sweep.run(network)) {
      const patchnas::PatchSchedule schedule = costs.schedule();
      require(costs.macs == scheduled_macs(network, schedule), "the sweep's MACs");
      require(costs.deployed_bytes ==
                  unplaced_arena_plan(
                      patchnas::ExecutionPlan(network, schedule, patchnas::InputMode::kStreamed))
                      .lower_bound_bytes,
              "the sweep's arena");
    }
    return true;
  });
}

// Every sum that an estimate makes. Memory models and geometry take time with the number of layers.
void count(Network network) {
  validate(network);
  const std::int64_t macs = network_macs(network);
  require(macs >= 0 && macs <= patchnas::kMostMacs, "MACs beyond their limit");
  require(parameter_count(network) >= 0, "a negative number of parameters");
  recognise_blocks(network);
  validate(network);
  constexpr int kFewLayers = 60;
  if (network.layer_count() > kFewLayers) {
    return;
  }
  constexpr int kFewForSweep = 16;
  if (network.layer_count() <= kFewForSweep) {
    compare_schedules(network);
  }
  const int split = (network.layer_count() + 1) / 2;
  for (const auto& schedule : {patchnas::PatchSchedule::layer_by_layer(),
                               patchnas::PatchSchedule::leading({2, 3}, split)}) {
    if (!read_or_refuse([&] {
          validate(network, schedule);
          return true;
        })) {
      continue;
    }
    const std::int64_t scheduled = scheduled_macs(network, schedule);
    require(scheduled >= 0 && scheduled <= patchnas::kMostMacs, "MACs beyond their limit");
    for (const auto model : patchnas::kMemoryModels) {
      const auto report = memory_report(network, schedule, model, patchnas::InputMode::kResident);
      require(report.peak_sram_bytes > 0, "no memory at all");
    }
    require(flash_report(network,
                         patchnas::ExecutionPlan(network, schedule, patchnas::InputMode::kStreamed),
                         patchnas::Core::kCortexM4)
                    .total_bytes() > 0,
            "no flash at all");
  }
}

patchnas::QuantizedNetwork quantised_with_any_ranges(const patchnas::FloatNetwork& floats) {
  const patchnas::FloatNetwork prepared = patchnas::prepare_for_int8(floats, std::nullopt);
  const std::vector<patchnas::ValueRange> ranges(
      static_cast<std::size_t>(prepared.network.tensor_count()), {-4.0F, 4.0F});
  return patchnas::quantise(prepared, ranges, {});
}

void read_onnx(std::span<const std::uint8_t> bytes) {
  const auto quantised = read_or_refuse([&] { return patchnas::import_onnx(bytes, "fuzz.onnx"); });
  const auto floats =
      read_or_refuse([&] { return patchnas::import_onnx_float(bytes, "fuzz.onnx"); });
  auto structure =
      read_or_refuse([&] { return patchnas::import_onnx_structure(bytes, "fuzz.onnx"); });
  require(!quantised || !floats, "numbers are int8 or float");
  if (quantised || floats) {
    require(structure && structure->network == (quantised ? quantised->network : floats->network),
            "the structure is not that of the import");
  }
  read_or_refuse([&] { return patchnas::inspect_onnx(bytes, "fuzz.onnx"); });
  if (floats) {
    read_or_refuse([&] { return patchnas::fold_batch_norm(*floats); });
  }
  if (structure) {
    count(std::move(structure->network));
  }
}

void read_all(std::span<const std::uint8_t> bytes) {
  if (patchnas::looks_like_onnx(bytes)) {
    return read_onnx(bytes);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() < 8 || text.substr(4, 4) != "TFL3") {
    if (auto network = read_or_refuse(
            [&] { return patchnas::read_network_description(text, "fuzz.json", std::nullopt); })) {
      count(std::move(*network));
    }
    return;
  }
  const auto quantised =
      read_or_refuse([&] { return patchnas::import_tflite(bytes, "fuzz.tflite"); });
  auto structure =
      read_or_refuse([&] { return patchnas::import_tflite_structure(bytes, "fuzz.tflite"); });
  if (quantised) {
    const patchnas::QuantizedNetwork folded = patchnas::fold(*quantised).network;
    validate(folded.network);
    validate(with_joined_parts(folded.network));
    require(structure && structure->network == quantised->network,
            "the structure is not that of the int8 import");
  }
  const auto floats =
      read_or_refuse([&] { return patchnas::import_tflite_float(bytes, "fuzz.tflite"); });
  if (floats) {
    require(structure && structure->network == floats->network,
            "the structure is not that of the float import");
    read_or_refuse([&] { return quantised_with_any_ranges(*floats); });
  }
  if (structure) {
    count(std::move(structure->network));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::clock_t start = std::clock();
  read_all({data, size});
  require(std::clock() - start <= CLOCKS_PER_SEC, "one input took more than a second");
  return 0;
}
