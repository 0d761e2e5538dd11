// The filters' gradient of a convolution of few channels (pixels of one colour, or three): the
// first layer.
//
// A filter reaches over f_W · n_C_prev neighbouring numbers of a row, and the gradient is a product
// of those with dZ. Any size and stride. (Forward, oneDNN is as fast.)
//
// Layouts, threads and overlap are as in winograd.h. Scratch for each thread: the padded inputs of
// at most 128 KB of dZ; for the caller's, dW for each thread.
#pragma once

#include "geometry.h"

namespace chainrule {

// A CPU with AVX2 and FMA; one group, n_C_prev from 1 to 4, n_C a multiple of 8, pads smaller
// than the filter, and a geometry without complaint.
bool thin_convolution_supported(const Geometry& geometry);

// dW from A_prev and dZ; and db (n_C), the sum of dZ over images and positions, unless null.
void thin_convolution_filter_gradient(const Geometry& geometry, const float* A_prev,
                                      const float* dZ, float* dW, float* db);

}  // namespace chainrule
