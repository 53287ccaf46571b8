#include "search/stages/torch_stages.h"

#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "search/base/text.h"
#include "search/engine/candidate_store.h"
#include "search/run/search_stage.h"
#include "search/run/standalone_stage.h"
#include "search/stages/torch_evaluation.h"
#include "search/stages/torch_evaluator.h"
#include "search/stages/torch_export.h"
#include "search/stages/torch_quantisation.h"
#include "search/stages/torch_winner.h"

namespace patchnas {
namespace {

/// What the stages of one process share, so that none reads or trains again what another has.
struct TorchRun {
  TorchRun(RunDirectory& run, ProcessGroup& group) : context(prepare_to_compute(run, group)) {}

  TorchContext context;
  RunImages images{context};
  TrainedSupernet supernet{context, images};
};

/// A stage that is one function.
class TorchStage : public Stage {
 public:
  using Work = void (*)(TorchRun&);
  TorchStage(StageId stage, std::shared_ptr<TorchRun> run, Work work)
      : stage_(stage), run_(std::move(run)), work_(work) {}
  [[nodiscard]] StageId id() const override { return stage_; }
  void run() override {
    work_(*run_);
    // Rank 0 alone evaluates what was trained. The search ends together, and the export is its
    // alone.
    if (stage_ != StageId::kSearch && stage_ != StageId::kExport) {
      run_->context.group.rank_0_first([] {});
    }
  }

 private:
  StageId stage_;
  std::shared_ptr<TorchRun> run_;
  Work work_;
};

void run_train_largest(TorchRun& run) { run.supernet.train_largest(); }

void run_train_supernet(TorchRun& run) { run.supernet.train_all(); }

/// On the rank that writes; the others evaluate for it.
void run_search(TorchRun& run) {
  if (!run.context.run.writes()) {
    answer_rank_0(run.context, run.images, run.supernet);
    return;
  }
  SearchStage search(
      run.context.run,
      [&] { return std::make_unique<SupernetEvaluator>(run.context, run.images, run.supernet); },
      run.context.group.size());
  search.run();
  dismiss_other_ranks(run.context);
}

/// Whether to say how good the winner is.
bool reports_winner(const TorchContext& context) {
  return context.run.writes() && context.validates_winner();
}

void run_finetune(TorchRun& run) {
  const SearchResult result = read_winner(run.context);
  const Subnet subnet = finetune(run.context, run.images, run.supernet, result.best.architecture);
  if (!reports_winner(run.context)) {
    return;
  }
  spdlog::info("finetune: {} on validation images{}",
               percent_text(validation_accuracy(run.context, run.images, subnet)),
               result.best.accuracy ? ", " + percent_text(*result.best.accuracy) + " before" : "");
}

void run_quantise(TorchRun& run) {
  const TorchContext& context = run.context;
  const auto int8_accuracy = [&](const FoldedSubnet& subnet) {
    return validation_accuracy(run.images, to_int8(context.config(), subnet));
  };
  const Subnet subnet = read_finetuned(context, read_winner(context).best.architecture);
  FoldedSubnet calibrated = calibrate(context, run.images, subnet);
  double before = 0.0;
  context.group.rank_0_first(
      [&] { before = reports_winner(context) ? int8_accuracy(calibrated) : 0.0; });
  const FoldedSubnet trained = train_quantised(context, run.images, std::move(calibrated));
  if (!reports_winner(context)) {
    return;
  }
  spdlog::info("quantise: {} int8 on validation images, {} before training, {} float",
               percent_text(int8_accuracy(trained)), percent_text(before),
               percent_text(validation_accuracy(context, run.images, subnet)));
}

void export_winner(const TorchContext& context, RunImages& images,
                   const std::filesystem::path& folder, int dumped_test_images) {
  const SearchResult result = read_winner(context);
  const Architecture& architecture = result.best.architecture;
  export_subnet(context, images, read_finetuned(context, architecture),
                read_quantised(context, architecture),
                {.candidate = result.best,
                 .counts = result.best.accuracy ? std::optional(result.counts) : std::nullopt,
                 .finetuned = true,
                 .folder = folder,
                 .dumped_test_images = dumped_test_images});
}

void run_export(TorchRun& run) {
  const TorchContext& context = run.context;
  if (context.run.writes()) {
    context.group.leave();  // the other ranks are done
    export_winner(context, run.images, context.run.export_folder(), 0);
  }
}

TorchStage::Work work_of(StageId stage) {
  switch (stage) {
    case StageId::kTrainLargest:
      return run_train_largest;
    case StageId::kTrainSupernet:
      return run_train_supernet;
    case StageId::kSearch:
      return run_search;
    case StageId::kFinetune:
      return run_finetune;
    case StageId::kQuantise:
      return run_quantise;
    case StageId::kExport:
      return run_export;
  }
  throw Error("no such stage");
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
  const auto shared = std::make_shared<TorchRun>(run, group);
  const TrainingPlan& plan = run.config().training;
  std::vector<std::unique_ptr<Stage>> stages;
  for (const StageId stage : stages_of(plan)) {
    if (stage == StageId::kSearch && plan.recipe == TrainingRecipe::kStandalone) {
      stages.push_back(std::make_unique<StandaloneStage>(run));
    } else {
      stages.push_back(std::make_unique<TorchStage>(stage, shared, work_of(stage)));
    }
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
  TorchRun shared(run, alone);
  if (request.candidate_id.empty() || request.candidate_id == result.best.id()) {
    require_done(run, StageId::kQuantise, "finished winner");
    const std::filesystem::path folder =
        request.folder.empty() ? run.export_folder() : request.folder;
    export_winner(shared.context, shared.images, folder, request.dumped_test_images);
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
  shared.supernet.train_all();
  const Subnet subnet = shared.supernet.extract_recalibrated(candidate->architecture);
  export_subnet(shared.context, shared.images, subnet,
                calibrate(shared.context, shared.images, subnet),
                {.candidate = *candidate,
                 .counts = std::nullopt,
                 .finetuned = false,
                 .folder = folder,
                 .dumped_test_images = request.dumped_test_images});
  return folder;
}

}  // namespace patchnas
