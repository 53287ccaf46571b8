#pragma once

// Convolutions and poolings of a .tflite file, with their implicit and explicit padding, as layers
// of ours.

#include "deploy/tflite/tflite_model.h"
#include "deploy/tflite/tflite_value.h"

namespace patchnas {

struct WindowOptions {
  int kernel_h = 1;
  int kernel_w = 1;
  int stride_h = 1;
  int stride_w = 1;
  tflite::Padding padding{};
  int dilation_h = 1;
  int dilation_w = 1;
};

/// The layer that slides the window over `input`, its margins becoming padding. Of a map that is
/// turned, the window is turned as well.
/// @throws InputError naming `op` if the window does not fit or would hold nothing but padding.
Layer sliding_layer(const TfliteModel& model, const FileOperator& op, LayerKind kind,
                    const FileValue& input, const WindowOptions& window, int output_channels);

}  // namespace patchnas
