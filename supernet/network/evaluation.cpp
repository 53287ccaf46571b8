#include "supernet/network/evaluation.h"

#include <algorithm>
#include <string>
#include <utility>

#include "arch/base/random.h"
#include "supernet/data/batch_loader.h"
#include "supernet/network/compute.h"

namespace patchnas {
namespace {

void add_to(const std::vector<float>& values, std::vector<double>& sums) {
  sums.resize(values.size(), 0.0);
  std::transform(values.begin(), values.end(), sums.begin(), sums.begin(), std::plus<>());
}

std::vector<float> divided(const std::vector<double>& sums, int count) {
  std::vector<float> result;
  for (const double sum : sums) {
    result.push_back(static_cast<float>(sum / count));
  }
  return result;
}

kernels::InferencePass::ImageSource source_of(const ImageSet& images,
                                              const PixelNormalisation& normalisation) {
  return [&](int begin, int end, float* target) {
    normalise_images(images, begin, end, normalisation, target);
  };
}

// One class per image. @param logits [N, classes]
std::vector<int> most_probable(const std::vector<float>& logits, const ImageSet& images) {
  const auto classes = static_cast<std::ptrdiff_t>(logits.size()) / std::max(1, images.size());
  std::vector<int> result;
  for (auto row = logits.begin(); row != logits.end(); row += classes) {
    result.push_back(static_cast<int>(std::max_element(row, row + classes) - row));
  }
  return result;
}

double share_correct(const std::vector<int>& classes, const ImageSet& images) {
  int correct = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    correct += classes[i] == images.labels[i] ? 1 : 0;
  }
  return images.size() == 0 ? 0.0 : static_cast<double>(correct) / images.size();
}

}  // namespace

void recalibrate_batch_norm(Subnet& subnet, const RecalibrationImages& images,
                            const RecalibrationConfig& config) {
  BatchLoader loader(images.training, images.augmenter, images.seed, images.workers);
  RandomStream stream(images.seed, images.stream);
  for (int i = 0; i < config.batches; ++i) {
    BatchRequest request{.resolution = subnet.network().input.height,
                         .stream = images.stream + "/" + std::to_string(i)};
    for (int j = 0; j < config.batch_size; ++j) {
      request.indices.push_back(
          static_cast<int>(stream.below(static_cast<std::uint64_t>(images.training.size()))));
    }
    loader.request(std::move(request));
  }
  Compute compute;
  std::vector<std::vector<double>> means(subnet.layers().size());
  std::vector<std::vector<double>> variances(subnet.layers().size());
  for (int batch = 0; batch < config.batches; ++batch) {
    const std::vector<kernels::BatchStatistics> statistics = compute.batch_statistics(
        subnet.network(), subnet.layers(), loader.take().images, config.batch_size);
    for (std::size_t i = 0; i < statistics.size(); ++i) {
      add_to(statistics[i].mean, means[i]);
      add_to(statistics[i].variance, variances[i]);
    }
  }
  for (std::size_t i = 0; i < means.size(); ++i) {
    const LayerTensors& layer = subnet.layers()[i];
    if (layer.gamma.defined() && config.batches > 0) {
      copy_floats(divided(means[i], config.batches), layer.running_mean);
      copy_floats(divided(variances[i], config.batches), layer.running_variance);
    }
  }
}

std::vector<int> predict(const Subnet& subnet, const ImageSet& images,
                         const PixelNormalisation& normalisation) {
  check_image_size(subnet.network(), images);
  return most_probable(Compute().logits(subnet.network(), subnet.layers(),
                                        source_of(images, normalisation), images.size()),
                       images);
}

std::vector<int> predict(const QuantizedNetwork& network, const ImageSet& images) {
  check_image_size(network.network, images);
  const PixelNormalisation steps = pixel_steps(network.tensors[0].zero_point);
  return most_probable(Compute().logits(network, source_of(images, steps), images.size()), images);
}

double accuracy(const Subnet& subnet, const ImageSet& images,
                const PixelNormalisation& normalisation) {
  return share_correct(predict(subnet, images, normalisation), images);
}

double accuracy(const QuantizedNetwork& network, const ImageSet& images) {
  return share_correct(predict(network, images), images);
}

}  // namespace patchnas
