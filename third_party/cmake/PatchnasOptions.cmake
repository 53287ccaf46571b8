# patchnas::options: the compile and link options of our own code. Every module, test and
# benchmark links it privately, so nothing leaks into programs that use an installed library.

option(PATCHNAS_WARNINGS_AS_ERRORS "Treat compiler warnings as errors (CI does)" OFF)
option(PATCHNAS_NATIVE "Compile for the machine that builds (-march=native)" OFF)
set(PATCHNAS_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=: for example address,undefined")
option(PATCHNAS_CCACHE "Compile through ccache when it is installed" ON)

add_library(patchnas_options INTERFACE)
add_library(patchnas::options ALIAS patchnas_options)

target_compile_features(patchnas_options INTERFACE cxx_std_20)
# -Wconversion is left out: LibTorch's inline headers and index arithmetic drown it in noise.
target_compile_options(patchnas_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow
  $<$<BOOL:${PATCHNAS_WARNINGS_AS_ERRORS}>:-Werror>
  # a*b+c must not become a fused multiply-add on some machines only: results that depend on
  # the instruction set would break "same seed, same result" between two builds of one source.
  -ffp-contract=off
  $<$<BOOL:${PATCHNAS_NATIVE}>:-march=native>)

if(PATCHNAS_SANITIZE)
  target_compile_options(patchnas_options INTERFACE
    -fsanitize=${PATCHNAS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  target_link_options(patchnas_options INTERFACE -fsanitize=${PATCHNAS_SANITIZE})
endif()

if(PATCHNAS_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(PATCHNAS_CCACHE_PROGRAM ccache)
  mark_as_advanced(PATCHNAS_CCACHE_PROGRAM)
  if(PATCHNAS_CCACHE_PROGRAM)
    # The sloppiness settings are those that ccache's manual requires with precompiled headers.
    set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}  # so that another clone finds what this one compiled
      ${PATCHNAS_CCACHE_PROGRAM})
    set(CMAKE_C_COMPILER_LAUNCHER ${PATCHNAS_CCACHE_PROGRAM})
  endif()
endif()

# Every target of ours compiles as standard C++20 and C99, without the compiler's extensions.
function(patchnas_set_language_standards target)
  set_target_properties(${target} PROPERTIES
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
endfunction()
