# patchnas::torch: LibTorch, either Debian's libtorch-dev 1.13 (CPU) or any LibTorch 2.x whose
# folder is named in CMAKE_PREFIX_PATH. Both bring a TorchConfig.cmake; only the wrapping differs.
#
# PATCHNAS_TORCH_VERSION is set to the version found.

find_package(Torch 1.13 REQUIRED)
set(PATCHNAS_TORCH_VERSION "${Torch_VERSION}")

add_library(patchnas_torch INTERFACE)
add_library(patchnas::torch ALIAS patchnas_torch)
# ${TORCH_LIBRARIES} rather than the target "torch": it also names the CUDA libraries of a GPU build.
target_link_libraries(patchnas_torch INTERFACE ${TORCH_LIBRARIES} Threads::Threads)
# System headers: their warnings are not ours to fix.
target_include_directories(patchnas_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
