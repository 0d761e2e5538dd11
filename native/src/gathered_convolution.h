// Strided 1×1 filters in the cases where oneDNN is not reliable: the pixels that are used are
// gathered, which leaves a convolution with stride 1.
//
// oneDNN 2.6 gathers by itself, in blocks of 16 channels, and writes outside its memory if the last
// block is not full (jit_1x1:avx512_core, the filter gradient of 8 channels of 56×46, with a crash).
// For full blocks it is correct and as fast.
//
// The gathered images are scratch memory of the caller: 1 / s² of the images.
#pragma once

#include <memory>

#include "plan.h"

namespace chainrule {

bool gathered_convolution_needed(const Geometry& geometry);
std::unique_ptr<Plan> gathered_convolution(const Request& request);

}  // namespace chainrule
