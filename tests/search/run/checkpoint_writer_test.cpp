#include "search/run/checkpoint_writer.h"

#include <thread>

#include "tests/search/support.h"

namespace patchnas {
namespace {

using Seconds = CheckpointWriter::Seconds;

constexpr Seconds kAlways{0.0};
constexpr Seconds kNever{1e6};

std::function<std::string()> bytes(const std::string& text) {
  return [text] { return text; };
}

class CheckpointWriterTest : public testing::Test {
 protected:
  [[nodiscard]] std::optional<Checkpoint> newest() const { return store_.load_newest().checkpoint; }

  TestFolder folder_;
  CheckpointStore store_{folder_.path(), "stage"};
};

TEST_F(CheckpointWriterTest, WhatWasSavedIsOnDiskOnceItHasFinished) {
  CheckpointWriter writer(store_, kAlways);
  for (int step = 1; step <= 20; ++step) {
    writer.save(step, [&] { return bytes("state " + std::to_string(step)); });
  }
  writer.finish();
  EXPECT_EQ(newest(), (Checkpoint{20, "state 20"}));
  EXPECT_EQ(writer.count(), 20);
}

TEST_F(CheckpointWriterTest, ItFinishesWhenItGoes) {
  {
    CheckpointWriter writer(store_, kAlways);
    writer.save(3, [] { return bytes("state"); });
  }
  EXPECT_EQ(newest(), (Checkpoint{3, "state"}));
}

TEST_F(CheckpointWriterTest, TheWorkGoesOnWhileOneIsWrittenAndNoneIsDueUntilThen) {
  CheckpointWriter writer(store_, kAlways);
  std::promise<void> gate;
  writer.save(1, [&] {
    return [open = gate.get_future().share()] {
      open.wait();
      return std::string("slow");
    };
  });
  EXPECT_FALSE(writer.is_due());
  EXPECT_FALSE(newest()) << "it is not written yet, and save() came back";
  gate.set_value();
  writer.finish();
  EXPECT_EQ(newest(), (Checkpoint{1, "slow"}));
}

TEST_F(CheckpointWriterTest, TheSnapshotIsTakenAtOnce) {
  CheckpointWriter writer(store_, kAlways);
  std::string state = "as it was";
  writer.save(1, [&] { return bytes(state); });
  state = "as it is now";
  writer.finish();
  EXPECT_EQ(newest(), (Checkpoint{1, "as it was"}));
}

TEST_F(CheckpointWriterTest, OneIsDueAfterTheInterval) {
  EXPECT_TRUE(CheckpointWriter(store_, kAlways).is_due());
  EXPECT_FALSE(CheckpointWriter(store_, kNever).is_due());
}

TEST_F(CheckpointWriterTest, SlowSnapshotsComeLessOften) {
  CheckpointWriter writer(store_, kAlways);
  const auto take_snapshot = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return bytes("state");
  };
  const auto start = std::chrono::steady_clock::now();
  writer.save(1, take_snapshot);
  while (!writer.is_due()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const Seconds elapsed = std::chrono::steady_clock::now() - start;
  EXPECT_GE(elapsed * kLargestCheckpointShare, Seconds(0.02));
}

TEST_F(CheckpointWriterTest, AFullDiskSurfacesOnceAndLeavesTheOlderOnes) {
  CheckpointWriter writer(store_, kAlways);
  writer.save(1, [] { return bytes("older"); });
  writer.finish();
  std::string message;
  {
    const FullDisk full(200);
    writer.save(2, [] { return bytes(std::string(1000, 'x')); });
    message = message_of([&] { writer.finish(); });
  }
  EXPECT_EQ(message,
            (folder_.path() / "stage-000000002.ckpt").string() + ": cannot write: File too large");
  EXPECT_EQ(newest(), (Checkpoint{1, "older"}));
  EXPECT_EQ(message_of([&] { writer.finish(); }), "");
  writer.save(3, [] { return bytes("newer"); });
  writer.finish();
  EXPECT_EQ(newest(), (Checkpoint{3, "newer"}));
}

TEST_F(CheckpointWriterTest, WhatCannotBeSavedSurfacesAsItIs) {
  CheckpointWriter writer(store_, kAlways);
  writer.save(1, []() -> std::function<std::string()> {
    return []() -> std::string { throw Error("weights are not finite"); };
  });
  EXPECT_EQ(message_of<Error>([&] {
              while (!writer.is_due()) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
              }
            }),
            "weights are not finite");
}

}  // namespace
}  // namespace patchnas
