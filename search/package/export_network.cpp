#include "search/package/export_network.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "arch/base/error.h"
#include "deploy/reference/arena_executor.h"
#include "deploy/reference/reference_executor.h"
#include "search/base/console.h"
#include "search/base/files.h"
#include "search/base/stop_signal.h"

namespace patchnas {
namespace {

constexpr int kImagesAtATime = 256;

template <typename T>
std::string_view as_bytes(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace

std::vector<std::int8_t> stored_pixels(const ImageSet& images, int begin, int end) {
  std::vector<std::int8_t> pixels;
  pixels.reserve(static_cast<std::size_t>(end - begin) * images.image_bytes());
  for (int i = begin; i < end; ++i) {
    for (const std::uint8_t pixel : images.image(i)) {
      pixels.push_back(stored_pixel(pixel));
    }
  }
  return pixels;
}

Int8Answers run_int8(const QuantizedNetwork& network, const ImageSet& images) {
  Progress progress("export: int8 reference", "images", 0, images.size());
  const auto classes = static_cast<std::size_t>(network.network.output().channels);
  Int8Answers answers;
  int correct = 0;
  for (int begin = 0; begin < images.size(); begin += kImagesAtATime) {
    throw_if_stopped();
    const int end = std::min(images.size(), begin + kImagesAtATime);
    const std::vector<std::int8_t> logits = run_images(network, stored_pixels(images, begin, end));
    for (int i = begin; i < end; ++i) {
      const auto row = logits.begin() +
                       static_cast<std::ptrdiff_t>(static_cast<std::size_t>(i - begin) * classes);
      const auto top = std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row;
      correct += top == images.labels[static_cast<std::size_t>(i)] ? 1 : 0;
    }
    answers.logits.insert(answers.logits.end(), logits.begin(), logits.end());
    progress.update(end);
  }
  answers.accuracy = images.size() > 0 ? static_cast<double>(correct) / images.size() : 0.0;
  return answers;
}

ArenaCheck check_schedule(const QuantizedNetwork& network, const PatchSchedule& schedule,
                          InputMode input, const ImageSet& images, const Int8Answers& answers,
                          int count) {
  const ArenaExecutor executor(network, schedule, input);
  const ArenaCheck check{.arena_bytes = executor.plan().arena_bytes,
                         .images = std::min(count, images.size())};
  std::vector<std::int8_t> arena(static_cast<std::size_t>(check.arena_bytes));
  const std::size_t classes = answers.logits.size() / static_cast<std::size_t>(images.size());
  for (int i = 0; i < check.images; ++i) {
    const std::vector<std::int8_t> pixels = stored_pixels(images, i, i + 1);
    const std::vector<std::int8_t> logits =
        executor.run(image_source(pixels, network.network.input), arena, DeadBytes::kPoison);
    const auto expected =
        answers.logits.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(i) * classes);
    if (!std::equal(logits.begin(), logits.end(), expected)) {
      throw Error("the patch schedule gives other logits than layer by layer for test image " +
                  std::to_string(i) + ", in an arena of " + std::to_string(check.arena_bytes) +
                  " bytes; nothing was exported");
    }
  }
  return check;
}

void dump_images(const std::filesystem::path& folder, const ImageSet& images,
                 const Int8Answers& answers, int count) {
  const int dumped = std::min(count, images.size());
  const std::size_t classes = answers.logits.size() / static_cast<std::size_t>(images.size());
  const std::vector<std::int8_t> inputs = stored_pixels(images, 0, dumped);
  write_file(folder / "inputs.bin", as_bytes(std::span<const std::int8_t>(inputs)));
  write_file(folder / "outputs.bin",
             as_bytes(std::span<const std::int8_t>(answers.logits)
                          .first(static_cast<std::size_t>(dumped) * classes)));
  write_file(
      folder / "labels.bin",
      as_bytes(
          std::span<const std::int32_t>(images.labels).first(static_cast<std::size_t>(dumped))));
}

}  // namespace patchnas
