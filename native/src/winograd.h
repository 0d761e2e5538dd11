// Convolutions of 3×3 filters with stride 1, in a quarter of the multiplications: F(4×4, 3×3).
//
// Winograd's minimal filtering (Lavin and Gray, arXiv 1509.09308): of a tile of 6×6 numbers and a
// filter of 3×3, both transformed, 36 products give 4×4 outputs, which directly would take 144.
//
//     Z = Aᵀ [(G W Gᵀ) ⊙ (Bᵀ A_prev B)] A
//
// The points are 0, ±3/4, ±3/2 and ∞. With them the error against float64 is about 2·10⁻⁶ of the
// largest output, with the usual 0, ±1, ±2, ∞ five times that; a direct float32 sum has 3·10⁻⁷.
//
// All functions ask for winograd_supported(convolution).
// Scratch for each thread: at most about 2.5 MB, and for filter gradients 144 bytes · channels ·
// filters for at most 128 of either. The transformed filters are one more buffer of the caller's thread:
// winograd_packed_size floats.
#pragma once

#include "convolution.h"

namespace chainrule {

// A CPU with AVX2 and FMA; size 3, stride 1, pads from 0 to 2, an output of at least 1×1, channels and filters
// multiples of 8.
bool winograd_supported(const Convolution& convolution);

// Z from A_prev and W.
void winograd_forward(const Convolution& convolution, const float* A_prev, const float* W,
                      const Epilogue& epilogue, float* Z);

// dA_prev from dZ and W; plus `residual`, shaped like dA_prev, unless that is null (it may be dA_prev itself).
void winograd_input_gradient(const Convolution& convolution, const float* dZ, const float* W,
                             const float* residual, float* dA_prev);

// dW from A_prev and dZ; and d_bias (filters), the sum of dZ over images and positions, unless null.
void winograd_filter_gradient(const Convolution& convolution, const float* A_prev, const float* dZ,
                              float* dW, float* d_bias);

// For prediction: filters transformed once. What is packed holds for this CPU only: do not store it.
std::int64_t winograd_packed_size(std::int64_t channels, std::int64_t filters);  // in floats
void winograd_pack(std::int64_t channels, std::int64_t filters, const float* W, float* packed);
void winograd_forward_packed(const Convolution& convolution, const float* A_prev,
                             const float* packed, const Epilogue& epilogue, float* Z);

}  // namespace chainrule
