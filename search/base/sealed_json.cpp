#include "search/base/sealed_json.h"

#include "arch/base/checksum.h"
#include "arch/base/error.h"

namespace patchnas {
namespace {

constexpr std::string_view kChecksumKey = ",\"crc64\":\"";
constexpr std::size_t kTailBytes = kChecksumKey.size() + 16 + 2;  // key, digits, "}

constexpr int kDeepestJson = 100;

std::string tail_of(std::string_view body, std::string_view owner) {
  const std::uint64_t checksum = crc64(std::string(owner).append(body));
  return std::string(kChecksumKey) + to_hex(checksum) + "\"}";
}

}  // namespace

void require_shallow_json(std::string_view json, const std::string& source) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      i += c == '\\' ? 1 : 0;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepestJson) {
        throw InputError(source + ": nested more than " + std::to_string(kDeepestJson) + " deep");
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

std::string seal_json(std::string json, std::string_view owner) {
  json.resize(json.size() - (json.ends_with("\n}") ? 2 : 1));
  return json + tail_of(json, owner);
}

std::string unseal_json(std::string_view sealed, const std::string& source,
                        std::string_view owner) {
  if (sealed.size() < kTailBytes) {
    throw InputError(source + ": cut short");
  }
  const std::string_view body = sealed.substr(0, sealed.size() - kTailBytes);
  if (sealed.substr(body.size()) != tail_of(body, owner)) {
    throw InputError(source + ": damaged: its checksum does not agree");
  }
  return std::string(body) + "}";
}

}  // namespace patchnas
