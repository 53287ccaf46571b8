#include "search/run/checkpoint.h"

#include "arch/base/checksum.h"
#include "arch/base/random.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

std::string random_bytes(std::size_t size, std::string_view name) {
  RandomStream stream(7, name);
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) {
    bytes.push_back(static_cast<char>(stream.below(256)));
  }
  return bytes;
}

TEST(Checksum, HasThePublishedCheckValue) {
  EXPECT_EQ(to_hex(crc64("123456789")), "995dc9bbdf1939fa");
}

TEST(Checkpoint, RoundTrips) {
  for (const std::size_t size : {0, 1, 100, 5000}) {
    const Checkpoint checkpoint{.step = 123456789012, .bytes = random_bytes(size, "round trip")};
    EXPECT_EQ(decode_checkpoint("stage", encode_checkpoint("stage", checkpoint), "file"),
              checkpoint);
  }
}

TEST(Checkpoint, CutShortAtAnyLengthIsRejected) {
  const std::string container =
      encode_checkpoint("stage", {.step = 3, .bytes = random_bytes(60, "cut")});
  for (std::size_t length = 0; length < container.size(); ++length) {
    EXPECT_THROW(decode_checkpoint("stage", container.substr(0, length), "file"), InputError)
        << length;
  }
  EXPECT_THROW(decode_checkpoint("stage", container + "x", "file"), InputError);
}

TEST(Checkpoint, AnyFlippedBitIsRejected) {
  const std::string container =
      encode_checkpoint("stage", {.step = 3, .bytes = random_bytes(60, "flip")});
  for (std::size_t bit = 0; bit < 8 * container.size(); ++bit) {
    std::string damaged = container;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_THROW(decode_checkpoint("stage", damaged, "file"), InputError) << bit;
  }
}

TEST(Checkpoint, OfAnotherStageIsRejected) {
  const std::string container = encode_checkpoint("train_largest", {.step = 3, .bytes = "x"});
  EXPECT_EQ(message_of([&] { decode_checkpoint("finetune", container, "file"); }),
            "file: holds 'train_largest', not 'finetune'");
}

TEST(CheckpointStore, KeepsTheNewestTwo) {
  const TestFolder folder;
  const CheckpointStore store(folder.path(), "stage");
  EXPECT_FALSE(store.load_newest().checkpoint);
  for (int step = 1; step <= 12; ++step) {
    store.save(step, "state " + std::to_string(step));
  }
  EXPECT_EQ(store.load_newest().checkpoint, (Checkpoint{12, "state 12"}));
  const auto files = std::filesystem::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 2);
}

TEST(CheckpointStore, DoesNotMixUpStages) {
  const TestFolder folder;
  const CheckpointStore a(folder.path(), "train");
  const CheckpointStore b(folder.path(), "train-more");
  a.save(5, "a");
  b.save(9, "b");
  EXPECT_EQ(a.load_newest().checkpoint, (Checkpoint{5, "a"}));
  EXPECT_EQ(b.load_newest().checkpoint, (Checkpoint{9, "b"}));
}

class DamagedCheckpoint : public testing::Test {
 protected:
  void SetUp() override {
    store_.save(10, "older");
    store_.save(20, "newer");
  }
  [[nodiscard]] std::filesystem::path file(const char* name) const { return folder_.path() / name; }

  TestFolder folder_;
  CheckpointStore store_{folder_.path(), "stage"};
};

TEST_F(DamagedCheckpoint, ThePreviousOneIsUsedAndTheDamageReported) {
  const std::string intact = contents(file("stage-000000020.ckpt"));
  for (std::size_t length = 0; length < intact.size(); ++length) {
    overwrite(file("stage-000000020.ckpt"), intact.substr(0, length));
    const auto newest = store_.load_newest();
    ASSERT_EQ(newest.checkpoint, (Checkpoint{10, "older"})) << length;
    ASSERT_EQ(newest.damage.size(), 1U);
    EXPECT_NE(newest.damage[0].find("stage-000000020.ckpt: "), std::string::npos);
  }
}

TEST_F(DamagedCheckpoint, IfNoneIsIntactNothingIsThrownAwaySilently) {
  overwrite(file("stage-000000020.ckpt"), "PATCHNAS");
  overwrite(file("stage-000000010.ckpt"), "");
  EXPECT_EQ(
      message_of([&] { (void)store_.load_newest(); }),
      file("stage-000000020.ckpt").string() +
          ": damaged checkpoint: cut short after 8 bytes; no older checkpoint is intact: remove " +
          file("stage-*.ckpt").string() + " to train this stage from its beginning");
}

TEST_F(DamagedCheckpoint, AFullDiskLeavesTheOlderOnes) {
  std::string message;
  {
    const FullDisk full(200);
    message = message_of([&] { store_.save(30, std::string(1000, 'x')); });
  }
  EXPECT_EQ(message, file("stage-000000030.ckpt").string() + ": cannot write: File too large");
  EXPECT_EQ(store_.load_newest().checkpoint, (Checkpoint{20, "newer"}));
}

}  // namespace
}  // namespace patchnas
