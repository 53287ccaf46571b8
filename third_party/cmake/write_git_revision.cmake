# cmake -DSOURCE_DIR=... -DOUTPUT=... -P write_git_revision.cmake
# Writes a source file with the git revision; leaves it untouched when nothing changed.
execute_process(
  # No optional locks: a build must not get in the way of a commit.
  COMMAND ${CMAKE_COMMAND} -E env GIT_OPTIONAL_LOCKS=0 git -C "${SOURCE_DIR}" describe --always --dirty --abbrev=12 --exclude=*
  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE
  ERROR_QUIET RESULT_VARIABLE failed)
if(failed OR revision STREQUAL "")
  set(revision "unknown")  # a source archive, or git is not installed
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT
[=[// Generated at every build by third_party/cmake/write_git_revision.cmake.
#include "patchnas_build_info.h"

namespace patchnas::build_info {
std::string_view git_revision() { return "@revision@"; }
}  // namespace patchnas::build_info
]=])
