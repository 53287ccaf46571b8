#pragma once

// Checkpoints: bytes with a step number, in a container that knows when it is damaged.
//
//   CheckpointStore store(run / "supernet", "train_supernet");
//   store.save(1200, trainer.save());
//   const CheckpointStore::Newest newest = store.load_newest();
//   if (newest.checkpoint) trainer.load(newest.checkpoint->bytes);

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace patchnas {

struct Checkpoint {
  std::int64_t step = 0;
  std::string bytes;
  bool operator==(const Checkpoint&) const = default;
};

/// Container, little-endian: "PATCHNAS", u32 version, u32 length of the name, i64 step, u64 length
/// of the bytes, name, bytes, u64 CRC-64 of everything before it. `name` says whose state it is.
std::string encode_checkpoint(std::string_view name, const Checkpoint& checkpoint);
/// Reads nothing but lengths before the checksum has agreed.
/// @throws InputError with `source` if the container is damaged, of another version or of another
/// name.
Checkpoint decode_checkpoint(std::string_view name, std::string_view container,
                             const std::string& source);

/// The checkpoints of one stage: files NAME-STEP.ckpt in a folder, of which the newest two are
/// kept.
class CheckpointStore {
 public:
  CheckpointStore(std::filesystem::path directory, std::string name);

  /// Returns once the checkpoint is on disk; then removes older ones.
  /// @throws InputError if it cannot be written; the older ones stay.
  void save(std::int64_t step, std::string_view bytes) const;

  struct Newest {
    std::optional<Checkpoint> checkpoint;  ///< absent only if there is no file at all
    std::vector<std::string> damage;  ///< one line for each newer file that had to be passed over
  };
  /// Where the checkpoint of a step is.
  [[nodiscard]] std::filesystem::path file(std::int64_t step) const;

  /// The newest checkpoint that is intact.
  /// @throws InputError if there are files and none is intact: hours of work are not thrown away
  /// without asking.
  [[nodiscard]] Newest load_newest() const;

 private:
  struct File {
    std::int64_t step = 0;
    std::filesystem::path path;
  };
  [[nodiscard]] std::vector<File> files_newest_first() const;

  std::filesystem::path directory_;
  std::string name_;
};

}  // namespace patchnas
