// Convolutions with 3×3 filters and stride 1, with a quarter of the multiplications: F(4×4, 3×3).
//
// Winograd's minimal filtering (Lavin and Gray, arXiv 1509.09308): a tile of 6×6 numbers and a 3×3
// filter are transformed, and their 36 products give 4×4 outputs, which would otherwise take 144.
//
//     Z = Aᵀ [(G W Gᵀ) ⊙ (Bᵀ A_prev B)] A
//
// The points are 0, ±3/4, ±3/2 and ∞. With them the error relative to float64 is 1 to 5·10⁻⁶ of the
// largest output; with the usual 0, ±1, ±2, ∞ it is four times that, and 3·10⁻⁷ for a direct sum.
//
// Arrays are contiguous float32, images in NHWC and filters in HWIO. Pointers need no alignment
// beyond that of a float. Inputs and outputs may not overlap, except for a residual.
//
// Plain functions, safe to call from several threads at once; the work is shared among the OpenMP
// threads. The same number of threads gives the same bits. All functions require
// winograd_supported(geometry). Each thread keeps scratch memory for its next call until it ends: at
// most 7 KB · n_C_prev plus 400 KB; in the filter gradient 1 MB plus 168 bytes · the larger of
// n_C_prev and n_C. The caller's thread also keeps the transformed filters, winograd_packed_size
// floats (a quarter more for the input gradient), or in the filter gradient 2.4 MB for each thread.
// The process ends if memory runs out.
#pragma once

#include "epilogue.h"
#include "geometry.h"

namespace chainrule {

// Returns whether the kernel can be used: a CPU with AVX2 and FMA; 3×3 filters, one group, stride 1,
// padding from 0 to 2, n_C_prev and n_C multiples of 8, and a valid geometry.
bool winograd_supported(const Geometry& geometry);

// Computes Z from A_prev and W.
void winograd_forward(const Geometry& geometry, const float* A_prev, const float* W,
                      const Epilogue& epilogue, float* Z);

// Computes dA_prev from dZ and W, plus `residual`, shaped like dA_prev, unless it is null. residual
// may be dA_prev itself.
void winograd_input_gradient(const Geometry& geometry, const float* dZ, const float* W,
                             const float* residual, float* dA_prev);

// Computes dW from A_prev and dZ, and db (n_C), the sum of dZ over images and positions, unless null.
void winograd_filter_gradient(const Geometry& geometry, const float* A_prev, const float* dZ,
                              float* dW, float* db);

// For prediction: filters that are transformed once. Packed filters are valid on this CPU only: do
// not store them.
int64_t winograd_packed_size(int64_t n_C_prev, int64_t n_C);  // in floats
void winograd_pack(int64_t n_C_prev, int64_t n_C, const float* W, float* packed);
void winograd_forward_packed(const Geometry& geometry, const float* A_prev, const float* packed,
                             const Epilogue& epilogue, float* Z);

}  // namespace chainrule
