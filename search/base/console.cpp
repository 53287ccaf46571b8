#include "search/base/console.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <unistd.h>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include "arch/base/error.h"
#include "search/base/text.h"

namespace patchnas {
namespace {

constexpr std::string_view kClearLine = "\r\x1b[K";

void write_error(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

/// Knows the one bar at the bottom of the screen and writes log lines above it.
class ConsoleSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void show_bar(std::string bar) {
    const std::lock_guard lock(mutex_);
    bar_ = std::move(bar);
    write_error(std::string(kClearLine) + bar_);
  }
  void remove_bar() {
    const std::lock_guard lock(mutex_);
    if (!bar_.empty()) {
      write_error(kClearLine);
      bar_.clear();
    }
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string text = bar_.empty() ? "" : std::string(kClearLine);
    text.append(line.data(), line.size()).append(bar_);
    write_error(text);
  }
  void flush_() override { std::fflush(stderr); }

 private:
  std::string bar_;
};

const std::shared_ptr<ConsoleSink>& console() {
  static const auto sink = std::make_shared<ConsoleSink>();
  return sink;
}

}  // namespace

void start_logging() {
  auto logger = std::make_shared<spdlog::logger>("nas_search", console());
  console()->set_pattern("[%H:%M:%S] %v");
  logger->flush_on(spdlog::level::info);
  // A log line that cannot be written (a full disk) must not end a run whose own files are still
  // whole.
  logger->set_error_handler([](const std::string&) {});
  spdlog::set_default_logger(std::move(logger));
}

void log_as_rank(int rank) {
  if (rank > 0) {
    console()->set_pattern(fmt::format("[%H:%M:%S] rank {}: %v", rank));
    spdlog::set_level(spdlog::level::warn);
  }
}

void log_to_file(const std::filesystem::path& path) {
  try {
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
    file->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    spdlog::default_logger()->sinks().push_back(std::move(file));
  } catch (const spdlog::spdlog_ex& error) {
    throw InputError(path.string() +
                     ": cannot open the log: " + std::string(first_line(error.what())));
  }
}

Progress::Progress(std::string label, std::string unit, std::int64_t done, std::int64_t total)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      done_at_start_(done),
      total_(total),
      start_(Clock::now()),
      shown_(start_),
      terminal_(spdlog::should_log(spdlog::level::info) && ::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() { console()->remove_bar(); }

std::string Progress::text(std::int64_t done, const std::string& note, int bar_width) const {
  const double share = total_ > 0 ? static_cast<double>(done) / static_cast<double>(total_) : 1.0;
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - done_at_start_) / seconds : 0.0;
  std::string line = label_ + " ";
  if (bar_width > 0) {
    const int filled = std::clamp(static_cast<int>(share * bar_width), 0, bar_width);
    line.append("[").append(static_cast<std::size_t>(filled), '#');
    line.append(static_cast<std::size_t>(bar_width - filled), '.').append("] ");
  }
  line += fmt::format("{:3.0f} %  {}/{} {}", 100.0 * share, done, total_, unit_);
  if (rate > 0) {
    line += fmt::format("  {:.1f}/s  {} left", rate,
                        duration_text(static_cast<double>(total_ - done) / rate));
  }
  return note.empty() ? line : line + "  " + note;
}

void Progress::update(std::int64_t done, const std::string& note) {
  const auto interval =
      terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000);
  const Clock::time_point now = Clock::now();
  if (now - shown_ < interval) {
    return;
  }
  shown_ = now;
  if (terminal_) {
    console()->show_bar(text(done, note, 24));
  } else {
    spdlog::info("{}", text(done, note, 0));
  }
}

}  // namespace patchnas
