#pragma once

// Counts allocations of the whole program. A program that wants it compiles allocation_counter.cpp,
// which replaces operator new.
//
//   const std::int64_t before = allocations();
//   sweep.run(network);
//   EXPECT_EQ(allocations() - before, 0);

#include <cstdint>

namespace patchnas::testing {

/// Calls of operator new since the program began, in all threads.
std::int64_t allocations();

}  // namespace patchnas::testing
