# patchnas::torch: LibTorch, either Debian's libtorch-dev 1.13 (CPU) or any LibTorch 2.x whose
# folder is named in CMAKE_PREFIX_PATH. Both bring a TorchConfig.cmake; only the wrapping differs.
#
# PATCHNAS_TORCH_VERSION is set to the version found.

option(PATCHNAS_TORCH_PCH "Precompile LibTorch's headers once for all files that include them" ON)

find_package(Torch 1.13 REQUIRED)
set(PATCHNAS_TORCH_VERSION "${Torch_VERSION}")

add_library(patchnas_torch INTERFACE)
add_library(patchnas::torch ALIAS patchnas_torch)
# ${TORCH_LIBRARIES} rather than the target "torch": it also names the CUDA libraries of a GPU build.
# OpenMP, because at::parallel_for is a template that runs serially in a file compiled without it.
target_link_libraries(patchnas_torch INTERFACE ${TORCH_LIBRARIES} OpenMP::OpenMP_CXX Threads::Threads)
# System headers: their warnings are not ours to fix.
target_include_directories(patchnas_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})

# <torch/torch.h> costs 18 s a file (g++ 12, -O3), or 8 s from a precompiled header that takes 27 s
# and 0.6 GB to make: it pays from the third file on.
if(PATCHNAS_TORCH_PCH)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/torch_pch/empty.cpp" CONTENT "" @ONLY)
  add_library(patchnas_torch_pch OBJECT EXCLUDE_FROM_ALL "${PROJECT_BINARY_DIR}/torch_pch/empty.cpp")
  target_precompile_headers(patchnas_torch_pch PRIVATE <torch/torch.h>)
  target_link_libraries(patchnas_torch_pch PRIVATE patchnas::torch patchnas::options)
  patchnas_set_language_standards(patchnas_torch_pch)
endif()

# patchnas_use_torch_pch(TARGET SOURCES ... LINK ...)
#
# A target that links patchnas::torch or patchnas::supernet directly reuses the precompiled header.
# search/ is mostly free of LibTorch: there only the files that may include it do (the same rule
# that tests/build/check_dependencies.sh enforces).
function(patchnas_use_torch_pch target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  if(NOT TARGET patchnas_torch_pch OR NOT "${arg_LINK}" MATCHES "patchnas::(torch|supernet)(;|$)")
    return()
  endif()
  target_precompile_headers(${target} REUSE_FROM patchnas_torch_pch)
  if(CMAKE_CURRENT_SOURCE_DIR STREQUAL "${PROJECT_SOURCE_DIR}/search")
    list(FILTER arg_SOURCES EXCLUDE REGEX "(^|/)torch_[^/]*$|(^|/)stages/")
    set_source_files_properties(${arg_SOURCES} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  endif()
endfunction()
