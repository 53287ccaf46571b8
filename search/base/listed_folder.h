#pragma once

// Folders that hold what we wrote, and beside that only what somebody added: a compiler takes every
// source in them. One of their files, in JSON, lists ours.
//
//   const ListedFolder package{folder, "package.json", "arena_bytes"};
//   package.require_ours();                                  // before hours of work
//   package.replace({{"package.json", json}, {"a.c", text}});

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace patchnas {

struct ListedFolder {
  std::filesystem::path path;
  std::string list;  ///< name of the file that lists the others
  std::string mark;  ///< a key that it has and no other file of this name

  /// @throws InputError unless the folder is absent, empty, or holds such a list.
  void require_ours() const;

  /// Removes the files that are listed, and writes others instead. The list is written first, as
  /// far as it is needed to replace what a kill left, and whole in the end: then all is there.
  /// @param files path in the folder -> content; that of the list is a JSON object with the mark
  /// @throws InputError with path and reason.
  void replace(const std::map<std::string, std::string>& files) const;

 private:
  /// Empty where there is no list of ours.
  [[nodiscard]] std::vector<std::string> listed() const;
};

}  // namespace patchnas
