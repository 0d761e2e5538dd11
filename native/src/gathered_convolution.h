// Filters of 1×1 with strides, where oneDNN cannot be trusted with them: the pixels that count are
// gathered, and what is left is a convolution with stride 1.
//
// oneDNN 2.6 gathers for itself, in blocks of 16 channels, and writes past its memory where the last
// block is not full (jit_1x1:avx512_core, the filters' gradient of 8 channels of 56×46, with a
// crash). Of whole blocks its own way is as right and as fast.
//
// The gathered images are the caller's scratch: 1 / s² of the images.
#pragma once

#include <memory>

#include "plan.h"

namespace chainrule {

bool gathered_convolution_needed(const Geometry& geometry);
std::unique_ptr<Plan> gathered_convolution(const Request& request);

}  // namespace chainrule
