#include "search/base/files.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <unistd.h>

#include <sys/stat.h>

#include "search/base/stop_signal.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(WriteFile, ReplacesTheOldContent) {
  const TestFolder folder;
  const auto path = folder.path() / "file";
  write_file(path, "old");
  write_file(path, "new content");
  EXPECT_EQ(read_file(path), "new content");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"file"});
}

TEST(WriteFile, OnAFullDiskKeepsTheOldFileAndLeavesNothingBehind) {
  const TestFolder folder;
  const auto path = folder.path() / "file";
  write_file(path, "old");
  std::string message;
  {
    const FullDisk full(100);
    message = message_of([&] { write_file(path, std::string(1000, 'x')); });
  }
  EXPECT_EQ(message, path.string() + ": cannot write: File too large");
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"file"});
}

TEST(WriteFile, LeavesAloneWhatHasATemporaryName) {
  const TestFolder folder;
  const auto elsewhere = folder.path() / "elsewhere";
  write_file(elsewhere, "precious");
  fs::create_symlink(elsewhere, folder.path() / "file.tmp");
  write_file(folder.path() / "file", "new");
  EXPECT_EQ(read_file(elsewhere), "precious");
  EXPECT_EQ(read_file(folder.path() / "file"), "new");
  EXPECT_TRUE(fs::is_symlink(folder.path() / "file.tmp"));
}

TEST(WriteFile, FollowsLinksAlsoToAFileThatIsNotThereYet) {
  const TestFolder folder;
  fs::create_directory(folder.path() / "a");
  fs::create_directory(folder.path() / "b");
  fs::create_symlink("../b/second", folder.path() / "a" / "first");  // relative to where it is
  fs::create_symlink(folder.path() / "b" / "file", folder.path() / "b" / "second");
  for (const char* const content : {"new file", "its next content"}) {
    write_file(folder.path() / "a" / "first", content);
    EXPECT_EQ(read_file(folder.path() / "b" / "file"), content);
  }
  EXPECT_TRUE(fs::is_symlink(folder.path() / "a" / "first"));
  EXPECT_TRUE(fs::is_symlink(folder.path() / "b" / "second"));
  EXPECT_FALSE(fs::is_symlink(folder.path() / "b" / "file"));
  fs::create_symlink("circle", folder.path() / "circle");
  EXPECT_EQ(
      message_of([&] { write_file(folder.path() / "circle", "x"); }),
      (folder.path() / "circle").string() + ": cannot write: Too many levels of symbolic links");
}

TEST(WriteFile, KeepsThePermissionsOfTheFileThatItReplaces) {
  const TestFolder folder;
  const auto path = folder.path() / "file";
  const mode_t before = ::umask(0027);
  write_file(path, "old");
  EXPECT_EQ(fs::status(path).permissions(), static_cast<fs::perms>(0640));
  fs::permissions(path, static_cast<fs::perms>(0606));
  write_file(path, "new");
  EXPECT_EQ(fs::status(path).permissions(), static_cast<fs::perms>(0606));
  ::umask(before);
}

TEST(WriteFile, WritesToAPipeAndLeavesItThere) {
  const TestFolder folder;
  const auto path = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  // A reader that is there from the start and never waits: the test ends whatever is done.
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  write_file(path, "bytes");
  char buffer[16] = {};
  EXPECT_EQ(::read(reader, buffer, sizeof buffer), 5);
  EXPECT_EQ(std::string(buffer), "bytes");
  EXPECT_TRUE(fs::is_fifo(path));
  ::close(reader);
}

TEST(WriteFile, WritesToADevice) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0) {
    GTEST_SKIP() << "no pseudo-terminals";
  }
  const TestFolder folder;
  const auto link = folder.path() / "link";
  fs::create_symlink(::ptsname(terminal), link);
  const int keeps_it_open = ::open(link.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  write_file(link, "bytes");
  char buffer[16] = {};
  EXPECT_EQ(::read(terminal, buffer, sizeof buffer), 5);
  EXPECT_EQ(std::string(buffer), "bytes");
  EXPECT_TRUE(fs::is_character_file(link));
  EXPECT_TRUE(fs::is_symlink(link));
  ::close(keeps_it_open);
  ::close(terminal);
}

TEST(WriteFile, WritesBehindWhatStandardOutputHasAlready) {
  const TestFolder folder;
  const auto path = folder.path() / "output";
  const int before = ::dup(STDOUT_FILENO);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  std::cout.flush();
  ::dup2(file, STDOUT_FILENO);
  std::cout << "first ";
  write_file("/dev/stdout", "second ");
  std::cout << "third" << std::flush;
  ::dup2(before, STDOUT_FILENO);
  ::close(file);
  ::close(before);
  EXPECT_EQ(read_file(path), "first second third");
}

TEST(WriteFile, RefusesAFolder) {
  const TestFolder folder;
  EXPECT_EQ(message_of([&] { write_file(folder.path(), "x"); }),
            folder.path().string() + ": cannot write: Is a directory");
}

TEST(WriteFile, NamesThePathThatCannotBeWritten) {
  EXPECT_EQ(message_of([] { write_file("/proc/no_such_folder/file", "x"); }),
            "/proc/no_such_folder/file: cannot write: No such file or directory");
}

TEST(ReadFile, NamesAMissingFile) {
  EXPECT_EQ(message_of([] { (void)read_file("/no/such/file"); }),
            "/no/such/file: cannot open: No such file or directory");
}

TEST(ReadFile, IsStoppedBySignalsWhereNobodyWritesToAPipe) {
  const TestFolder folder;
  const auto path = folder.path() / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto stopped = [&] {
    install_stop_signals(WhenStopped::kContinues);
    std::raise(SIGTERM);
    try {
      (void)read_file(path);
    } catch (const InterruptedError& error) {
      std::exit(error.exit_code());
    }
  };
  EXPECT_EXIT(stopped(), testing::ExitedWithCode(75), "");
}

TEST(MakeDirectory, NamesAFileInTheWay) {
  const TestFolder folder;
  write_file(folder.path() / "file", "");
  const std::string message = message_of([&] { make_directory(folder.path() / "file" / "sub"); });
  EXPECT_EQ(message, (folder.path() / "file" / "sub").string() +
                         ": cannot create the folder: Not a directory");
}

TEST(AppendFile, Grows) {
  const TestFolder folder;
  const auto path = folder.path() / "log";
  AppendFile(path).append("one\n", Durability::kSynced);
  AppendFile(path).append("two\n", Durability::kWritten);
  EXPECT_EQ(read_file(path), "one\ntwo\n");
}

TEST(AppendFile, OnAFullDiskCutsOffThePartThatWasWritten) {
  const TestFolder folder;
  const auto path = folder.path() / "log";
  AppendFile file(path);
  file.append("whole line\n", Durability::kSynced);
  std::string message;
  {
    const FullDisk full(20);
    message = message_of([&] { file.append(std::string(100, 'x') + "\n", Durability::kSynced); });
  }
  EXPECT_EQ(message, path.string() + ": cannot write: File too large");
  EXPECT_EQ(read_file(path), "whole line\n");
}

}  // namespace
}  // namespace patchnas
