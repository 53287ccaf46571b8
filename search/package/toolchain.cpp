#include "search/package/toolchain.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include <yaml-cpp/yaml.h>

#include "arch/base/error.h"
#include "deploy/package/runtime_sources.h"
#include "search/base/files.h"
#include "search/base/process.h"
#include "search/base/text.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

// Far more than any compilation takes, even on a busy machine.
constexpr std::chrono::seconds kCompilerLimit(300);
constexpr const char* kCrossCompiler = "arm-none-eabi-gcc";
constexpr const char* kEmulator = "qemu-system-arm";
constexpr const char* kHostFlags = "-std=c99 -O2 -ffunction-sections -fdata-sections -fno-pie";

const char* machine_of(RunTarget target) {
  switch (target) {
    case RunTarget::kCortexM4:
      return "mps2-an386";
    case RunTarget::kCortexM7:
      return "mps2-an500";
    case RunTarget::kCortexM55:
      return "mps3-an547";
    case RunTarget::kHost:
      break;
  }
  return "";
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::string flags_of(RunTarget target) {
  if (target == RunTarget::kHost) {
    return kHostFlags;
  }
  const std::span<const SourceFile> files = runtime_sources();
  const auto table = std::find_if(files.begin(), files.end(), [](const SourceFile& file) {
    return file.path == "runtime/code_size.yaml";
  });
  const YAML::Node yaml = YAML::Load(std::string(table->text));
  return yaml["flags"].as<std::string>() + " " +
         yaml["targets"][std::string(to_string(target))]["flags"].as<std::string>();
}

void require_program(const std::string& name, const std::string& debian_package, RunTarget target) {
  if (!has_program(name)) {
    throw InputError("--target " + std::string(to_string(target)) + ": needs " + name +
                     ", which is not found; Debian has it in the package " + debian_package);
  }
}

// What a compiler or linker complains of; before it comes where the file was included.
std::string complaint(const std::string& output) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("error") != std::string::npos || line.find("will not fit") != std::string::npos) {
      return line;
    }
  }
  return std::string(first_line(output));
}

}  // namespace

void require_tools(RunTarget target) {
  if (target == RunTarget::kHost) {
    require_program("cc", "gcc", target);
    return;
  }
  require_program(kCrossCompiler, "gcc-arm-none-eabi", target);
  require_program(kEmulator, "qemu-system-arm", target);
  // The compiler prints the path of a file that it has, and else the name alone.
  const std::string specs =
      run_process({kCrossCompiler, "-print-file-name=nosys.specs"}, "/", kCompilerLimit).output;
  if (specs.find('/') == std::string::npos) {
    throw InputError("--target " + std::string(to_string(target)) +
                     ": needs newlib for Arm, which is not found; Debian has it in the package "
                     "libnewlib-arm-none-eabi");
  }
}

Toolchain::Toolchain(RunTarget target)
    : target_(target), command_{target == RunTarget::kHost ? "cc" : kCrossCompiler} {
  const std::vector<std::string> flags = words_of(flags_of(target));
  command_.insert(command_.end(), flags.begin(), flags.end());
}

void Toolchain::compile(const std::vector<std::string>& words, const fs::path& folder,
                        const std::string& what) const {
  std::vector<std::string> command = command_;
  command.insert(command.end(), words.begin(), words.end());
  const ProcessResult result = run_process(command, folder, kCompilerLimit);
  if (result.exit_code != 0) {
    throw InputError(what + ": " + command_.front() + " fails: " + complaint(result.output));
  }
}

std::vector<std::string> Toolchain::link_options() const {
  if (target_ == RunTarget::kHost) {
    return {"-Wl,--gc-sections", "-no-pie"};
  }
  return {"-Wl,--gc-sections",
          "-nostartfiles",
          "--specs=nosys.specs",
          "-L.",
          "-T",
          std::string(machine_of(target_)) + ".ld"};
}

std::vector<std::string> Toolchain::start_command(const std::string& program,
                                                  const std::string& serial) const {
  if (target_ == RunTarget::kHost) {
    return {"./" + program};
  }
  return {kEmulator,
          "-M",
          machine_of(target_),
          "-kernel",
          program,
          "-nographic",
          "-monitor",
          "none",
          "-serial",
          serial,
          "-icount",
          "shift=6",
          "-semihosting-config",
          "enable=on,target=native,arg=" + program};
}

std::string Toolchain::compiler_version() const {
  return std::string(
      first_line(run_process({command_.front(), "--version"}, "/", kCompilerLimit).output));
}

std::string Toolchain::flags() const { return flags_of(target_); }

void write_board(const fs::path& folder) {
  for (const SourceFile& file : board_sources()) {
    write_file(folder / fs::path(file.path).filename(), file.text);
  }
}

std::string object_name(std::string source) {
  std::replace(source.begin(), source.end(), '/', '_');
  return source.substr(0, source.size() - 1) + "o";
}

}  // namespace patchnas
