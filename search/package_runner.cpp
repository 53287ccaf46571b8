#include "search/package_runner.h"

#include <algorithm>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include "arch/error.h"
#include "deploy/c_package.h"
#include "deploy/runtime_sources.h"
#include "search/files.h"
#include "search/package_harness.h"
#include "search/text.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

// Room in an emulated board's memory beside the arena.
constexpr std::int64_t kImageBytes = 1 << 20;
// Far more than any compilation or emulated inference takes, even on a busy machine.
constexpr std::chrono::seconds kCompilerLimit(300);
constexpr std::chrono::seconds kRunLimit(300);
constexpr std::chrono::seconds kImageLimit(60);
constexpr const char* kCrossCompiler = "arm-none-eabi-gcc";
constexpr const char* kEmulator = "qemu-system-arm";

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
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(word);
  }
  return words;
}

// The flags for which the flash of the kernels was measured.
std::vector<std::string> compiler_flags(RunTarget target) {
  const std::span<const SourceFile> files = runtime_sources();
  const auto table = std::find_if(files.begin(), files.end(), [](const SourceFile& file) {
    return file.path == "runtime/code_size.yaml";
  });
  const YAML::Node yaml = YAML::Load(std::string(table->text));
  const std::string of_core =
      yaml["targets"][std::string(to_string(target))]["flags"].as<std::string>();
  return words_of(yaml["flags"].as<std::string>() + " " + of_core);
}

void require_program(const std::string& name, const std::string& debian_package, RunTarget target) {
  if (!has_program(name)) {
    throw InputError("--target " + std::string(to_string(target)) + ": needs " + name +
                     ", which is not found; Debian has it in the package " + debian_package);
  }
}

std::vector<std::string> joined(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
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

void run_compiler(const std::vector<std::string>& words, const fs::path& folder,
                  const std::string& what) {
  const ProcessResult result = run_process(words, folder, kCompilerLimit);
  if (result.exit_code != 0) {
    throw InputError(what + ": " + words.front() + " fails: " + complaint(result.output));
  }
}

// "runtime/add.c" -> "runtime_add.o"
std::string object_name(std::string source) {
  std::replace(source.begin(), source.end(), '/', '_');
  return source.substr(0, source.size() - 1) + "o";
}

// Sources are compiled, so they must lie in the package.
bool stays_inside(const std::string& source) {
  const fs::path path(source);
  return path.is_relative() && source.ends_with(".c") &&
         std::find(path.begin(), path.end(), "..") == path.end() && source.front() != '-';
}

}  // namespace

std::string_view to_string(RunTarget target) {
  const std::optional<Core> core = core_of(target);
  return core ? to_string(*core) : "host";
}

std::string_view to_string(Rounding rounding) {
  return rounding == Rounding::kSingle ? "single" : "double";
}

Arithmetic arithmetic_of(Rounding rounding) {
  return rounding == Rounding::kSingle ? Arithmetic::kTfliteMicroSingleRounding
                                       : Arithmetic::kTfliteMicro;
}

std::optional<Core> core_of(RunTarget target) {
  switch (target) {
    case RunTarget::kCortexM4:
      return Core::kCortexM4;
    case RunTarget::kCortexM7:
      return Core::kCortexM7;
    case RunTarget::kCortexM55:
      return Core::kCortexM55;
    case RunTarget::kHost:
      break;
  }
  return std::nullopt;
}

RunTarget target_of(Core core) {
  return *std::find_if(std::begin(kRunTargets), std::end(kRunTargets),
                       [&](RunTarget target) { return core_of(target) == core; });
}

PackageFolder::PackageFolder(const fs::path& folder) {
  std::error_code error;
  for (const fs::path& candidate : {folder, folder / "c", folder / "export" / "c"}) {
    if (fs::is_regular_file(candidate / "package.json", error)) {
      path = fs::absolute(candidate);
      break;
    }
  }
  if (path.empty()) {
    throw InputError(folder.string() +
                     ": no exported package there (package.json, c/package.json or "
                     "export/c/package.json)");
  }
  const fs::path file = path / "package.json";
  try {
    const auto json = nlohmann::json::parse(read_file(file));
    name = json.at("name").get<std::string>();
    const auto mode = json.at("input").get<std::string>();
    input = mode == to_string(InputMode::kStreamed) ? InputMode::kStreamed : InputMode::kResident;
    schedule = parse_patch_schedule(json.at("schedule").dump(), file.string());
    arena_bytes = json.at("arena_bytes").get<std::int64_t>();
    input_bytes = json.at("input_bytes").get<std::int64_t>();
    output_bytes = json.at("output_bytes").get<std::int64_t>();
    sources = json.at("sources").get<std::vector<std::string>>();
    layers = json.at("layers").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& damage) {
    throw InputError(file.string() + ": does not describe a package: " + damage.what());
  }
  if (name != c_package_name(name) || input_bytes < 1 || output_bytes < 1 ||
      !std::all_of(sources.begin(), sources.end(), stays_inside)) {
    throw InputError(file.string() + ": does not describe a package");
  }
}

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

