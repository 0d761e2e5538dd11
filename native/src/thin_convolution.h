// Convolutions of images of few channels (pixels of one colour, or three): the first layer.
//
// A filter then reaches over size · channels neighbouring numbers of a row, and a direct sum is a product
// of those with the filters. Any size and stride.
//
// Scratch for each thread: the rows that a filter covers, padded, and for filter gradients one dW.
#pragma once

#include "convolution.h"

namespace chainrule {

// A CPU with AVX2 and FMA; 1 to 4 channels, filters a multiple of 8, pads smaller than the filter, an output of at least 1×1.
bool thin_convolution_supported(const Convolution& convolution);

// Z from A_prev and W.
void thin_convolution_forward(const Convolution& convolution, const float* A_prev, const float* W,
                              const Epilogue& epilogue, float* Z);

// dW from A_prev and dZ; and d_bias (filters), the sum of dZ over images and positions, unless null.
void thin_convolution_filter_gradient(const Convolution& convolution, const float* A_prev,
                                      const float* dZ, float* dW, float* d_bias);

}  // namespace chainrule
