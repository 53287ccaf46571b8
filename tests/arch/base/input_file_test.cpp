#include "arch/base/input_file.h"

#include <fstream>
#include <string>
#include <thread>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

class InputFileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / ("patchnas_input_" + std::string(info->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fifo_ = folder_ / "fifo";
    ASSERT_EQ(::mkfifo(fifo_.c_str(), 0600), 0);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
  fs::path fifo_;
};

TEST_F(InputFileTest, AFileIsReadToItsEnd) {
  const std::string text(200'000, 'x');
  std::ofstream(folder_ / "file") << text;
  fs::create_symlink("file", folder_ / "link");
  EXPECT_EQ(read_input(folder_ / "link"), text);
  require_file(folder_ / "link");
  require_file(folder_ / "nowhere");
}

TEST_F(InputFileTest, APipeIsReadUntilItsWriterCloses) {
  const std::string text(200'000, 'x');
  std::thread writer([&] { std::ofstream(fifo_) << text; });
  EXPECT_EQ(read_input(fifo_), text);
  writer.join();
}

TEST_F(InputFileTest, WaitingForAPipeCanBeStopped) {
  EXPECT_THROW(read_input(fifo_, [] { throw InterruptedError("enough"); }), InterruptedError);
}

TEST_F(InputFileTest, WhatIsNoFileIsNamed) {
  EXPECT_THAT([&] { require_file(fifo_); },
              ThrowsMessage<InputError>(fifo_.string() + ": is a FIFO, not a file"));
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string name = (folder_ / "socket").string();
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(socket);
  for (const auto& [path, kind] : {std::pair<fs::path, std::string>{"/dev/zero", "a device"},
                                   {folder_, "a folder"},
                                   {name, "a socket"}}) {
    EXPECT_THAT([&] { require_file(path); },
                ThrowsMessage<InputError>(path.string() + ": is " + kind + ", not a file"));
    EXPECT_THAT([&] { read_input(path); },
                ThrowsMessage<InputError>(path.string() + ": is " + kind + ", not a file"));
  }
  EXPECT_THAT([&] { read_input(folder_ / "nowhere"); },
              ThrowsMessage<InputError>(HasSubstr("nowhere: cannot open: No such file")));
}

}  // namespace
}  // namespace patchnas
