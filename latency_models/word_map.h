#pragma once

// Values by keys of a few words each, for millions of look-ups a second: keys of any lengths lie
// side by side, and looking one up allocates nothing.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace patchnas {

template <typename Value>
class WordMap {
 public:
  using Key = std::span<const std::uint64_t>;

  [[nodiscard]] std::optional<Value> find(Key key) const {
    if (slots_.empty()) {
      return std::nullopt;
    }
    const Slot& slot = slots_[place(key, hash(key))];
    return slot.is_used ? std::optional<Value>(slot.value) : std::nullopt;
  }

  /// The key must not be in.
  void insert(Key key, const Value& value) {
    if (2 * used_ >= slots_.size()) {
      grow();
    }
    const std::uint64_t hashed = hash(key);
    slots_[place(key, hashed)] = {.hash = hashed,
                                  .begin = words_.size(),
                                  .value = value,
                                  .length = static_cast<std::uint32_t>(key.size()),
                                  .is_used = true};
    words_.insert(words_.end(), key.begin(), key.end());
    ++used_;
  }

  [[nodiscard]] std::size_t size() const { return used_; }

 private:
  // Open addressing: a power of two of slots, at least half of them free.
  struct Slot {
    std::uint64_t hash = 0;
    std::size_t begin = 0;  // of the key, in words_
    Value value{};
    std::uint32_t length = 0;
    bool is_used = false;
  };

  static std::uint64_t hash(Key key) {
    std::uint64_t hash = key.size();
    for (const std::uint64_t word : key) {
      hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 32;
    }
    return hash;
  }

  // Where the key is, or would be.
  [[nodiscard]] std::size_t place(Key key, std::uint64_t hashed) const {
    std::size_t at = hashed & (slots_.size() - 1);
    while (slots_[at].is_used && !(slots_[at].hash == hashed && holds(slots_[at], key))) {
      at = (at + 1) & (slots_.size() - 1);
    }
    return at;
  }

  // Keys are too short to be worth a call of memcmp(), which std::equal() would be.
  [[nodiscard]] bool holds(const Slot& slot, Key key) const {
    bool is_equal = slot.length == key.size();
    for (std::size_t i = 0; is_equal && i < key.size(); ++i) {
      is_equal = words_[slot.begin + i] == key[i];
    }
    return is_equal;
  }

  void grow() {
    const std::vector<Slot> before = slots_;
    slots_.assign(std::max<std::size_t>(64, 2 * before.size()), {});
    for (const Slot& slot : before) {
      if (slot.is_used) {
        slots_[place(Key(words_).subspan(slot.begin, slot.length), slot.hash)] = slot;
      }
    }
  }

  std::vector<Slot> slots_;
  std::vector<std::uint64_t> words_;
  std::size_t used_ = 0;
};

}  // namespace patchnas
