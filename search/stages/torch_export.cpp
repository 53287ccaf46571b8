#include "search/stages/torch_export.h"

#include <string_view>

#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "deploy/package/c_package.h"
#include "deploy/prepare/prepare.h"
#include "deploy/tflite/tflite_export.h"
#include "search/base/files.h"
#include "search/base/process.h"
#include "search/base/text.h"
#include "search/package/export_network.h"
#include "search/package/package_files.h"
#include "search/package/verify_package.h"
#include "search/report/report.h"
#include "search/stages/data_progress.h"
#include "search/stages/torch_evaluation.h"
#include "search/stages/torch_quantisation.h"
#include "supernet/data/evaluation_images.h"
#include "supernet/network/evaluation.h"

namespace patchnas {
namespace {

constexpr int kArenaCheckedImages = 200;
constexpr int kEmulatedImages = 10;

/// Runs the package on the emulated core, if that is installed, and adds what it measured to
/// report.json.
void verify_in_emulator(const std::filesystem::path& folder, const CPackage& package,
                        const QuantizedNetwork& network, Core core, const ImageSet& images) {
  const RunTarget target = target_of(core);
  try {
    require_tools(target);
  } catch (const InputError& missing) {
    spdlog::warn("export: the package is not verified in the emulator: {}", missing.what());
    return;
  }
  // The folder of a run may hold files that are not ours: they must not be compiled.
  const TemporaryFolder clean;
  write_package(package, clean.path());
  const Verification result =
      verify_package(PackageFolder(clean.path()), network, target, Rounding::kDouble,
                     stored_pixels(images, 0, std::min(kEmulatedImages, images.size())));
  if (!result.holds()) {
    throw Error("the exported package does not do what was promised:\n" + table(result));
  }
  add_to_report(folder / "report.json", result);
}

}  // namespace

void export_subnet(const TorchContext& context, RunImages& images, const Subnet& subnet,
                   const FoldedSubnet& folded, const ExportPlan& plan) {
  const Config& config = context.config();
  const int resolution = subnet.network().input.height;
  const Preparation prepared = prepare(to_int8(config, folded));
  const QuantizedNetwork& quantised = prepared.network;

  const ImageSet test = evaluation_images(*load_test_images(config.data, console_observer()),
                                          resolution, config.data.crop_ratio);
  const Int8Answers answers = run_int8(quantised, test);
  const ArenaCheck arena_check = check_schedule(
      quantised, plan.candidate.schedule, config.target.input, test, answers, kArenaCheckedImages);
  const Accuracies accuracies{
      .validation_search = plan.candidate.accuracy,
      .validation_exported = plan.finetuned && !context.validates_winner()
                                 ? std::nullopt
                                 : std::optional(validation_accuracy(context, images, subnet)),
      .test_float = accuracy(subnet, test, config.data.normalisation),
      .test_int8 = answers.accuracy,
      .test_images = test.size()};
  spdlog::info("export: test accuracy {} int8, {} float", percent_text(accuracies.test_int8),
               percent_text(accuracies.test_float));

  // First the package: its list makes the folder one of ours, should this be killed.
  const CPackage package = make_c_package(quantised, plan.candidate.schedule, config.target.input,
                                          c_package_name(config.name));
  write_package(package, plan.folder / "c");
  const std::vector<std::uint8_t> model = export_tflite(quantised);
  write_file(plan.folder / "model.tflite",
             {reinterpret_cast<const char*>(model.data()), model.size()});
  if (plan.dumped_test_images > 0) {
    dump_images(plan.folder, test, answers, plan.dumped_test_images);
  }
  write_file(plan.folder / "report.json",
             make_report({.config = config,
                          .candidate = plan.candidate,
                          .network = quantised.network,
                          .folded = prepared.removed,
                          .accuracies = accuracies,
                          .arena_check = arena_check,
                          .finetuned = plan.finetuned,
                          .tflite_bytes = static_cast<std::int64_t>(model.size()),
                          .counts = plan.counts}));
  verify_in_emulator(plan.folder, package, quantised, config.target.core, test);
}

}  // namespace patchnas
