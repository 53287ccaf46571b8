#pragma once

// A JSON object that knows when it is damaged: its last member is a checksum over all before it.
//
//   const std::string line = seal_json(R"({"id":7})");      // {"id":7,"crc64":"0123456789abcdef"}
//   const std::string json = unseal_json(line, "file:1");   // {"id":7}

#include <string>
#include <string_view>

namespace patchnas {

/// Handling an object recurses into it: a file from a stranger must not use up the stack.
/// @throws InputError with `source` if arrays and objects are nested more than 100 deep.
void require_shallow_json(std::string_view json, const std::string& source);

/// @param json an object with at least one member, nothing behind it
/// @param owner goes into the checksum: with another one it does not agree
std::string seal_json(std::string json, std::string_view owner = "");
/// The object without its checksum.
/// @throws InputError with `source` if the checksum is missing or does not agree.
std::string unseal_json(std::string_view sealed, const std::string& source,
                        std::string_view owner = "");

}  // namespace patchnas
