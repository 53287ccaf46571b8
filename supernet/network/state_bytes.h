#pragma once

// Weights and counters as one byte string: magic, version, a text that says what they belong to,
// entries with name and size, and a CRC-32 of all that. Numbers are little-endian. Reading executes
// nothing.
//
//   StateWriter writer("supernet", signature);
//   writer.add("weights", floats);
//   std::string bytes = std::move(writer).finish();
//   StateReader reader(bytes, "supernet", signature);
//   std::vector<float> floats = reader.floats("weights", expected_size);
//   reader.finish();

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace patchnas {

class StateWriter {
 public:
  /// @param kind what this is, @param owner what it belongs to: another one cannot load it
  StateWriter(std::string_view kind, std::string_view owner);

  void add(std::string_view name, std::span<const float> values);
  void add(std::string_view name, std::int64_t value);

  [[nodiscard]] std::string finish() &&;

 private:
  std::string bytes_;
};

class StateReader {
 public:
  /// @throws InputError if the bytes are cut short or damaged, of another kind, or of another
  /// owner.
  StateReader(std::string_view bytes, std::string_view kind, std::string_view owner);

  /// Entries come in the order in which they were written.
  /// @throws InputError if the next entry has another name or size.
  std::vector<float> floats(std::string_view name, std::size_t size);
  std::int64_t integer(std::string_view name);

  /// @throws InputError if entries are left.
  void finish() const;

 private:
  std::string_view take(std::size_t size);
  std::uint64_t take_number();
  std::string_view take_text();
  std::string_view entry(std::string_view name, std::size_t size_bytes);
  [[noreturn]] void fail(const std::string& what) const;

  std::string kind_;
  std::string_view rest_;
};

}  // namespace patchnas
