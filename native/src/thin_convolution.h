// The filter gradient of a convolution with few input channels (greyscale or colour images), which
// is usually the first layer.
//
// A row of a filter covers f_W · n_C_prev neighbouring numbers, and the gradient is the product of
// these and dZ. Any size and stride is possible. (Forward, oneDNN is as fast.)
//
// Layouts, threads and overlap are as in winograd.h. Scratch memory of each thread: the padded inputs
// for at most 128 KB of dZ; of the caller's thread: dW for each thread.
#pragma once

#include "geometry.h"

namespace chainrule {

// Returns whether the kernel can be used: a CPU with AVX2 and FMA; one group, n_C_prev from 1 to 4,
// n_C a multiple of 8, padding smaller than the filter, and a valid geometry.
bool thin_convolution_supported(const Geometry& geometry);

// Computes dW from A_prev and dZ, and db (n_C), the sum of dZ over images and positions, unless null.
void thin_convolution_filter_gradient(const Geometry& geometry, const float* A_prev,
                                      const float* dZ, float* dW, float* db);

}  // namespace chainrule
