#include "search/run/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "arch/base/checksum.h"
#include "arch/base/error.h"
#include "search/base/files.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "PATCHNAS";
constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kExtension = ".ckpt";
constexpr std::size_t kHeaderBytes = 8 + 4 + 4 + 8 + 8;
constexpr std::size_t kChecksumBytes = 8;
constexpr std::size_t kKept = 2;

template <typename T>
void put(std::string& bytes, T value) {
  auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i, bits >>= 8)
    bytes.push_back(static_cast<char>(bits & 0xFF));
}

template <typename T>
T get(std::string_view bytes, std::size_t offset) {
  std::uint64_t bits = 0;
  for (std::size_t i = sizeof(T); i > 0; --i)
    bits = (bits << 8) | static_cast<unsigned char>(bytes[offset + i - 1]);
  return static_cast<T>(bits);
}

std::string file_name(const std::string& name, std::int64_t step) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "-%09lld", static_cast<long long>(step));
  return name + digits + std::string(kExtension);
}

std::optional<std::int64_t> step_of(std::string_view file, std::string_view name) {
  if (!file.starts_with(name) || !file.ends_with(kExtension)) {
    return std::nullopt;
  }
  file.remove_prefix(name.size());
  file.remove_suffix(kExtension.size());
  if (!file.starts_with('-')) {
    return std::nullopt;
  }
  file.remove_prefix(1);
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(file.data(), file.data() + file.size(), step);
  if (error != std::errc() || end != file.data() + file.size() || file.empty()) {
    return std::nullopt;
  }
  return step;
}

}  // namespace

std::string encode_checkpoint(std::string_view name, const Checkpoint& checkpoint) {
  std::string container(kMagic);
  container.reserve(kHeaderBytes + name.size() + checkpoint.bytes.size() + kChecksumBytes);
  put(container, kVersion);
  put(container, static_cast<std::uint32_t>(name.size()));
  put(container, checkpoint.step);
  put(container, static_cast<std::uint64_t>(checkpoint.bytes.size()));
  container.append(name).append(checkpoint.bytes);
  put(container, crc64(container));
  return container;
}

Checkpoint decode_checkpoint(std::string_view name, std::string_view container,
                             const std::string& source) {
  const auto damaged = [&](const std::string& reason) {
    return InputError(source + ": damaged checkpoint: " + reason);
  };
  if (container.size() < kHeaderBytes + kChecksumBytes) {
    throw damaged("cut short after " + std::to_string(container.size()) + " bytes");
  }
  if (!container.starts_with(kMagic)) {
    throw InputError(source + ": not a checkpoint of PatchNAS");
  }
  const auto version = get<std::uint32_t>(container, 8);
  const auto name_bytes = get<std::uint32_t>(container, 12);
  const auto payload_bytes = get<std::uint64_t>(container, 24);
  const std::size_t rest = container.size() - kHeaderBytes - kChecksumBytes;
  if (name_bytes > rest || payload_bytes != rest - name_bytes) {
    throw damaged("its length is not the " + std::to_string(payload_bytes) +
                  " bytes that it states");
  }
  const std::string_view checked = container.substr(0, container.size() - kChecksumBytes);
  if (crc64(checked) != get<std::uint64_t>(container, checked.size()))
    throw damaged("its checksum does not agree");
  if (version != kVersion) {
    throw InputError(source + ": checkpoint version " + std::to_string(version) +
                     "; this program reads version " + std::to_string(kVersion));
  }
  if (container.substr(kHeaderBytes, name_bytes) != name) {
    throw InputError(source + ": holds '" +
                     std::string(container.substr(kHeaderBytes, name_bytes)) + "', not '" +
                     std::string(name) + "'");
  }
  return {get<std::int64_t>(container, 16),
          std::string(container.substr(kHeaderBytes + name_bytes, payload_bytes))};
}

CheckpointStore::CheckpointStore(fs::path directory, std::string name)
    : directory_(std::move(directory)), name_(std::move(name)) {}

std::vector<CheckpointStore::File> CheckpointStore::files_newest_first() const {
  std::vector<File> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    if (const auto step = step_of(entry.path().filename().string(), name_))
      files.push_back({*step, entry.path()});
  }
  std::sort(files.begin(), files.end(),
            [](const File& a, const File& b) { return a.step > b.step; });
  return files;
}

fs::path CheckpointStore::file(std::int64_t step) const {
  return directory_ / file_name(name_, step);
}

void CheckpointStore::save(std::int64_t step, std::string_view bytes) const {
  write_file(file(step), encode_checkpoint(name_, {step, std::string(bytes)}));
  const std::vector<File> files = files_newest_first();
  for (std::size_t i = kKept; i < files.size(); ++i) {
    std::error_code ignored;  // a file that cannot be removed costs space, not correctness
    fs::remove(files[i].path, ignored);
  }
}

CheckpointStore::Newest CheckpointStore::load_newest() const {
  Newest newest;
  for (const File& file : files_newest_first()) {
    try {
      Checkpoint checkpoint = decode_checkpoint(name_, read_file(file.path), file.path.string());
      if (checkpoint.step != file.step) {
        throw InputError(file.path.string() + ": holds step " + std::to_string(checkpoint.step));
      }
      newest.checkpoint = std::move(checkpoint);
      return newest;
    } catch (const InputError& error) {
      newest.damage.emplace_back(error.what());
    }
  }
  if (!newest.damage.empty()) {
    throw InputError(newest.damage.front() + "; no older checkpoint is intact: remove " +
                     (directory_ / (name_ + "-*" + std::string(kExtension))).string() +
                     " to train this stage from its beginning");
  }
  return newest;
}

}  // namespace patchnas
