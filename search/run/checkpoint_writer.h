#pragma once

// Checkpoints beside the work: the work hands over a snapshot, and another thread turns it into
// bytes and writes them.
//
//   CheckpointWriter writer(store, std::chrono::seconds(60));
//   while (...) {
//     trainer.train_step();
//     if (writer.is_due()) {
//       writer.save(trainer.step(), [snapshot = trainer.snapshot()] { return snapshot.bytes(); });
//     }
//   }
//   writer.finish();

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <string>

#include "search/run/checkpoint.h"

namespace patchnas {

/// The work waits for its checkpoints for at most this share of its time, once there was one: where
/// a snapshot takes long, they come less often than they should.
inline constexpr double kLargestCheckpointShare = 0.01;

class CheckpointWriter {
 public:
  using Seconds = std::chrono::duration<double>;

  CheckpointWriter(CheckpointStore store, Seconds interval);
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;
  /// Waits for the write under way; what it throws is lost: call finish() where that matters.
  ~CheckpointWriter();

  /// Whether it is time for the next one and the last one is on disk.
  /// @throws what writing the last one threw; older ones are intact.
  bool is_due();

  /// Makes a snapshot and returns; its bytes are made and written on another thread. Waits first
  /// if the last one is still being written.
  /// @param take_snapshot called at once; what it returns is called on the other thread
  /// @throws as is_due().
  void save(std::int64_t step, const std::function<std::function<std::string()>()>& take_snapshot);

  /// Waits until the last one is on disk. @throws as is_due().
  void finish();

  [[nodiscard]] int count() const { return count_; }
  /// How long the calls of save() and finish() took, in total.
  [[nodiscard]] Seconds waited() const { return waited_; }

 private:
  using Clock = std::chrono::steady_clock;

  CheckpointStore store_;
  Seconds interval_;
  Clock::time_point next_;  ///< when the next one is due
  std::future<void> writing_;
  int count_ = 0;
  Seconds waited_{0.0};
};

}  // namespace patchnas
