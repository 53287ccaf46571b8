#include "search/stages/data_progress.h"

#include <memory>

#include <spdlog/spdlog.h>

#include "search/base/console.h"
#include "search/base/stop_signal.h"

namespace patchnas {

DataObserver console_observer() {
  const auto bar = std::make_shared<std::unique_ptr<Progress>>();
  DataObserver observer;
  observer.log = [](const std::string& line) { spdlog::info("data: {}", line); };
  observer.progress = [bar](std::int64_t done, std::int64_t total) {
    throw_if_stopped();
    if (!*bar) {
      *bar = std::make_unique<Progress>("decoding", "images", 0, total);
    }
    (*bar)->update(done);
    if (done == total) {
      bar->reset();
    }
  };
  return observer;
}

}  // namespace patchnas
