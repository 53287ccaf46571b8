#include "supernet/network/state_bytes.h"

#include <bit>
#include <cstring>

#include <zlib.h>

#include "arch/base/error.h"

namespace patchnas {
namespace {

static_assert(std::endian::native == std::endian::little,
              "floats are stored as they lie in memory");

constexpr std::string_view kMagic = "PNASTAT1";

void append_number(std::uint64_t value, std::string& bytes) {
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<char>(value >> (8 * i) & 0xFFU));
  }
}

void append_text(std::string_view text, std::string& bytes) {
  append_number(text.size(), bytes);
  bytes.append(text);
}

std::uint64_t number(std::string_view bytes) {
  std::uint64_t value = 0;
  int shift = 0;
  for (const char byte : bytes) {
    value |= std::uint64_t{static_cast<unsigned char>(byte)} << shift;
    shift += 8;
  }
  return value;
}

std::uint64_t checksum(std::string_view bytes) {
  return crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()),
                 bytes.size());
}

}  // namespace

StateWriter::StateWriter(std::string_view kind, std::string_view owner) : bytes_(kMagic) {
  append_text(kind, bytes_);
  append_text(owner, bytes_);
}

void StateWriter::add(std::string_view name, std::span<const float> values) {
  append_text(name, bytes_);
  append_text({reinterpret_cast<const char*>(values.data()), values.size_bytes()}, bytes_);
}

void StateWriter::add(std::string_view name, std::int64_t value) {
  append_text(name, bytes_);
  append_number(8, bytes_);
  append_number(static_cast<std::uint64_t>(value), bytes_);
}

std::string StateWriter::finish() && {
  append_number(checksum(bytes_), bytes_);
  return std::move(bytes_);
}

StateReader::StateReader(std::string_view bytes, std::string_view kind, std::string_view owner)
    : kind_(kind) {
  if (bytes.substr(0, kMagic.size()) != kMagic || bytes.size() < kMagic.size() + 8) {
    fail("is not a saved state of this version");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - 8);
  if (number(bytes.substr(bytes.size() - 8)) != checksum(body)) {
    fail("is cut short or damaged: its checksum does not match");
  }
  rest_ = body.substr(kMagic.size());
  const std::string_view saved_kind = take_text();
  if (saved_kind != kind) {
    fail("is of kind " + std::string(saved_kind) + " instead");
  }
  if (take_text() != owner) {
    fail("belongs to another network or another training");
  }
}

std::string_view StateReader::take(std::size_t size) {
  if (size > rest_.size()) {
    fail("ends too early");
  }
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

std::uint64_t StateReader::take_number() { return number(take(8)); }

std::string_view StateReader::take_text() { return take(take_number()); }

std::string_view StateReader::entry(std::string_view name, std::size_t size_bytes) {
  const std::string_view saved_name = take_text();
  const std::string_view content = take_text();
  if (saved_name != name || content.size() != size_bytes) {
    fail("holds " + std::string(saved_name) + " of " + std::to_string(content.size()) +
         " bytes where " + std::string(name) + " of " + std::to_string(size_bytes) +
         " bytes belongs");
  }
  return content;
}

std::vector<float> StateReader::floats(std::string_view name, std::size_t size) {
  const std::string_view content = entry(name, size * sizeof(float));
  std::vector<float> values(size);
  std::memcpy(values.data(), content.data(), content.size());
  return values;
}

std::int64_t StateReader::integer(std::string_view name) {
  return static_cast<std::int64_t>(number(entry(name, 8)));
}

void StateReader::finish() const {
  if (!rest_.empty()) {
    fail("holds more than it should");
  }
}

void StateReader::fail(const std::string& what) const {
  throw InputError("saved state of the " + kind_ + " " + what);
}

}  // namespace patchnas
