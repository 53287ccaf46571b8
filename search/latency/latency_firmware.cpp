#include "search/latency/latency_firmware.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "arch/search_space.h"
#include "deploy/package/c_package.h"
#include "deploy/package/runtime_sources.h"
#include "deploy/package/text_template.h"
#include "search/base/listed_folder.h"
#include "search/engine/latency_file.h"
#include "search/package/untrained_network.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kReadme = R"(# Measuring firmware

Measures the kernels of runtime/ on a board, asked over a serial line: `measure_latency --port DEVICE`.

Compile every .c file here and below but two of measuring/port_*.c, with this folder, runtime/ and measuring/
on the include path as they are named in the sources, optimised as the product will be, and with

    -DFIRMWARE_KERNELS='"@kernels@"'
    -DFIRMWARE_MEMORY_BYTES=N      memory for one operator's tensors and weights; what does not fit is left out
    -DPORT_TARGET='"NAME"'         the board's name in the table

On a board take measuring/port_cortex_m.c, which counts cycles, and write the three functions that it asks for.
`firmware_main()` answers requests until the line ends.
)";

std::string package_name(std::size_t index) { return "calibration" + std::to_string(index); }

std::string calibration_header() {
  return fill(R"(/* Packages that the firmware can run as a whole. */
#ifndef PATCHNAS_CALIBRATION_H
#define PATCHNAS_CALIBRATION_H

#include <stdint.h>

#define CALIBRATION_PACKAGES @count@

void calibration_invoke(int32_t index, int8_t* arena);

#endif
)",
              {{"count", std::to_string(overhead_programs().schedules.size())}});
}

std::string calibration_source() {
  std::string includes;
  std::string cases;
  for (std::size_t i = 0; i < overhead_programs().schedules.size(); ++i) {
    const std::string name = package_name(i);
    includes += fill("#include \"@name@.h\"\n", {{"name", name}});
    cases += fill(R"(    case @index@:
      @name@_invoke(arena, @name@_input(arena), 0);
      break;
)",
                  {{"index", std::to_string(i)}, {"name", name}});
  }
  return fill(R"(#include "calibration.h"

@includes@
void calibration_invoke(int32_t index, int8_t* arena) {
  switch (index) {
@cases@    default:
      break;
  }
}
)",
              {{"includes", includes}, {"cases", cases}});
}

constexpr const char* kList = "firmware.json";
constexpr const char* kMark = "kernels";

ListedFolder firmware_folder(const fs::path& folder) {
  return {.path = folder, .list = kList, .mark = kMark};
}

}  // namespace

const OverheadPrograms& overhead_programs() {
  static const OverheadPrograms instance = [] {
    // Kernels that take the same wherever their tensors lie.
    constexpr Kernel kWindow{3, 3, 1, 1, 1, 1};
    constexpr Kernel kHalves{3, 3, 2, 2, 1, 1};
    OverheadPrograms made;
    made.network.input = {12, 12, 3};
    const auto add = [&](const Kernel& kernel, const TensorShape& output) {
      made.network.layers.push_back(
          {.inputs = {made.network.layer_count(), kNoTensor}, .output = output, .kernel = kernel});
    };
    add(kWindow, {12, 12, 4});
    add({}, {12, 12, 8});
    add(kWindow, {12, 12, 8});
    add({}, {12, 12, 4});
    add({}, {12, 12, 8});
    add(kHalves, {6, 6, 8});
    add({}, {6, 6, 8});
    add(kWindow, {6, 6, 8});
    add({}, {6, 6, 8});
    add({}, {6, 6, 16});
    validate(made.network);
    made.schedules = {PatchSchedule::layer_by_layer(), PatchSchedule::leading({3, 3}, 1),
                      PatchSchedule::leading({3, 3}, 4), PatchSchedule::leading({3, 3}, 9),
                      PatchSchedule::leading({2, 2}, 9)};
    return made;
  }();
  return instance;
}

void require_firmware_place(const fs::path& folder) { firmware_folder(folder).require_ours(); }

void write_firmware_sources(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const SourceFile& file : runtime_sources()) {
    if (file.path.ends_with(".c") || file.path.ends_with(".h")) {
      files[std::string(file.path)] = file.text;
    }
  }
  for (const SourceFile& file : measuring_sources()) {
    files["measuring/" + fs::path(file.path).filename().string()] = file.text;
  }
  RandomStream stream(1, "latency/calibration");
  const QuantizedNetwork network = untrained_network(overhead_programs().network, stream);
  for (std::size_t i = 0; i < overhead_programs().schedules.size(); ++i) {
    const CPackage package = make_c_package(network, overhead_programs().schedules[i],
                                            InputMode::kResident, package_name(i));
    // All of them with the kernels that are measured.
    for (const auto& [path, text] : package.files) {
      if (path.starts_with(package_name(i))) {
        files[path] = text;
      }
    }
  }
  files["calibration.h"] = calibration_header();
  files["calibration.c"] = calibration_source();
  files["README.md"] = fill(kReadme, {{"kernels", kernels_version()}});
  files[kList] = nlohmann::ordered_json{{kMark, kernels_version()}}.dump();
  firmware_folder(folder).replace(files);
}

LatencyFirmware::LatencyFirmware(RunTarget target) {
  require_tools(target);
  const Toolchain tools(target);
  const bool on_host = target == RunTarget::kHost;
  write_firmware_sources(folder_.path());
  if (!on_host) {
    write_board(folder_.path());
  }
  std::vector<std::string> words{
      "-I.", "-Imeasuring", "-DFIRMWARE_KERNELS=\"" + kernels_version() + "\"", "-o", "program"};
  const fs::path port = on_host ? "port_host.c" : "port_emulator.c";
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
    const fs::path name = entry.path().filename();
    const bool is_other_port = name.string().starts_with("port_") && name != port;
    if (name.extension() == ".c" && !is_other_port) {
      words.push_back(fs::relative(entry.path(), folder_.path()).string());
    }
  }
  for (const std::string& option : tools.link_options()) {
    words.push_back(option);
  }
  tools.compile(words, folder_.path(), "the measuring firmware");
  process_ =
      std::make_unique<ChildProcess>(tools.start_command("program", "stdio"), folder_.path());
  line_ = std::make_unique<MeasuringLine>(process_->output(), process_->input(), LinePatience{});
}

BoardLine::BoardLine(const std::string& device, int baud, LinePatience patience)
    : port_(open_serial_port(device, baud)), line_(port_, port_, patience) {}

BoardLine::~BoardLine() { ::close(port_); }

}  // namespace patchnas
