#include "deploy/package/text_template.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace patchnas {
namespace {

TEST(TextTemplate, FillsEveryGap) {
  EXPECT_EQ(fill("@a@ and @b@, @a@", {{"a", "one"}, {"b", "@two@"}}), "one and @two@, one");
  EXPECT_EQ(fill("no gap", {}), "no gap");
  EXPECT_EQ(fill("", {}), "");
  EXPECT_EQ(fill("$@@ of @a@@@", {{"a", "x"}}), "$@ of x@");
}

TEST(TextTemplate, RefusesGapsThatNothingFills) {
  EXPECT_THROW(fill("@c@", {{"a", "one"}}), std::logic_error);
  EXPECT_THROW(fill("a@", {{"a", "one"}}), std::logic_error);
}

}  // namespace
}  // namespace patchnas