PackageRunner::PackageRunner(const PackageFolder& package, RunTarget target, Rounding rounding,
                             Profiling profiling)
    : package_(package),
      target_(target),
      rounding_(rounding),
      profiling_(profiling),
      images_at_a_time_(
          std::max<std::int64_t>(1, kImageBytes / (package.input_bytes + package.output_bytes))) {
  require_tools(target);
  const bool on_host = target == RunTarget::kHost;
  for (const SourceFile& file : board_sources()) {
    const fs::path name = fs::path(file.path).filename();
    if (!on_host || name == "board.h") {
      write_file(folder_.path() / name, file.text);
    }
  }
  if (on_host) {
    write_file(folder_.path() / "board.c", harness_host_board());
  }
  write_file(folder_.path() / "main.c",
             harness_main(package_.name, package_.input, static_cast<int>(images_at_a_time_)));
  compile(on_host ? words_of("-std=c99 -O2 -ffunction-sections -fdata-sections -fno-pie")
                  : compiler_flags(target));
}

void PackageRunner::compile(const std::vector<std::string>& flags) {
  const bool on_host = target_ == RunTarget::kHost;
  const std::string compiler = on_host ? "cc" : kCrossCompiler;
  std::vector<std::string> common = joined({compiler}, flags);
  common.push_back("-I" + package_.path.string());
  if (profiling_ == Profiling::kLayers) {
    common.emplace_back("-DPATCHNAS_LAYER_HOOK=harness_layer");
  }
  if (rounding_ == Rounding::kSingle) {
    common.emplace_back("-DPATCHNAS_SINGLE_ROUNDING");
  }
  std::vector<std::string> objects;
  for (const std::string& source : package_.sources) {
    objects.push_back(object_name(source));
    run_compiler(joined(common, {"-c", (package_.path / source).string(), "-o", objects.back()}),
                 folder_.path(), package_.path.string());
  }
  std::vector<std::string> link =
      joined(common, {"-o", "program", "-Wl,--gc-sections", "-Wl,-Map=program.map", "-I."});
  link = joined(
      link, on_host ? std::vector<std::string>{"-no-pie"}
                    : std::vector<std::string>{"-nostartfiles", "--specs=nosys.specs", "-L.", "-T",
                                               std::string(machine_of(target_)) + ".ld"});
  // The package comes first, so that what it needs of libraries is listed as its own.
  run_compiler(joined(joined(link, objects), {"main.c", "board.c"}), folder_.path(),
               package_.path.string());
  const std::string map = read_file(folder_.path() / "program.map");
  linked_ = linked_bytes(map, {objects.begin(), objects.end()});
  arena_bytes_ = section_bytes(map, ".bss.package_arena");
}

PackageRun PackageRunner::run(std::span<const std::int8_t> images) const {
  const auto image_bytes = static_cast<std::size_t>(package_.input_bytes);
  if (images.empty() || images.size() % image_bytes != 0) {
    throw InputError("input has " + std::to_string(images.size()) + " bytes; " + package_.name +
                     " reads " + std::to_string(image_bytes) + " an image");
  }
  PackageRun result;
  const std::size_t at_a_time = static_cast<std::size_t>(images_at_a_time_) * image_bytes;
  for (std::size_t begin = 0; begin < images.size(); begin += at_a_time) {
    run_some(images.subspan(begin, std::min(at_a_time, images.size() - begin)), result);
  }
  return result;
}

void PackageRunner::run_some(std::span<const std::int8_t> images, PackageRun& result) const {
  write_file(folder_.path() / "input.bin",
             {reinterpret_cast<const char*>(images.data()), images.size()});
  const std::vector<std::string> command =
      target_ == RunTarget::kHost ? std::vector<std::string>{"./program"}
                                  : std::vector<std::string>{kEmulator,
                                                             "-M",
                                                             machine_of(target_),
                                                             "-kernel",
                                                             "program",
                                                             "-nographic",
                                                             "-monitor",
                                                             "none",
                                                             "-serial",
                                                             "none",
                                                             "-icount",
                                                             "shift=6",
                                                             "-semihosting-config",
                                                             "enable=on,target=native,arg=program"};
  const auto count = static_cast<std::int64_t>(images.size()) / package_.input_bytes;
  const ProcessResult process =
      run_process(command, folder_.path(), kRunLimit + count * kImageLimit);
  if (process.exit_code != 0) {
    throw Error(package_.name + " on " + std::string(to_string(target_)) + " ends with exit code " +
                std::to_string(process.exit_code) + ": " + std::string(first_line(process.output)));
  }
  std::istringstream lines(process.output);
  for (std::string key; lines >> key;) {
    std::int64_t number = 0;
    if (key == "layer") {
      std::size_t layer = 0;
      lines >> layer >> number;
      result.layer_instructions.resize(package_.layers.size() + 1);
      result.layer_instructions.at(layer) += number;
    } else if (lines >> number; key == "instructions" && target_ != RunTarget::kHost) {
      result.instructions = result.instructions.value_or(0) + number;
    } else if (key == "stack") {
      result.stack_bytes = std::max(result.stack_bytes, number);
    }
  }
  const std::string output = read_file(folder_.path() / "output.bin");
  const auto expected = static_cast<std::size_t>(count * package_.output_bytes);
  if (output.size() != expected) {
    throw Error(package_.name + " on " + std::string(to_string(target_)) + " wrote " +
                std::to_string(output.size()) + " bytes instead of " + std::to_string(expected));
  }
  result.outputs.insert(result.outputs.end(), output.begin(), output.end());
}

}  // namespace patchnas
