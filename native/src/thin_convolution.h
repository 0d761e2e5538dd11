// Convolutions of images of few channels (pixels of one colour, or three): the first layer.
//
// A filter then reaches over f_W · n_C_prev neighbouring numbers of a row, and a direct sum is a product
// of those with the filters. Any size and stride.
//
// Layouts, threads and overlap are as in winograd.h. Scratch for each thread: the rows that a filter covers, padded, and for filter gradients one dW.
#pragma once

#include "epilogue.h"
#include "geometry.h"

namespace chainrule {

// A CPU with AVX2 and FMA; one group, n_C_prev from 1 to 4, n_C a multiple of 8, pads smaller
// than the filter, and a geometry without complaint.
bool thin_convolution_supported(const Geometry& geometry);

// Z from A_prev and W.
void thin_convolution_forward(const Geometry& geometry, const float* A_prev, const float* W,
                              const Epilogue& epilogue, float* Z);

// dW from A_prev and dZ; and db (n_C), the sum of dZ over images and positions, unless null.
void thin_convolution_filter_gradient(const Geometry& geometry, const float* A_prev,
                                      const float* dZ, float* dW, float* db);

}  // namespace chainrule
