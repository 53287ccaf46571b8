# Finds every library that we use and gives each one target name, whatever its version calls it.
#
#   target to link                     from (Debian 12)               used by
#   yaml-cpp::yaml-cpp                 libyaml-cpp-dev 0.7            arch
#   Eigen3::Eigen                      libeigen3-dev 3.4              latency_models
#   flatbuffers::flatbuffers           libflatbuffers-dev 2.0         deploy
#   protobuf::libprotobuf, protobuf::protoc   libprotobuf-dev 3.21    deploy
#   nlohmann_json::nlohmann_json       nlohmann-json3-dev 3.11        deploy, supernet, search
#   patchnas::torch                    libtorch-dev 1.13 or any 2.x   supernet, search
#   patchnas::opencv                   libopencv-*-dev 4.6            supernet
#   ZLIB::ZLIB                         zlib1g-dev                     supernet
#   CLI11::CLI11, spdlog::spdlog       libcli11-dev, libspdlog-dev    search
#   GTest::gtest, GTest::gmock         libgtest-dev, libgmock-dev     tests
#   benchmark::benchmark               libbenchmark-dev               benchmarks

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

find_package(yaml-cpp REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp)  # before yaml-cpp 0.8
  set_target_properties(yaml-cpp PROPERTIES IMPORTED_GLOBAL TRUE)
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

find_package(Eigen3 3.3 REQUIRED NO_MODULE)
find_package(nlohmann_json 3.9 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)

find_package(FlatBuffers REQUIRED NAMES FlatBuffers Flatbuffers flatbuffers)
if(NOT TARGET flatbuffers::flatbuffers)  # Debian builds the shared library only
  set_target_properties(flatbuffers::flatbuffers_shared PROPERTIES IMPORTED_GLOBAL TRUE)
  add_library(flatbuffers::flatbuffers ALIAS flatbuffers::flatbuffers_shared)
endif()

# The whole library, not the lite one, although that would do: LibTorch brings it, and a process must not hold both.
find_package(Protobuf 3.12 REQUIRED)

if(PATCHNAS_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(PATCHNAS_BUILD_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()

if(PATCHNAS_MODULES STREQUAL "all")
  find_package(ZLIB REQUIRED)
  include(PatchnasOpenCV)
  include(PatchnasTorch)  # defines patchnas_use_torch_pch too
else()
  function(patchnas_use_torch_pch)  # no LibTorch, nothing to precompile
  endfunction()
endif()
