# patchnas::build_info: "patchnas_build_info.h", which says what was built from what.
#
# The git revision is read at every build, not only when CMake configures, and lives in a
# source file of its own so that a new commit recompiles one small file and nothing else.

set(PATCHNAS_INSTALL_DATA_DIR "${CMAKE_INSTALL_DATAROOTDIR}/patchnas")

set(dir "${PROJECT_BINARY_DIR}/build_info")
configure_file("${CMAKE_CURRENT_LIST_DIR}/patchnas_build_info.h.in" "${dir}/patchnas_build_info.h" @ONLY)

add_custom_target(patchnas_git_revision
  COMMAND ${CMAKE_COMMAND}
    "-DSOURCE_DIR=${PROJECT_SOURCE_DIR}"
    "-DOUTPUT=${dir}/patchnas_git_revision.cpp"
    -P "${CMAKE_CURRENT_LIST_DIR}/write_git_revision.cmake"
  BYPRODUCTS "${dir}/patchnas_git_revision.cpp"
  COMMENT "Reading the git revision"
  VERBATIM)

add_library(patchnas_build_info STATIC "${dir}/patchnas_git_revision.cpp" "${dir}/patchnas_build_info.h")
add_library(patchnas::build_info ALIAS patchnas_build_info)
add_dependencies(patchnas_build_info patchnas_git_revision)
target_compile_features(patchnas_build_info PUBLIC cxx_std_17)
target_include_directories(patchnas_build_info PUBLIC "${dir}")
