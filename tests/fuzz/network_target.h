#pragma once

// What a fuzzer calls: libFuzzer's entry point.

#include <cstddef>
#include <cstdint>

/// Gives the bytes to every reader of strangers' networks: a .tflite or .onnx file to the imports
/// of numbers and to that of the structure, anything else to the reader of JSON descriptions. What
/// is accepted must be a valid network that all models can count; what is refused must be refused
/// with an InputError of one line. Ends the program otherwise, and if one input takes more than a
/// second of processor time.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
