#pragma once

// What a person sees while it runs: log lines and one progress bar, both on standard error.
// Standard output belongs to results.
//
//   start_logging();
//   log_to_file(run / "log.txt");
//   Progress progress("train_supernet", "steps", /*done=*/0, /*total=*/2400);
//   progress.update(1200, "loss 1.23");

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace patchnas {

/// Makes spdlog's default logger write to the console.
void start_logging();
/// Of a job of several ranks: the first speaks for all, the others only warn, with their number.
void log_as_rank(int rank);
/// Appends to a file too. @throws InputError if it cannot be opened.
void log_to_file(const std::filesystem::path& path);

/// A bar on a terminal, redrawn in place; elsewhere a plain line every 10 seconds. Both with rate
/// and time left.
class Progress {
 public:
  /// `done` of `total` were done before, by an interrupted run, and do not count for the rate.
  Progress(std::string label, std::string unit, std::int64_t done, std::int64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Removes the bar.
  ~Progress();

  void update(std::int64_t done, const std::string& note = "");

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::string text(std::int64_t done, const std::string& note, int bar_width) const;

  std::string label_;
  std::string unit_;
  std::int64_t done_at_start_;
  std::int64_t total_;
  Clock::time_point start_;
  Clock::time_point shown_;
  bool terminal_;
};

}  // namespace patchnas
