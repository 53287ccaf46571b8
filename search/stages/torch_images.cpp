#include "search/stages/torch_images.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "arch/base/random.h"
#include "search/stages/data_progress.h"
#include "search/stages/validation_file.h"
#include "supernet/data/evaluation_images.h"

namespace patchnas {

void RunImages::read() {
  if (data_) {
    return;
  }
  const RunDirectory& run = context_.run;
  ProcessGroup& group = context_.group;
  TrainingData data;
  group.rank_0_first([&] {  // which fills the cache
    data = load_training_data(run.config().data, run.config().seed, console_observer());
  });
  const std::string description = describe(data);
  if (run.writes() || (run.archived() && std::filesystem::exists(run.validation_file()))) {
    keep_or_compare(run.validation_file(), description);
  }
  if (const std::string of_rank_0 = group.broadcast(description); of_rank_0 != description) {
    throw InputError(
        "data.path: rank " + std::to_string(group.rank()) +
        " finds other images there than rank 0: " + first_change(of_rank_0, description));
  }
  spdlog::info("data: {} training and {} validation images", data.training->size(),
               data.validation->size());
  data_ = std::move(data);
}

const ImageStore& RunImages::training() {
  read();
  return *data_->training;
}

const ImageStore& RunImages::finetuning() {
  read();
  return context_.validates_winner() ? *data_->training : *data_->both;
}

const ImageSet& RunImages::validation(int resolution) {
  read();
  const auto found = validation_.find(resolution);
  return found != validation_.end()
             ? found->second
             : validation_
                   .emplace(resolution, evaluation_images(*data_->validation, resolution,
                                                          context_.config().data.crop_ratio))
                   .first->second;
}

ImageSet RunImages::some_validation(int resolution, int most) {
  const ImageSet& all = validation(resolution);
  if (most >= all.size()) {
    return all;
  }
  std::vector<int> indices;  // evenly spaced: files may be in the order of their classes
  for (std::int64_t i = 0; i < most; ++i) {
    indices.push_back(static_cast<int>(i * all.size() / most));
  }
  return subset(all, indices);
}

ImageSet RunImages::calibration(int resolution) {
  const Config& config = context_.config();
  std::vector<int> indices(static_cast<std::size_t>(training().size()));
  std::iota(indices.begin(), indices.end(), 0);
  RandomStream stream(config.seed, "quantise/calibration");
  stream.shuffle(std::span(indices));
  indices.resize(std::min(indices.size(), static_cast<std::size_t>(config.calibration.images)));
  return evaluation_images(training(), indices, resolution, config.data.crop_ratio);
}

}  // namespace patchnas
