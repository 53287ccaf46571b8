#pragma once

// Front door of supernet/kernels/: the fused CPU kernels of the supernet, and the passes over a
// network that are made of them. No LibTorch.
//
//   const kernels::InferencePass pass(network, values);
//   const std::vector<float> logits = pass.run(write_normalised_images, count);
//
// Activations are NHWC floats (activation_view.h). Each kernel exists once per level of
// instructions, and the machine picks (simd.h); supernet/network/compute.h decides where a pass of
// these takes LibTorch's place.

#include "supernet/kernels/inference_pass.h"  // IWYU pragma: export
#include "supernet/kernels/training_pass.h"   // IWYU pragma: export
