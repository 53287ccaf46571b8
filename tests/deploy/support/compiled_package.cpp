#include "tests/deploy/support/compiled_package.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <stdexcept>
#include <unistd.h>

#include <dlfcn.h>

namespace patchnas::testing {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "patchnas-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("no temporary folder");
  }
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

void write_package(const CPackage& package, const fs::path& folder) {
  for (const auto& [path, text] : package.files) {
    fs::create_directories((folder / path).parent_path());
    std::ofstream(folder / path, std::ios::binary) << text;
  }
}

CommandResult run_command(const std::string& command) {
  CommandResult result;
  std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    result.output.append(buffer.data(), count);
  }
  result.status = ::pclose(pipe);
  return result;
}

bool has_c_compiler() { return run_command("cc --version").status == 0; }

CompiledPackages::CompiledPackages(const std::vector<CPackage>& packages, const std::string& flags,
                                   PackageFolders folders) {
  std::set<std::string> sources;
  std::set<std::string> include_folders;
  for (std::size_t i = 0; i < packages.size(); ++i) {
    const std::string folder =
        folders == PackageFolders::kShared ? "." : "package" + std::to_string(i);
    include_folders.insert("-I" + folder);
    write_package(packages[i], folder_.path() / folder);
    for (const auto& [path, text] : packages[i].files) {
      if (path.ends_with(".c")) {
        sources.insert(folder + "/" + path);
      }
    }
  }
  std::string command = "cd '" + folder_.path().string() + "' && cc -shared -fPIC -O1 " +
                        kPackageFlags + " " + flags + " -o packages.so";
  for (const std::string& folder : include_folders) {
    command += " " + folder;
  }
  for (const std::string& source : sources) {
    command += " " + source;
  }
  const CommandResult result = run_command(command);
  errors_ = result.status == 0 ? "" : "failed: " + result.output;
  if (result.status == 0) {
    library_ = ::dlopen((folder_.path() / "packages.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    errors_ = library_ == nullptr ? ::dlerror() : "";
  }
}

CompiledPackages::~CompiledPackages() {
  if (library_ != nullptr) {
    ::dlclose(library_);
  }
}

void* CompiledPackages::symbol(const std::string& name) const {
  void* const result = ::dlsym(library_, name.c_str());
  if (result == nullptr) {
    throw std::runtime_error("no " + name + " in the compiled packages");
  }
  return result;
}

std::vector<std::int8_t> CompiledPackages::run_resident(const std::string& name,
                                                        std::span<const std::int8_t> image,
                                                        std::span<std::int8_t> memory,
                                                        std::int64_t output_bytes) const {
  std::int8_t* const place = function<PlaceFunction>(name + "_input")(memory.data());
  std::copy(image.begin(), image.end(), place);
  std::vector<std::int8_t> output(static_cast<std::size_t>(output_bytes));
  if (function<InvokeResident>(name + "_invoke")(memory.data(), place, output.data()) != 0) {
    throw std::runtime_error(name + "_invoke failed");
  }
  return output;
}

std::vector<std::int8_t> CompiledPackages::run_streamed(const std::string& name,
                                                        const ImageSource& image, int channels,
                                                        std::span<std::int8_t> memory,
                                                        std::int64_t output_bytes) const {
  struct Context {
    const ImageSource& image;
    int channels;
  } context{image, channels};
  ReadFunction* const read = [](void* c, std::int32_t row_begin, std::int32_t row_end,
                                std::int32_t col_begin, std::int32_t col_end,
                                std::int8_t* destination) {
    const auto& [source, image_channels] = *static_cast<const Context*>(c);
    const Rect rect{{row_begin, row_end}, {col_begin, col_end}};
    source(rect, {destination, static_cast<std::size_t>(rect.pixels() * image_channels)});
  };
  std::vector<std::int8_t> output(static_cast<std::size_t>(output_bytes));
  if (function<InvokeStreamed>(name + "_invoke")(memory.data(), read, &context, output.data()) !=
      0) {
    throw std::runtime_error(name + "_invoke failed");
  }
  return output;
}

}  // namespace patchnas::testing
