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

# c10d over Gloo, for several ranks. LibTorch's header for it includes Gloo's own, which come from
# libgloo-dev (Debian) or from the sources of the Gloo that LibTorch was built with.
find_path(PATCHNAS_GLOO_INCLUDE_DIR gloo/algorithm.h HINTS ${TORCH_INCLUDE_DIRS} REQUIRED)
target_include_directories(patchnas_torch SYSTEM INTERFACE ${PATCHNAS_GLOO_INCLUDE_DIR})
target_compile_definitions(patchnas_torch INTERFACE USE_C10D_GLOO)

# And over NCCL, for tensors on CUDA: where LibTorch has CUDA and NCCL's header is there, which again
# LibTorch's own includes. Without it they go through Gloo.
if(TARGET torch_cuda)
  find_path(PATCHNAS_NCCL_INCLUDE_DIR nccl.h HINTS ${TORCH_INCLUDE_DIRS} ${CUDA_INCLUDE_DIRS})
  find_library(PATCHNAS_NCCL_LIBRARY NAMES nccl libnccl.so.2)
  if(PATCHNAS_NCCL_INCLUDE_DIR AND PATCHNAS_NCCL_LIBRARY)
    target_include_directories(patchnas_torch SYSTEM INTERFACE ${PATCHNAS_NCCL_INCLUDE_DIR})
    target_link_libraries(patchnas_torch INTERFACE ${PATCHNAS_NCCL_LIBRARY})
    target_compile_definitions(patchnas_torch INTERFACE USE_C10D_NCCL)
  endif()
endif()

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
# Lets the sources that include LibTorch, directly or through headers of ours, reuse the precompiled
# header, and spares the others from it. A source that changes sides between two runs of CMake
# compiles more slowly, not differently.
function(patchnas_use_torch_pch target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  if(NOT TARGET patchnas_torch_pch OR NOT "${arg_LINK}" MATCHES "patchnas::(torch|supernet)(;|$)")
    return()
  endif()
  set(with_torch "")
  foreach(source IN LISTS arg_SOURCES)
    patchnas_includes_torch("${CMAKE_CURRENT_SOURCE_DIR}/${source}" includes_torch)
    if(includes_torch)
      list(APPEND with_torch ${source})
    else()
      set_source_files_properties(${source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
  if(with_torch)  # CMake refuses a precompiled header that no source uses
    target_precompile_headers(${target} REUSE_FROM patchnas_torch_pch)
  endif()
endfunction()

# Whether FILE reaches a LibTorch header. Each file is read once per run of CMake.
function(patchnas_includes_torch file result)
  get_property(known GLOBAL PROPERTY "patchnas_includes_torch:${file}")
  if("${known}" STREQUAL "")
    set(known FALSE)
    set_property(GLOBAL PROPERTY "patchnas_includes_torch:${file}" FALSE)  # ends include cycles
    set(includes "")
    if(EXISTS "${file}")
      file(STRINGS "${file}" includes REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]")
    endif()
    foreach(include IN LISTS includes)
      if(include MATCHES "<(torch|ATen|c10)/")
        set(known TRUE)
      elseif(include MATCHES "\"([^\"]+)\"")
        patchnas_includes_torch("${PROJECT_SOURCE_DIR}/${CMAKE_MATCH_1}" known)
      endif()
      if(known)
        break()
      endif()
    endforeach()
    set_property(GLOBAL PROPERTY "patchnas_includes_torch:${file}" ${known})
  endif()
  set(${result} ${known} PARENT_SCOPE)
endfunction()
