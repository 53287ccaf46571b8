#include "search/stages/torch_evaluation.h"

namespace patchnas {
namespace {

constexpr const char* kRecalibrationStream = "evaluation/recalibration";
constexpr int kRandomSubnets = 2;

double accuracy_of(TorchWorkspace& workspace, Subnet subnet) {
  workspace.recalibrate(subnet, kRecalibrationStream);
  return workspace.validation_accuracy(subnet, workspace.run().config().training.evaluation_images);
}

}  // namespace

MetricsLog::Values evaluate_supernet(TorchWorkspace& workspace, const Supernet& supernet,
                                     StageId stage) {
  const SearchSpace& space = supernet.space();
  const auto accuracy = [&](const Architecture& architecture) {
    return accuracy_of(workspace, supernet.extract(architecture));
  };
  MetricsLog::Values values{{"accuracy_largest", accuracy(largest(space))}};
  if (stage == StageId::kTrainSupernet) {
    values.emplace_back("accuracy_smallest", accuracy(smallest(space)));
    RandomStream stream(workspace.run().config().seed, "evaluation/subnets");
    double sum = 0.0;
    for (int i = 0; i < kRandomSubnets; ++i) {
      sum += accuracy(sample(space, stream));
    }
    values.emplace_back("accuracy_random_mean", sum / kRandomSubnets);
  }
  return values;
}

MetricsLog::Values evaluate_subnet(TorchWorkspace& workspace, Subnet& subnet) {
  if (!workspace.validates_winner()) {
    return {};
  }
  return {{"accuracy_subnet", accuracy_of(workspace, subnet)}};
}

MetricsLog::Values evaluate_int8(TorchWorkspace& workspace, const QuantizedNetwork& network) {
  if (!workspace.validates_winner()) {
    return {};
  }
  const int images = workspace.run().config().training.evaluation_images;
  return {{"accuracy_int8", workspace.validation_accuracy(network, images)}};
}

}  // namespace patchnas
