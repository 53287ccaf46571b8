#include "search/run/checkpoint_writer.h"

#include <algorithm>
#include <utility>

namespace patchnas {

CheckpointWriter::CheckpointWriter(CheckpointStore store, Seconds interval)
    : store_(std::move(store)), interval_(interval) {
  next_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(interval_);
}

CheckpointWriter::~CheckpointWriter() {
  if (writing_.valid()) {
    writing_.wait();
  }
}

bool CheckpointWriter::is_due() {
  if (writing_.valid()) {
    if (writing_.wait_for(Seconds(0.0)) != std::future_status::ready) {
      return false;
    }
    writing_.get();
  }
  return Clock::now() >= next_;
}

void CheckpointWriter::save(std::int64_t step,
                            const std::function<std::function<std::string()>()>& take_snapshot) {
  finish();
  const Clock::time_point start = Clock::now();
  writing_ = std::async(std::launch::async, [this, step, make_bytes = take_snapshot()] {
    store_.save(step, make_bytes());
  });
  ++count_;
  const Seconds taken = Clock::now() - start;
  waited_ += taken;
  next_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                             std::max(interval_, taken / kLargestCheckpointShare));
}

void CheckpointWriter::finish() {
  if (writing_.valid()) {
    const Clock::time_point start = Clock::now();
    writing_.wait();
    waited_ += Clock::now() - start;
    writing_.get();
  }
}

}  // namespace patchnas
