#include "arch/base/byte_size.h"

#include <gtest/gtest.h>

namespace patchnas {
namespace {

TEST(ByteSize, IsANumberAndAUnit) {
  EXPECT_EQ(parse_byte_size("0"), 0);
  EXPECT_EQ(parse_byte_size("65536"), 65536);
  EXPECT_EQ(parse_byte_size("12B"), 12);
  EXPECT_EQ(parse_byte_size("64KiB"), 65536);
  EXPECT_EQ(parse_byte_size("64 kib"), 65536);
  EXPECT_EQ(parse_byte_size("0.5MiB"), 524288);
  EXPECT_EQ(parse_byte_size("1.25 KiB"), 1280);
  EXPECT_EQ(parse_byte_size("3GiB"), std::int64_t{3} << 30);
}

TEST(ByteSize, IsNothingElse) {
  for (const char* const text : {"",
                                 " ",
                                 "KiB",
                                 "lots",
                                 "-1",
                                 "+1",
                                 "-1KiB",
                                 "1e3",
                                 "0x10",
                                 "inf",
                                 "nan",
                                 "64K",
                                 "64KB",
                                 "64kB",
                                 "1.5",
                                 "0.3KiB",
                                 "1..5KiB",
                                 "64  KiB",
                                 "64KiB ",
                                 " 64KiB",
                                 "99999999999999999999",
                                 "9007199254740993GiB"}) {
    EXPECT_EQ(parse_byte_size(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace patchnas
