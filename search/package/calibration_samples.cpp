#include "search/package/calibration_samples.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>

#include "arch/base/error.h"
#include "arch/base/random.h"
#include "search/base/files.h"

namespace patchnas {
namespace {

// @param elements of one sample
std::vector<float> read_floats(const std::filesystem::path& path, std::int64_t elements) {
  const std::string bytes = read_file(path);
  const std::size_t each = static_cast<std::size_t>(elements) * sizeof(float);
  if (bytes.empty() || bytes.size() % each != 0) {
    throw InputError(path.string() + ": has " + std::to_string(bytes.size()) +
                     " bytes; must be a multiple of " + std::to_string(each) + ": " +
                     std::to_string(elements) + " float32 numbers for each sample");
  }
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad != values.end()) {
    throw InputError(path.string() + ": number " + std::to_string(bad - values.begin()) +
                     " is not finite");
  }
  return values;
}

}  // namespace

CalibrationSamples samples_of_files(const Network& network,
                                    std::span<const std::filesystem::path> files) {
  if (static_cast<int>(files.size()) != network.input_count()) {
    throw InputError("inputs: " + std::to_string(files.size()) + " given; the network has " +
                     std::to_string(network.input_count()));
  }
  std::vector<std::vector<float>> inputs;
  for (std::size_t i = 0; i < files.size(); ++i) {
    inputs.push_back(read_floats(files[i], network.shape(static_cast<TensorId>(i)).elements()));
  }
  const auto each = [&](std::size_t i) {
    return static_cast<std::size_t>(network.shape(static_cast<TensorId>(i)).elements());
  };
  const std::size_t count = inputs[0].size() / each(0);
  CalibrationSamples samples;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (const std::size_t found = inputs[i].size() / each(i); found != count) {
      throw InputError(files[i].string() + ": has " + std::to_string(found) + " samples, " +
                       files[0].string() + " has " + std::to_string(count));
    }
  }
  for (std::size_t sample = 0; sample < count; ++sample) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      const auto first = inputs[i].begin() + static_cast<std::ptrdiff_t>(sample * each(i));
      samples.values.insert(samples.values.end(), first,
                            first + static_cast<std::ptrdiff_t>(each(i)));
    }
  }
  return samples;
}

std::vector<std::int32_t> labels_of_file(const Network& network, int count,
                                         const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(count));
  if (bytes.size() != labels.size() * sizeof(std::int32_t)) {
    throw InputError(file.string() + ": has " + std::to_string(bytes.size()) +
                     " bytes; must be an int32 number for each of " + std::to_string(count) +
                     " samples");
  }
  std::memcpy(labels.data(), bytes.data(), bytes.size());
  const std::int64_t classes = network.output_elements();
  for (const std::int32_t label : labels) {
    if (label < 0 || label >= classes) {
      throw InputError(file.string() + ": label " + std::to_string(label) + " must be in [0, " +
                       std::to_string(classes) + ")");
    }
  }
  return labels;
}

CalibrationSamples samples_of_images(const Network& network, const ImageSet& images,
                                     std::span<const ChannelNormalisation> channels) {
  const TensorShape found{images.height, images.width, images.channels};
  if (network.input_count() != 1 || network.input != found) {
    const auto text = [](const TensorShape& s) {
      return std::to_string(s.height) + "x" + std::to_string(s.width) + "x" +
             std::to_string(s.channels);
    };
    throw InputError("images of " + text(found) + " are no input of the network, which reads " +
                     (network.input_count() == 1 ? text(network.input) : "more than one"));
  }
  CalibrationSamples samples{.values = {}, .labels = images.labels};
  samples.values.reserve(images.pixels.size());
  if (channels.size() != 1 && static_cast<int>(channels.size()) != images.channels) {
    throw InputError("--mean, --stddev: " + std::to_string(channels.size()) +
                     " numbers for images of " + std::to_string(images.channels) +
                     " channels; allowed: one, or one a channel");
  }
  for (std::size_t i = 0; i < images.pixels.size(); ++i) {
    const ChannelNormalisation& by = channels[i % channels.size()];
    samples.values.push_back(static_cast<float>((images.pixels[i] - by.mean) / by.stddev));
  }
  return samples;
}

int sample_count(const CalibrationSamples& samples, const Network& network) {
  return static_cast<int>(static_cast<std::int64_t>(samples.values.size()) /
                          network.input_elements());
}

CalibrationSamples random_samples(const CalibrationSamples& samples, const Network& network,
                                  int count, std::uint64_t seed) {
  const int all = sample_count(samples, network);
  if (count >= all) {
    return samples;
  }
  std::vector<int> order(static_cast<std::size_t>(all));
  std::iota(order.begin(), order.end(), 0);
  RandomStream stream(seed, "quantise/samples");
  stream.shuffle(std::span(order));
  order.resize(static_cast<std::size_t>(count));
  std::sort(order.begin(), order.end());
  const std::int64_t each = network.input_elements();
  CalibrationSamples result;
  for (const int sample : order) {
    const auto first = samples.values.begin() + sample * each;
    result.values.insert(result.values.end(), first, first + each);
    if (!samples.labels.empty()) {
      result.labels.push_back(samples.labels[static_cast<std::size_t>(sample)]);
    }
  }
  return result;
}

}  // namespace patchnas
