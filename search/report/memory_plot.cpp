#include "search/report/memory_plot.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "search/base/text.h"
#include "search/report/svg.h"

namespace patchnas {
namespace {

constexpr double kLeft = 76;
constexpr double kTop = 64;
constexpr double kPlotHeight = 300;
constexpr double kLabelHeight = 150;
constexpr double kRight = 24;
constexpr const char* kWholeColour = "#b8c0cc";
constexpr const char* kPatchColour = "#d1495b";

class Plot {
 public:
  Plot(std::size_t bars, std::int64_t largest_bytes)
      : slot_(std::max(10.0, std::min(32.0, 1200.0 / static_cast<double>(bars)))),
        width_(kLeft + slot_ * static_cast<double>(bars) + kRight),
        largest_kib_(static_cast<double>(largest_bytes) / 1024 * 1.04),
        svg_(std::max(width_, 640.0), kTop + kPlotHeight + kLabelHeight) {
    const double step = tick_step(largest_kib_);
    for (double kib = 0; kib <= largest_kib_; kib += step) {
      const double at = y(kib * 1024);
      svg_.line(kLeft, at, width_ - kRight, at, "stroke=\"#e4e7ec\"");
      svg_.text(kLeft - 8, at + 4, fmt::format("{:g} KiB", kib), "text-anchor=\"end\"");
    }
  }

  void title(const std::string& content) { svg_.text(kLeft, 22, content, "font-size=\"15\""); }

  void key(double x, const char* colour, const std::string& label) {
    svg_.rect({.x = x, .y = 38, .width = 12, .height = 12}, fill_of(colour));
    svg_.text(x + 18, 48, label);
  }

  // `half` is 0 for the left bar of a layer and 1 for the right one.
  void bar(std::size_t index, int half, std::int64_t bytes, const char* colour,
           const std::string& hint) {
    const double bar_width = slot_ * 0.42;
    const double top = y(static_cast<double>(bytes));
    svg_.rect({.x = x(index) + (slot_ * 0.08) + half * bar_width,
               .y = top,
               .width = bar_width,
               .height = kTop + kPlotHeight - top},
              fill_of(colour), hint);
  }

  void label(std::size_t index, const std::string& name) {
    const double at_x = x(index) + slot_ * 0.6;
    const double at_y = kTop + kPlotHeight + 10;
    svg_.text(
        at_x, at_y, name.size() > 28 ? name.substr(0, 27) + "…" : name,
        fmt::format("font-size=\"9\" text-anchor=\"end\" transform=\"rotate(-60 {:.1f} {:.1f})\"",
                    at_x, at_y));
  }

  void limit(std::int64_t bytes) {
    const double at = y(static_cast<double>(bytes));
    svg_.line(kLeft, at, width_ - kRight, at, "stroke=\"#222\" stroke-dasharray=\"6 4\"");
    svg_.text(width_ - kRight, at - 4, "limit " + kib_text(bytes), "text-anchor=\"end\"");
  }

  void end_of_segment(std::size_t index) {
    svg_.line(x(index), kTop, x(index), kTop + kPlotHeight,
              fmt::format("stroke=\"{}\" stroke-dasharray=\"2 3\"", kPatchColour));
  }

  [[nodiscard]] std::string finish() const { return svg_.finish(); }

 private:
  static std::string fill_of(const char* colour) { return fmt::format("fill=\"{}\"", colour); }
  [[nodiscard]] double x(std::size_t index) const {
    return kLeft + slot_ * static_cast<double>(index);
  }
  [[nodiscard]] double y(double bytes) const {
    return kTop + kPlotHeight * (1 - bytes / 1024 / largest_kib_);
  }

  double slot_;
  double width_;
  double largest_kib_;
  Svg svg_;
};

}  // namespace

std::string memory_plot(const NetworkEstimate& estimate, MemoryModel model,
                        std::optional<std::int64_t> limit_bytes, const std::string& title) {
  const Network& network = estimate.network;
  const MemoryReport whole =
      memory_report(network, PatchSchedule::layer_by_layer(), model, estimate.target.input);
  const MemoryReport& patched = estimate.memory.at(model);
  const std::int64_t largest =
      std::max({*std::max_element(whole.layer_bytes.begin(), whole.layer_bytes.end()),
                *std::max_element(patched.layer_bytes.begin(), patched.layer_bytes.end()),
                limit_bytes.value_or(1)});
  Plot plot(network.layers.size(), largest);
  plot.title(fmt::format("{}: live bytes of each layer, {} model", title, to_string(model)));
  plot.key(kLeft, kWholeColour, "layer by layer: " + kib_text(whole.peak_sram_bytes));
  const bool has_patches = !estimate.schedule.segments.empty();
  if (has_patches) {
    plot.key(kLeft + 220, kPatchColour,
             (estimate.schedule.segments.size() > 1
                  ? fmt::format("{} segments", estimate.schedule.segments.size())
                  : describe(network, estimate.schedule)) +
                 ": " + kib_text(patched.peak_sram_bytes));
  }
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const std::string name = network.layer_name(static_cast<int>(i));
    const auto hint = [&](std::int64_t bytes) {
      return name + ": " + with_separators(bytes) + " bytes";
    };
    plot.bar(i, 0, whole.layer_bytes[i], kWholeColour, hint(whole.layer_bytes[i]));
    if (has_patches) {
      plot.bar(i, 1, patched.layer_bytes[i], kPatchColour, hint(patched.layer_bytes[i]));
    }
    plot.label(i, name);
  }
  if (has_patches) {
    for (const Segment& segment : estimate.schedule.segments) {
      plot.end_of_segment(static_cast<std::size_t>(segment.end_layer));
    }
  }
  if (limit_bytes) {
    plot.limit(*limit_bytes);
  }
  return plot.finish();
}

}  // namespace patchnas
