// nas_search itself, which starts without LibTorch: what trains is handed over to the program
// behind it, in this process, which then does all of the command. In a build without LibTorch there
// is none.

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

#include "arch/base/error.h"
#include "arch/base/parallel.h"
#include "search/base/shipped_files.h"
#include "search/tool/evaluation_setup.h"
#include "search/tool/program_main.h"
#include "search/tool/training.h"

namespace patchnas {

void require_training(const std::string& what) {
  const std::filesystem::path program = program_behind("nas_search");
  if (program.empty()) {
    throw InputError(
        what +
        ": this nas_search was built without LibTorch and OpenCV; scripts/nas_search installs "
        "and builds with them, or configure with -DPATCHNAS_MODULES=all");
  }
  ::execv(program.c_str(), command_line());
  throw Error(program.string() + ": cannot be started: " + std::strerror(errno));
}

void run_search(const SearchOptions& options) {
  if (options.config.empty() == options.resume.empty()) {
    throw InputError(kSearchNeeds);
  }
  require_training(options.resume.empty() ? "--config " + options.config
                                          : "--resume " + options.resume);
}

void run_export(const ExportOptions& options) { require_training("export " + options.run); }

void run_prepare(const PrepareOptions& options) {
  require_training("prepare --config " + options.config);
}

void run_evaluate(const EvaluateOptions& options) {
  (void)evaluation_setup(options);  // mistakes are said by who starts at once
  require_training("evaluate " + options.subject);
}

ImageSet images_of_folder(const FolderOptions& options, const TensorShape& /*shape*/) {
  require_training("images of " + options.folder);
  return {};
}

void compute_in(int threads) { set_thread_count(threads_of_process(threads)); }

std::vector<std::int8_t> quantised_test_images(const DataConfig& /*data*/, int /*resolution*/,
                                               int /*count*/) {
  require_training("the run's test images");
  return {};
}

}  // namespace patchnas
