# Run at build time with -P: writes C++ that holds files as text.
#
#   cmake -DROOT=... -DOUTPUT=... "-DRUNTIME=runtime/add.c|..." "-DBOARDS=runtime/boards/...|..." "-DMEASURING=..." -P embed_sources.cmake

function(embed result function paths)
  set(entries "")
  string(REPLACE "|" ";" paths "${paths}")
  foreach(path IN LISTS paths)
    file(READ "${ROOT}/${path}" text)
    string(APPEND entries "    {\"${path}\", R\"patchnas(${text})patchnas\"},\n")
  endforeach()
  set(body "return {};")
  if(entries)
    set(body "static constexpr SourceFile kFiles[] = {\n${entries}  };\n  return kFiles;")
  endif()
  set(${result} "
std::span<const SourceFile> ${function}() {
  ${body}
}
" PARENT_SCOPE)
endfunction()

embed(runtime runtime_sources "${RUNTIME}")
embed(boards board_sources "${BOARDS}")
embed(measuring measuring_sources "${MEASURING}")
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT [[#include "deploy/package/runtime_sources.h"

namespace patchnas {
@runtime@@boards@@measuring@
}  // namespace patchnas
]] @ONLY)
