#include "search/stages/torch_job.h"

#include <optional>
#include <string>

#include "arch/base/error.h"
#include "search/base/console.h"
#include "search/run/stage.h"
#include "search/stages/torch_stages.h"
#include "supernet/ranks/process_group.h"

namespace patchnas {
namespace {

ProcessGroup meet(const Job& job) {
  const RankPlace place = rank_from_environment();
  if (place.count == 1) {
    return {};
  }
  log_as_rank(place.rank);
  return {place, job.meeting_folder, job.timeout};
}

/// The rank that writes.
void lead(const Job& job, ProcessGroup& group) {
  std::optional<RunDirectory> opened;
  group.rank_0_first([&] { opened.emplace(job.open()); });
  RunDirectory& run = *opened;
  if (run.status(StageId::kExport) != StageStatus::kDone) {
    group.broadcast(run.description());
    run_stages(run, make_stages(run, group));
  } else {
    group.broadcast("");
  }
  job.report(run);
}

/// Any other rank.
void follow(ProcessGroup& group) {
  group.rank_0_first([] {});
  const std::string description = group.broadcast("");
  if (description.empty()) {
    return;  // the run is done already
  }
  RunDirectory run = RunDirectory::follow(description);
  run_stages(run, make_stages(run, group));
}

}  // namespace

void run_job(const Job& job) {
  ProcessGroup group = meet(job);
  const bool leads = group.rank() == 0;
  const std::string prefix = leads ? "" : "rank " + std::to_string(group.rank()) + ": ";
  try {
    leads ? lead(job, group) : follow(group);
  } catch (const FailedRankError& error) {
    throw FailedRankError(leads ? error.what() : "", error.exit_code());
  } catch (const LostRankError& error) {
    throw FailedRankError(prefix + error.what(), error.exit_code());
  } catch (const InterruptedError& error) {
    group.report_failure(error.what(), error.exit_code());
    throw FailedRankError(leads ? error.what() : "", error.exit_code());
  } catch (const Error& error) {
    group.report_failure(error.what(), error.exit_code());
    throw FailedRankError(prefix + error.what(), error.exit_code());
  } catch (const std::exception& error) {
    group.report_failure(error.what(), 1);
    throw;
  }
}

}  // namespace patchnas
