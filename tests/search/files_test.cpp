#include "search/files.h"

#include "support.h"

namespace patchnas {
namespace {

TEST(WriteFile, ReplacesTheOldContent) {
  const TestFolder folder;
  const auto path = folder.path() / "file";
  write_file(path, "old");
  write_file(path, "new content");
  EXPECT_EQ(read_file(path), "new content");
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".tmp"));
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
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".tmp"));
}

TEST(WriteFile, FollowsNoLinkOfATemporaryName) {
  const TestFolder folder;
  const auto elsewhere = folder.path() / "elsewhere";
  write_file(elsewhere, "precious");
  std::filesystem::create_symlink(elsewhere, folder.path() / "file.tmp");
  write_file(folder.path() / "file", "new");
  EXPECT_EQ(read_file(elsewhere), "precious");
  EXPECT_EQ(read_file(folder.path() / "file"), "new");
  EXPECT_FALSE(std::filesystem::is_symlink(folder.path() / "file"));
}

TEST(WriteFile, NamesThePathThatCannotBeWritten) {
  EXPECT_EQ(message_of([] { write_file("/proc/no_such_folder/file", "x"); }),
            "/proc/no_such_folder/file: cannot write: No such file or directory");
}

TEST(ReadFile, NamesAMissingFile) {
  EXPECT_EQ(message_of([] { (void)read_file("/no/such/file"); }),
            "/no/such/file: cannot open: No such file or directory");
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
