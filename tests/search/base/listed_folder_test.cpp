#include "search/base/listed_folder.h"

#include <algorithm>

#include "search/base/files.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;

class ListedFolderTest : public ::testing::Test {
 protected:
  ListedFolder folder() const {
    return {.path = folder_.path() / "out", .list = "list.json", .mark = "ours"};
  }
  fs::path at(const std::string& name) const { return folder_.path() / "out" / name; }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : fs::recursive_directory_iterator(folder().path)) {
      if (entry.is_regular_file()) {
        result.push_back(fs::relative(entry.path(), folder().path).string());
      }
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  const std::string list_ = R"({"ours": 1, "more": 2})";
  TestFolder folder_;
};

using Names = std::vector<std::string>;

TEST_F(ListedFolderTest, HoldsWhatWasWrittenLastAndWhatSomebodyAdded) {
  folder().require_ours();
  folder().replace({{"list.json", list_}, {"a.c", "a"}, {"sub/b.c", "b"}});
  EXPECT_EQ(names(), (Names{"a.c", "list.json", "sub/b.c"}));
  write_file(at("notes"), "added");
  folder().require_ours();
  folder().replace({{"list.json", list_}, {"a.c", "other"}, {"sub/c.c", "c"}});
  EXPECT_EQ(names(), (Names{"a.c", "list.json", "notes", "sub/c.c"}));
  EXPECT_EQ(read_file(at("a.c")), "other");
  EXPECT_NE(read_file(at("list.json")).find("\"more\": 2"), std::string::npos);
}

TEST_F(ListedFolderTest, OtherContentIsRefused) {
  fs::create_directory(folder().path);
  folder().require_ours();
  write_file(at("README.md"), "precious");
  const std::string refusal =
      folder().path.string() +
      ": this folder has other content (no list.json of ours); nothing was written; choose another "
      "folder";
  EXPECT_EQ(message_of([&] { folder().require_ours(); }), refusal);
  for (const char* const list : {R"({"files": ["README.md"]})", "no JSON", "[]"}) {
    write_file(at("list.json"), list);
    EXPECT_EQ(message_of([&] { folder().require_ours(); }), refusal) << list;
  }
}

TEST_F(ListedFolderTest, NothingOutsideIsRemoved) {
  write_file(folder_.path() / "outside", "precious");
  fs::create_directory(folder().path);
  write_file(at("list.json"), R"({"ours": 1, "files": ["../outside", ")" +
                                  (folder_.path() / "outside").string() + R"(", 3, "gone"]})");
  folder().replace({{"list.json", list_}});
  EXPECT_EQ(read_file(folder_.path() / "outside"), "precious");
}

// Full disks stop it at any file.
TEST_F(ListedFolderTest, WhatWasHalfWrittenCanBeReplaced) {
  folder().replace({{"list.json", list_}, {"old.c", "old"}});
  {
    const FullDisk full(1000);
    EXPECT_NE(
        message_of([&] {
          folder().replace({{"list.json", list_}, {"a.c", "a"}, {"b.c", std::string(2000, 'b')}});
        }),
        "");
  }
  folder().require_ours();
  folder().replace({{"list.json", list_}, {"c.c", "c"}});
  EXPECT_EQ(names(), (Names{"c.c", "list.json"}));
}

}  // namespace
}  // namespace patchnas
