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
target_link_libraries(patchnas_torch INTERFACE ${TORCH_LIBRARIES} Threads::Threads)
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

# patchnas_use_torch_pch(TARGET LINK ...)
#
# Lets the sources of a target that links a room which drives LibTorch reuse the precompiled header.
function(patchnas_use_torch_pch target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  if(TARGET patchnas_torch_pch AND
      "${arg_LINK}" MATCHES "patchnas::(torch|supernet_(ranks|network|training))(;|$)")
    target_precompile_headers(${target} REUSE_FROM patchnas_torch_pch)
  endif()
endfunction()
