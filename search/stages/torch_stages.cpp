#include "search/stages/torch_stages.h"

#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "search/base/text.h"
#include "search/engine/candidate_store.h"
#include "search/run/schedule_stage.h"
#include "search/run/search_stage.h"
#include "search/stages/torch_evaluator.h"
#include "search/stages/torch_export.h"
#include "search/stages/torch_workspace.h"

namespace patchnas {
namespace {

/// A stage that is one function over the workspace.
class WorkspaceStage : public Stage {
 public:
  using Work = void (*)(TorchWorkspace&);
  WorkspaceStage(StageId stage, std::shared_ptr<TorchWorkspace> workspace, Work work)
      : stage_(stage), workspace_(std::move(workspace)), work_(work) {}
  [[nodiscard]] StageId id() const override { return stage_; }
  void run() override {
    work_(*workspace_);
    if (stage_ != StageId::kExport) {  // rank 0 alone evaluates, and the export is its alone
      workspace_->group().rank_0_first([] {});
    }
  }

 private:
  StageId stage_;
  std::shared_ptr<TorchWorkspace> workspace_;
  Work work_;
};

void train_largest(TorchWorkspace& workspace) { workspace.trained_largest(); }

void train_supernet(TorchWorkspace& workspace) { workspace.trained_supernet(); }

/// The search on the rank that writes; the others evaluate for it.
class SharedSearchStage : public Stage {
 public:
  SharedSearchStage(RunDirectory& run, std::shared_ptr<TorchWorkspace> workspace)
      : run_(run), workspace_(std::move(workspace)) {}
  [[nodiscard]] StageId id() const override { return StageId::kSearch; }
  void run() override {
    if (!run_.writes()) {
      answer_rank_0(*workspace_);
      return;
    }
    SearchStage search(
        run_, [this] { return std::make_unique<SupernetEvaluator>(*workspace_); },
        workspace_->group().size());
    search.run();
    dismiss_other_ranks(*workspace_);
  }

 private:
  RunDirectory& run_;
  std::shared_ptr<TorchWorkspace> workspace_;
};

void finetune(TorchWorkspace& workspace) {
  const SearchResult result = workspace.winner();
  const Subnet subnet = workspace.finetuned(result.best.architecture);
  if (!workspace.run().writes() || !workspace.validates_winner()) {
    return;
  }
  spdlog::info("finetune: {} on validation images{}",
               percent_text(workspace.validation_accuracy(subnet)),
               result.best.accuracy ? ", " + percent_text(*result.best.accuracy) + " before" : "");
}

void quantise(TorchWorkspace& workspace) {
  const Subnet subnet = workspace.finetuned_weights(workspace.winner().best.architecture);
  FoldedSubnet calibrated = workspace.calibrated(subnet);
  const bool reports = workspace.run().writes() && workspace.validates_winner();
  double before = 0.0;
  workspace.group().rank_0_first([&] {
    before = reports ? workspace.validation_accuracy(workspace.to_int8(calibrated)) : 0.0;
  });
  const FoldedSubnet trained = workspace.quantised(std::move(calibrated));
  if (!reports) {
    return;
  }
  spdlog::info("quantise: {} int8 on validation images, {} before training, {} float",
               percent_text(workspace.validation_accuracy(workspace.to_int8(trained))),
               percent_text(before), percent_text(workspace.validation_accuracy(subnet)));
}

void export_winner(TorchWorkspace& workspace, const std::filesystem::path& folder,
                   int dumped_test_images) {
  const SearchResult result = workspace.winner();
  const Architecture& architecture = result.best.architecture;
  export_subnet(workspace, workspace.finetuned_weights(architecture),
                workspace.exported_weights(architecture),
                {.candidate = result.best,
                 .counts = result.best.accuracy ? std::optional(result.counts) : std::nullopt,
                 .finetuned = true,
                 .folder = folder,
                 .dumped_test_images = dumped_test_images});
}

void require_done(const RunDirectory& run, StageId stage, const std::string& what) {
  if (run.status(stage) != StageStatus::kDone) {
    throw InputError(run.path().string() + ": there is no " + what + " yet: stage " +
                     std::string(to_string(stage)) +
                     " is not done; continue the run with --resume " + run.path().string());
  }
}

}  // namespace

std::vector<std::unique_ptr<Stage>> make_stages(RunDirectory& run, ProcessGroup& group) {
  const auto workspace = std::make_shared<TorchWorkspace>(run, group);
  const auto make = [&](StageId stage) -> std::unique_ptr<Stage> {
    const auto of = [&](WorkspaceStage::Work work) {
      return std::make_unique<WorkspaceStage>(stage, workspace, work);
    };
    switch (stage) {
      case StageId::kTrainLargest:
        return of(train_largest);
      case StageId::kTrainSupernet:
        return of(train_supernet);
      case StageId::kSearch:
        break;
      case StageId::kFinetune:
        return of(finetune);
      case StageId::kQuantise:
        return of(quantise);
      case StageId::kExport:
        return of([](TorchWorkspace& space) {
          if (space.run().writes()) {
            space.group() = ProcessGroup();  // the other ranks are done
            export_winner(space, space.run().export_folder(), 0);
          }
        });
    }
    if (run.config().training.recipe == TrainingRecipe::kStandalone) {
      return std::make_unique<ScheduleStage>(run);
    }
    return std::make_unique<SharedSearchStage>(run, workspace);
  };
  std::vector<std::unique_ptr<Stage>> stages;
  for (const StageId stage : stages_of(run.config().training)) {
    stages.push_back(make(stage));
  }
  return stages;
}

std::filesystem::path export_again(RunDirectory& run, const ExportRequest& request) {
  if (run.archived() && request.folder.empty()) {
    throw InputError(run.path().string() +
                     ": nothing can be written there; --out names another folder");
  }
  require_done(run, StageId::kSearch, "winner of the search");
  const SearchResult result = read_search_result(run.best_candidate_file());
  ProcessGroup alone;
  TorchWorkspace workspace(run, alone);
  if (request.candidate_id.empty() || request.candidate_id == result.best.id()) {
    require_done(run, StageId::kQuantise, "finished winner");
    const std::filesystem::path folder =
        request.folder.empty() ? run.export_folder() : request.folder;
    export_winner(workspace, folder, request.dumped_test_images);
    run.set_status(StageId::kExport, run.status(StageId::kExport));  // its files may be others now
    return folder;
  }
  const CandidateStore store(run.candidates_file(), run.identity(),
                             run.writes() ? StoreAccess::kReadWrite : StoreAccess::kReadOnly);
  const Candidate* candidate = store.find_id(request.candidate_id);
  if (candidate == nullptr) {
    throw InputError(run.candidates_file().string() + ": no candidate '" + request.candidate_id +
                     "'; its lines begin with the ids that there are");
  }
  spdlog::info(
      "candidate {} is not the winner: it gets the supernet's weights, without fine-tuning and "
      "quantisation-aware training",
      candidate->id());
  const std::filesystem::path folder =
      request.folder.empty() ? run.path() / ("export-" + candidate->id()) : request.folder;
  const Subnet subnet = workspace.recalibrated(candidate->architecture);
  export_subnet(workspace, subnet, workspace.calibrated(subnet),
                {.candidate = *candidate,
                 .counts = std::nullopt,
                 .finetuned = false,
                 .folder = folder,
                 .dumped_test_images = request.dumped_test_images});
  return folder;
}

}  // namespace patchnas
