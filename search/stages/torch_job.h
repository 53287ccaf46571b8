#pragma once

// One run on all ranks of a job, or on this process alone. This header needs no LibTorch.
//
//   run_job({.meeting_folder = "runs", .open = [] { return RunDirectory::resume("runs/vww"); },
//   ...});

#include <chrono>
#include <filesystem>
#include <functional>

#include "search/run/run_directory.h"

namespace patchnas {

struct Job {
  std::filesystem::path meeting_folder;  ///< where the ranks find each other; all of them see it
  std::chrono::seconds timeout{600};     ///< after which a rank that does not answer is lost
  std::function<RunDirectory()> open;    ///< called on the rank that writes, and there alone
  std::function<void(const RunDirectory&)> report;  ///< so is this, when the run is done
};

/// Runs the stages that are not done. Which of how many ranks this process is, its environment says
/// (rank_place.h).
/// @throws what goes wrong on any rank, with its exit code; rank 0 has the message, and others only
/// what they alone know ("" where there is nothing to add).
void run_job(const Job& job);

}  // namespace patchnas
