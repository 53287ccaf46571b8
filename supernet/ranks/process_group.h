#pragma once

// The processes of one job, its ranks, on c10d: they run the same program, average what they
// compute and stay in step. Nothing else connects them.
//
//   ProcessGroup group(rank_from_environment(), "runs", std::chrono::minutes(5));
//   group.sum(gradient);                     // in place, on every rank
//   if (group.rank() == 0) write(...);       // one rank writes
//   group.rank_0_first([&] { prepare(); });  // the others find what rank 0 made
//
// Calls are collective, but for report_failure(): all ranks make the same ones in the same order.
// When a rank is lost, or reports a failure, they throw on all others. A rank that does not notice
// because it computes for more than some seconds without a call ends with one line on the standard
// error and the exit status that the exception would have had; so does one that takes longer than a
// minute to end.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>

#include "arch/base/error.h"
#include "supernet/ranks/rank_place.h"

namespace patchnas {

/// Another rank is gone, or does not answer. The job can be resumed.
class LostRankError : public InterruptedError {
 public:
  using InterruptedError::InterruptedError;
};

/// Another rank reported a failure; this one has the same exit code.
class FailedRankError : public Error {
 public:
  FailedRankError(const std::string& message, int exit_code)
      : Error(message), exit_code_(exit_code) {}
  [[nodiscard]] int exit_code() const noexcept override { return exit_code_; }

 private:
  int exit_code_;
};

class ProcessGroup {
 public:
  /// Alone: nothing to wait for, and every call returns what it was given.
  ProcessGroup();
  /// Waits until all ranks are there. They find each other by a file in `rendezvous_folder` that is
  /// named for place.id and gone once they have, and connect over 127.0.0.1 where all are on one
  /// node; otherwise, or where GLOO_SOCKET_IFNAME names one, on that interface, or else on the
  /// address of the host's name.
  /// @param rendezvous_folder seen by all of them, and made if it is not there
  /// @param timeout of this and of each later call, where that does not say otherwise
  /// @throws LostRankError naming the ranks that did not come. @throws InputError if the folder
  /// cannot be written to, or for addresses that others cannot reach.
  ProcessGroup(const RankPlace& place, const std::filesystem::path& rendezvous_folder,
               std::chrono::milliseconds timeout);
  ProcessGroup(ProcessGroup&&) noexcept;
  ProcessGroup& operator=(ProcessGroup&&) noexcept;
  /// As leave().
  ~ProcessGroup();

  /// Waits for the others to get here too, unless an exception is on its way or there was trouble.
  /// From then on this rank is alone: size() is 1, and nobody misses a rank that ends.
  void leave();

  [[nodiscard]] int rank() const;
  [[nodiscard]] int size() const;
  [[nodiscard]] const RankPlace& place() const;

  /// Adds up over all ranks, in place. All ranks get the same bits.
  /// @param tensor contiguous; of equal size and type everywhere
  /// @throws LostRankError, FailedRankError as all collective calls
  void sum(const at::Tensor& tensor);

  /// A sum under way.
  class Pending {
   public:
    virtual ~Pending() = default;
    /// Returns when the tensor holds the sum; on CUDA, when what the device is told next will find
    /// it there.
    virtual void wait() = 0;
  };
  /// The same without waiting: computing and sending overlap. The tensor must not be written to
  /// until the wait is over, nor the group be destroyed.
  [[nodiscard]] std::unique_ptr<Pending> start_sum(const at::Tensor& tensor);

  /// Rank 0's bytes, on every rank.
  std::string broadcast(std::string_view bytes);

  /// Rank 0 does the work, then the others do. They wait as long as it takes.
  void rank_0_first(const std::function<void()>& work);

  /// Ends the job: the others throw a FailedRankError with this message and exit code. Not
  /// collective; call it where no exception of this class was the reason.
  void report_failure(std::string_view message, int exit_code);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;  // null: alone
};

}  // namespace patchnas
