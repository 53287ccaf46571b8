# How modules, tests and benchmarks are declared.

include(GoogleTest)

# patchnas_add_module(NAME
#   SOURCES a.cpp b.cpp ...
#   [PUBLIC patchnas::arch ...]    # libraries whose headers our headers include
#   [PRIVATE yaml-cpp::yaml-cpp ...])
#
# Defines the static library patchnas_NAME, alias patchnas::NAME. Headers are included from the
# repository root ("arch/network.h"). What a room links is its row of the dependency rule: tests/build checks
# the includes against it.
function(patchnas_add_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;PUBLIC;PRIVATE")
  patchnas_check_arguments("patchnas_add_module(${name})" SOURCES)
  set(target patchnas_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(patchnas::${name} ALIAS ${target})
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/patchnas>")
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE} patchnas::options)
  patchnas_set_language_standards(${target})
  patchnas_use_torch_pch(${target} LINK ${arg_PUBLIC} ${arg_PRIVATE})
  patchnas_note_room(${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})

  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  install(TARGETS ${target} ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/patchnas/${folder}"
    FILES_MATCHING PATTERN "*.h")
endfunction()

# patchnas_add_header_module(NAME [LINK patchnas::arch ...])
#
# A module, patchnas::NAME, that is headers alone.
function(patchnas_add_header_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  add_library(patchnas_${name} INTERFACE)
  add_library(patchnas::${name} ALIAS patchnas_${name})
  target_link_libraries(patchnas_${name} INTERFACE ${arg_LINK})
  patchnas_note_room(${name} PUBLIC ${arg_LINK})
endfunction()

# patchnas_add_executable(NAME SOURCES a.cpp ... LINK patchnas::arch ... [BEHIND program])
#
# A program: BUILD/bin/NAME, installed to bin/NAME. One BEHIND another is what that hands its work over to:
# libexec/PROGRAM, built with it.
function(patchnas_add_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "BEHIND" "SOURCES;LINK")
  patchnas_check_arguments("patchnas_add_executable(${name})" SOURCES)
  patchnas_add_program(${name} SOURCES ${arg_SOURCES} LINK ${arg_LINK})
  patchnas_note_room(${name} PRIVATE ${arg_LINK})
  if(arg_BEHIND)
    set_target_properties(${name} PROPERTIES
      OUTPUT_NAME "${arg_BEHIND}" RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${CMAKE_INSTALL_LIBEXECDIR}")
    add_dependencies(${arg_BEHIND} ${name})
    install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}")
  else()
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
    install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endfunction()

# patchnas_add_test(NAME
#   SOURCES a_test.cpp ...
#   [LINK patchnas::arch ...]
#   [TIMEOUT seconds]              # for each test; 120 unless told
#   [VARIANT name])                # of tests that several programs have: ends their names
#
# A GoogleTest program; gtest's main and gmock are linked. Each of its tests becomes a ctest test
# called "ROOM.Suite.Case" with the label MODULE; tests/search/engine makes "search.engine" and "search" of them.
# PATCHNAS_SOURCE_DIR is defined as the repository root, for tests that read files of ours.
function(patchnas_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;VARIANT" "SOURCES;LINK")
  patchnas_check_arguments("patchnas_add_test(${name})" SOURCES)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set(suffix "")
  if(arg_VARIANT)
    set(suffix ".${arg_VARIANT}")
  endif()
  # Starting LibTorch is much of what such a test takes, and does so on one core: tests side by side rather than
  # threads in each.
  set(environment "")
  if("${arg_LINK}" MATCHES "patchnas::(torch|supernet_(ranks|network|training))(;|$)")
    set(environment ENVIRONMENT OMP_NUM_THREADS=1)
  endif()
  patchnas_add_program(${name} SOURCES ${arg_SOURCES} LINK ${arg_LINK} GTest::gmock GTest::gtest_main)
  patchnas_use_test_pch(${name})
  target_compile_definitions(${name} PRIVATE "PATCHNAS_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
  file(RELATIVE_PATH room "${PROJECT_SOURCE_DIR}/tests" "${CMAKE_CURRENT_SOURCE_DIR}")
  string(REGEX REPLACE "/.*" "" module "${room}")
  string(REPLACE "/" "." room "${room}")
  # PRE_TEST: listing a program's tests runs it, and starting LibTorch takes longer than linking it.
  gtest_discover_tests(${name}
    TEST_PREFIX "${room}."
    TEST_SUFFIX "${suffix}"
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${module}" TIMEOUT ${arg_TIMEOUT} ${environment})
endfunction()

# patchnas_add_benchmark(NAME SOURCES a.cpp ... LINK patchnas::arch ...)
#
# A Google Benchmark program with its main linked. Benchmarks are built, never asserted on.
function(patchnas_add_benchmark name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  patchnas_check_arguments("patchnas_add_benchmark(${name})" SOURCES)
  patchnas_add_program(${name} SOURCES ${arg_SOURCES} LINK ${arg_LINK} benchmark::benchmark_main)
endfunction()

# patchnas_write_rooms(FILE): a line for each target, "FOLDER NAME PUBLIC library ... PRIVATE library ...", which is
# what tests/build/check_dependencies.sh holds the includes against.
function(patchnas_write_rooms file)
  get_property(rooms GLOBAL PROPERTY patchnas_rooms)
  list(JOIN rooms "\n" text)
  file(CONFIGURE OUTPUT "${file}" CONTENT "${text}\n" @ONLY)
endfunction()

# --- used by the functions above --------------------------------------------------------------

function(patchnas_note_room name)
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  list(JOIN ARGN " " links)
  set_property(GLOBAL APPEND PROPERTY patchnas_rooms "${folder} ${name} ${links}")
endfunction()

function(patchnas_add_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${arg_LINK} patchnas::options)
  patchnas_set_language_standards(${name})
  patchnas_use_torch_pch(${name} LINK ${arg_LINK})
endfunction()

# <gmock/gmock.h> costs more than what most tests include besides: all test programs share it precompiled, but those
# that share LibTorch's.
function(patchnas_use_test_pch name)
  get_target_property(other ${name} PRECOMPILE_HEADERS_REUSE_FROM)
  if(other)
    return()
  endif()
  if(NOT TARGET patchnas_test_pch)
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/test_pch/empty.cpp" CONTENT "" @ONLY)
    add_library(patchnas_test_pch OBJECT EXCLUDE_FROM_ALL "${PROJECT_BINARY_DIR}/test_pch/empty.cpp")
    target_precompile_headers(patchnas_test_pch PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
    target_link_libraries(patchnas_test_pch PRIVATE GTest::gmock patchnas::options)
    patchnas_set_language_standards(patchnas_test_pch)
  endif()
  get_target_property(sources ${name} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.c$")
  if(sources)
    set_source_files_properties(${sources} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  endif()
  target_precompile_headers(${name} REUSE_FROM patchnas_test_pch)
endfunction()

# Misspelt arguments are errors, not silently dropped sources.
macro(patchnas_check_arguments call)
  if(DEFINED arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${call}: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  foreach(required ${ARGN})
    if(NOT DEFINED arg_${required})
      message(FATAL_ERROR "${call}: ${required} is missing")
    endif()
  endforeach()
endmacro()
