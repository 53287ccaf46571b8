// The host's end of the line to the measuring firmware, against a board that misbehaves, on a
// pseudo-terminal.

#include "latency_models/measuring_line.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <sstream>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>
#include <poll.h>

#include "arch/base/error.h"
#include "arch/base/random.h"

namespace patchnas {
namespace {

using namespace std::chrono_literals;

std::string line_of(const std::string& text) {
  static constexpr const char* kDigits = "0123456789abcdef";
  std::string line = text + "*";
  for (int shift = 12; shift >= 0; shift -= 4) {
    line += kDigits[line_checksum(text) >> shift & 15];
  }
  return line + "\n";
}

/// -1 and errno where there is none: /dev/pts is not mounted everywhere.
int open_pseudo_terminal() {
  const int board = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (board < 0) {
    return -1;
  }
  if (::grantpt(board) == 0 && ::unlockpt(board) == 0 && ::ptsname(board) != nullptr &&
      ::access(::ptsname(board), R_OK | W_OK) == 0) {
    return board;
  }
  const int error = errno;
  ::close(board);
  errno = error;
  return -1;
}

// Answers each line that arrives with what `answer` makes of it.
class FakeBoard {
 public:
  using Answer = std::function<std::string(const std::string& line)>;

  explicit FakeBoard(Answer answer) : answer_(std::move(answer)) {
    board_ = open_pseudo_terminal();
    port_ = open_serial_port(::ptsname(board_), 115200);
    thread_ = std::thread([this] { serve(); });
  }
  FakeBoard(const FakeBoard&) = delete;
  FakeBoard& operator=(const FakeBoard&) = delete;
  ~FakeBoard() {
    stop_ = true;
    thread_.join();
    ::close(port_);
    ::close(board_);
  }

  [[nodiscard]] int port() const { return port_; }

 private:
  void serve() {
    std::string received;
    while (!stop_) {
      pollfd readable{board_, POLLIN, 0};
      char c = 0;
      if (::poll(&readable, 1, 5) <= 0 || ::read(board_, &c, 1) != 1) {
        continue;
      }
      if (c != '\n') {
        received += c;
        continue;
      }
      const std::string bytes = answer_(received);
      received.clear();
      for (std::size_t sent = 0; sent < bytes.size();) {
        const ssize_t count = ::write(board_, bytes.data() + sent, bytes.size() - sent);
        sent += count > 0 ? static_cast<std::size_t>(count) : 0;
      }
    }
  }

