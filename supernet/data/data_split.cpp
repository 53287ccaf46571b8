#include "supernet/data/data_split.h"

#include <algorithm>
#include <numeric>

namespace patchnas {
namespace {

// Splits `total` among classes in proportion to `sizes`, exactly: largest remainders first.
std::vector<int> shares(const std::vector<std::vector<int>>& classes, int total) {
  std::int64_t all = 0;
  for (const auto& members : classes) {
    all += static_cast<std::int64_t>(members.size());
  }
  std::vector<int> share;
  std::vector<std::int64_t> remainder;
  for (const auto& members : classes) {
    const std::int64_t product = static_cast<std::int64_t>(members.size()) * total;
    share.push_back(static_cast<int>(product / all));
    remainder.push_back(product % all);
  }
  std::vector<std::size_t> order(classes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  const int missing = total - std::accumulate(share.begin(), share.end(), 0);
  for (int i = 0; i < missing; ++i) {
    ++share[order[static_cast<std::size_t>(i)]];
  }
  return share;
}

// Takes a proportional number from the end of every class; the result is in ascending order.
std::vector<int> take(std::vector<std::vector<int>>& classes, int total) {
  const std::vector<int> share = shares(classes, total);
  std::vector<int> taken;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto from = classes[c].end() - share[c];
    taken.insert(taken.end(), from, classes[c].end());
    classes[c].erase(from, classes[c].end());
  }
  std::sort(taken.begin(), taken.end());
  return taken;
}

}  // namespace

DataSplit stratified_split(std::span<const std::int32_t> labels, int classes, int validation,
                           int training, RandomStream& stream) {
  std::vector<std::vector<int>> members(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    members[static_cast<std::size_t>(labels[i])].push_back(static_cast<int>(i));
  }
  for (std::vector<int>& one : members) {
    stream.shuffle(std::span(one));
  }
  DataSplit split;
  split.validation = take(members, validation);
  const int rest = static_cast<int>(labels.size()) - validation;
  split.training = take(members, training == 0 ? rest : training);
  return split;
}

std::vector<int> stratified_sample(const ImageStore& images, int count, std::uint64_t seed) {
  std::vector<int> all(static_cast<std::size_t>(images.size()));
  std::iota(all.begin(), all.end(), 0);
  if (count == 0 || count >= images.size()) {
    return all;
  }
  std::vector<std::int32_t> labels;
  for (const int index : all) {
    labels.push_back(images.label(index));
  }
  RandomStream stream(seed, "data/sample");
  return stratified_split(labels, images.classes(), count, 0, stream).validation;
}

}  // namespace patchnas
