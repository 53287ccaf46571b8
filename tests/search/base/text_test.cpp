#include "search/base/text.h"

#include <gtest/gtest.h>

namespace patchnas {
namespace {

TEST(Text, OneThingIsNoneOfMany) {
  EXPECT_EQ(counted(0, "image"), "0 images");
  EXPECT_EQ(counted(1, "image"), "1 image");
  EXPECT_EQ(counted(12345, "operator"), "12,345 operators");
}

}  // namespace
}  // namespace patchnas
