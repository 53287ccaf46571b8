#pragma once

// Small static functions of generated programs: used by c_program.cpp alone.

#include <string>

namespace patchnas {

/// The definitions, in C, of those helpers that `functions` call.
std::string helpers_for(const std::string& functions);

}  // namespace patchnas