  Answer answer_;
  int board_ = -1;
  int port_ = -1;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

std::string words_after(const std::string& line, int words) {
  std::istringstream stream(line.substr(0, line.rfind('*')));
  std::string word;
  for (int i = 0; i < words; ++i) {
    stream >> word;
  }
  std::string rest;
  std::getline(stream, rest);
  return rest;
}

std::string number_of(const std::string& line) { return line.substr(0, line.find(' ')); }

const OperatorKey kKey = parse_operator_key("convolve 3x3 2x2 1x1 27x27x3 14x14x16", "test");
constexpr const char* kRequest = " run convolve 3 3 2 2 1 1 27 27 3 14 14 16 2";

class MeasuringLineTest : public testing::Test {
 protected:
  void SetUp() override {
    const int board = open_pseudo_terminal();
    if (board < 0) {
      GTEST_SKIP() << "no pseudo-terminal (is /dev/pts mounted?): " << std::strerror(errno);
    }
    ::close(board);
  }
};

TEST_F(MeasuringLineTest, AsksAndReadsCosts) {
  FakeBoard board([](const std::string& line) {
    const std::string text = line.substr(0, line.rfind('*'));
    EXPECT_EQ(line + "\n", line_of(text));
    if (text == number_of(line) + " hello") {
      return line_of(number_of(line) + " ok 1 stm32h743 cycles 0123abcd");
    }
    EXPECT_EQ(text, number_of(line) + kRequest);
    return line_of(number_of(line) + " ok 1234 1230");
  });
  MeasuringLine line(board.port(), board.port(), {.answer_timeout = 2s, .attempts = 2});
  const FirmwareInfo info = line.hello();
  EXPECT_EQ(info.target, "stm32h743");
  EXPECT_EQ(info.unit, "cycles");
  EXPECT_EQ(info.kernels, "0123abcd");
  EXPECT_EQ(line.run(kKey, 2), (std::vector<std::int64_t>{1234, 1230}));
  EXPECT_EQ(line.resent(), 0);
}

// Every answer may be lost, garbled, repeated, late behind noise, or a reset; costs that arrive are
// always those of the operator that was asked for.
TEST_F(MeasuringLineTest, SurvivesLossGarbageAndResets) {
  RandomStream faults(5, "line/faults");
  FakeBoard board([&](const std::string& line) -> std::string {
    const std::string answer =
        line_of(number_of(line) + " ok " + std::to_string(1000 + std::stoi(words_after(line, 14))));
    const std::string noise = "\x01\xff garbage 7 ok 1*0000\n\n";
    switch (faults.below(8)) {
      case 0:
        return "";
      case 1:
        return line_of("0 ready");
      case 2:
        return noise + line_of("0 ready").substr(3);
      case 3: {
        std::string garbled = answer;
        garbled[faults.below(garbled.size() - 6)] ^= 4;
        return garbled;
      }
      case 4:
        return noise + answer + answer;
      case 5:
        return line_of("99999 ok 17") + answer;
      case 6:
        return answer.substr(0, answer.size() / 2) + "\n";
      default:
        return answer;
    }
  });
  MeasuringLine line(board.port(), board.port(), {.answer_timeout = 30ms, .attempts = 40});
  for (int channels = 1; channels < 60; ++channels) {
    OperatorKey key = kKey;
    key.family.output_channels = channels;
    EXPECT_EQ(line.run(key, 1), std::vector<std::int64_t>{1000 + channels});
  }
  EXPECT_GT(line.resent(), 10);
}

TEST_F(MeasuringLineTest, GivesUpOnSilence) {
  FakeBoard board([](const std::string&) { return std::string(); });
  MeasuringLine line(board.port(), board.port(), {.answer_timeout = 20ms, .attempts = 3});
  EXPECT_THROW(line.run(kKey, 1), Error);
  EXPECT_EQ(line.resent(), 2);
}

TEST_F(MeasuringLineTest, TellsWhatDoesNotFitFromWhatIsRefused) {
  FakeBoard board([](const std::string& line) {
    return line_of(number_of(line) + (line.find("run convolve") != std::string::npos
                                          ? " error no room for this operator"
                                          : " error no such kernel"));
  });
  MeasuringLine line(board.port(), board.port(), {.answer_timeout = 2s, .attempts = 2});
  EXPECT_TRUE(line.run(kKey, 1).empty());
  OperatorKey other = kKey;
  other.family.kernel = KernelFunction::kMaxPool;
  EXPECT_THROW(line.run(other, 1), Error);
  EXPECT_THROW(line.hello(), InputError);
}

TEST_F(MeasuringLineTest, SaysWhetherAnOutputLiesOverItsInput) {
  FakeBoard board([](const std::string& line) {
    const bool over = line.find(" run depthwise_over_input 3 3 ") != std::string::npos;
    const bool apart = line.find(" run depthwise 3 3 ") != std::string::npos;
    return line_of(number_of(line) + (over ? " ok 5" : apart ? " ok 6" : " error what?"));
  });
  MeasuringLine line(board.port(), board.port(), {.answer_timeout = 2s, .attempts = 2});
  OperatorKey key = kKey;
  key.family.kernel = KernelFunction::kDepthwise;
  EXPECT_EQ(line.run(key, 1), std::vector<std::int64_t>{6});
  key.family.over_input = true;
  EXPECT_EQ(line.run(key, 1), std::vector<std::int64_t>{5});
}

TEST(SerialPort, RefusesWhatIsNone) {
  EXPECT_THROW(open_serial_port("/no/such/port", 115200), InputError);
  EXPECT_THROW(open_serial_port("/dev/null", 115200), InputError);
  EXPECT_THROW(open_serial_port("/dev/null", 12345), InputError);
}

}  // namespace
}  // namespace patchnas
