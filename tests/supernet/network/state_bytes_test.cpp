#include "supernet/network/state_bytes.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arch/base/error.h"

namespace patchnas {
namespace {

TEST(StateBytesTest, RoundTripsAndNamesWhatIsWrong) {
  StateWriter writer("thing", "owner");
  writer.add("count", -5);
  writer.add("values", std::vector<float>{1.5F, -2.0F});
  const std::string bytes = std::move(writer).finish();
  StateReader reader(bytes, "thing", "owner");
  EXPECT_EQ(reader.integer("count"), -5);
  EXPECT_THROW(reader.finish(), InputError);
  EXPECT_EQ(reader.floats("values", 2), (std::vector<float>{1.5F, -2.0F}));
  reader.finish();
  EXPECT_THROW(StateReader(bytes, "other", "owner"), InputError);
  EXPECT_THROW(StateReader(bytes, "thing", "stranger"), InputError);
  EXPECT_THROW(StateReader(bytes, "thing", "owner").integer("values"), InputError);
  EXPECT_THROW(StateReader("", "thing", "owner"), InputError);
}

}  // namespace
}  // namespace patchnas
