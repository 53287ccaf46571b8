#include "search/report/memory_map.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "memory_models/arena_plan.h"
#include "search/base/text.h"
#include "search/report/svg.h"

namespace patchnas {
namespace {

constexpr double kLeft = 76;
constexpr double kTop = 84;
constexpr double kHeight = 420;
constexpr double kWidth = 540;  // of one map
constexpr double kGap = 40;
constexpr double kBottom = 40;

// What a buffer holds.
struct Sort {
  const char* name;
  const char* colour;
};
constexpr Sort kImageSort{"image", "#4a90c2"};
constexpr Sort kWholeSort{"whole tensor", "#b8c0cc"};
constexpr Sort kWindowSort{"window that slides or moves", "#d1495b"};
constexpr Sort kScratchSort{"scratch and sums", "#edae49"};

struct Map {
  ExecutionPlan plan;
  ArenaPlan arena;

  Map(const NetworkEstimate& estimate, const PatchSchedule& schedule)
      : plan(estimate.network, schedule, estimate.target.input), arena(plan_arena(plan)) {}

  [[nodiscard]] Sort sort(int buffer) const {
    if (buffer >= plan.tensor_count()) {
      return kScratchSort;
    }
    return buffer == kImage ? kImageSort : plan.tensor(buffer).loop ? kWindowSort : kWholeSort;
  }

  [[nodiscard]] std::string name(const Network& network, int buffer) const {
    if (buffer == kImage) {
      return "image";
    }
    if (buffer < plan.tensor_count()) {
      return network.layer_name(buffer - 1);
    }
    const auto step = std::find(arena.scratch_buffer.begin(), arena.scratch_buffer.end(), buffer) -
                      arena.scratch_buffer.begin();
    return "scratch of " + network.layer_name(plan.step(static_cast<int>(step)).first_layer);
  }
};

// The map's boxes, the largest first, so that small ones are seen.
void draw(Svg& svg, const Map& map, const Network& network, double left, double bytes_high) {
  const auto y = [&](std::int64_t byte) {
    return kTop + kHeight * (1 - static_cast<double>(byte) / bytes_high);
  };
  const double slot = kWidth / static_cast<double>(map.plan.steps().size());
  std::vector<int> order;
  for (int i = 0; i < static_cast<int>(map.arena.buffers.size()); ++i) {
    order.push_back(i);
  }
  const auto area = [&](int i) {
    const ArenaBuffer& b = map.arena.buffers[static_cast<std::size_t>(i)];
    return b.size_bytes * (b.last_step - b.first_step + 1);
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return area(a) > area(b); });
  for (const int i : order) {
    const ArenaBuffer& b = map.arena.buffers[static_cast<std::size_t>(i)];
    const double top = y(b.offset_bytes + b.size_bytes);
    svg.rect({.x = left + slot * b.first_step,
              .y = top,
              .width = slot * (b.last_step - b.first_step + 1),
              .height = y(b.offset_bytes) - top},
             fmt::format("fill=\"{}\" fill-opacity=\"0.75\" stroke=\"white\" stroke-width=\"0.5\"",
                         map.sort(i).colour),
             fmt::format("{}: {} bytes at {}, layers {} to {}", map.name(network, i),
                         with_separators(b.size_bytes), with_separators(b.offset_bytes),
                         b.first_step, b.last_step));
  }
  svg.line(left, kTop + kHeight, left + kWidth, kTop + kHeight, "stroke=\"#222\"");
  svg.text(left + kWidth, kTop + kHeight + 20,
           fmt::format("layers 0 to {}", map.plan.steps().size() - 1), "text-anchor=\"end\"");
}

}  // namespace

std::string memory_map(const NetworkEstimate& estimate, const std::string& title) {
  const Map whole(estimate, PatchSchedule::layer_by_layer());
  const Map scheduled(estimate, estimate.schedule);
  const double right = kLeft + kWidth + kGap;
  Svg svg(right + kWidth + kGap, kTop + kHeight + kBottom);
  svg.text(kLeft, 24, title + ": places in the arena, layer after layer", "font-size=\"15\"");
  double key = kLeft;
  for (const Sort& sort : {kImageSort, kWholeSort, kWindowSort, kScratchSort}) {
    svg.rect({.x = key, .y = 36, .width = 12, .height = 12},
             fmt::format("fill=\"{}\"", sort.colour));
    svg.text(key + 18, 46, sort.name);
    key += 60 + 7.0 * static_cast<double>(std::string_view(sort.name).size());
  }
  const std::int64_t largest =
      std::max({whole.arena.arena_bytes, scheduled.arena.arena_bytes, std::int64_t{1}});
  const double bytes_high = static_cast<double>(largest) * 1.02;
  const double step = tick_step(bytes_high / 1024);
  for (double kib = 0; kib * 1024 <= bytes_high; kib += step) {
    const double at = kTop + kHeight * (1 - kib * 1024 / bytes_high);
    svg.line(kLeft, at, right + kWidth, at, "stroke=\"#e4e7ec\"");
    svg.text(kLeft - 8, at + 4, fmt::format("{:g} KiB", kib), "text-anchor=\"end\"");
  }
  draw(svg, whole, estimate.network, kLeft, bytes_high);
  draw(svg, scheduled, estimate.network, right, bytes_high);
  svg.text(kLeft, kTop - 12, "layer by layer: " + kib_text(whole.arena.arena_bytes));
  svg.text(right, kTop - 12,
           fmt::format("{} segments: {}", estimate.schedule.segments.size(),
                       kib_text(scheduled.arena.arena_bytes)));
  return svg.finish();
}

}  // namespace patchnas
