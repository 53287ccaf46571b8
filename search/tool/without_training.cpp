// What needs LibTorch, in a build without it.

#include <string>

#include "arch/base/error.h"
#include "arch/base/parallel.h"
#include "search/tool/training.h"

namespace patchnas {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw InputError(
      what +
      ": this nas_search was built without LibTorch and OpenCV; scripts/nas_search installs "
      "and builds with them, or configure with -DPATCHNAS_MODULES=all");
}

}  // namespace

void run_search(const SearchOptions& options) {
  if (options.config.empty() == options.resume.empty()) {
    throw InputError(kSearchNeeds);
  }
  refuse(options.resume.empty() ? "--config " + options.config : "--resume " + options.resume);
}

void run_export(const ExportOptions& options) { refuse("export " + options.run); }

void run_prepare(const PrepareOptions& options) { refuse("prepare --config " + options.config); }

void compute_in(int threads) { set_thread_count(threads_of_process(threads)); }

std::vector<std::int8_t> quantised_test_images(const DataConfig& /*data*/, int /*resolution*/,
                                               int /*count*/) {
  refuse("the run's test images");
}

}  // namespace patchnas
