// Convolutions of 3×3 filters with stride 1, in a quarter of the multiplications: F(4×4, 3×3).
//
// Winograd's minimal filtering (Lavin and Gray, arXiv 1509.09308): of a tile of 6×6 numbers and a
// filter of 3×3, both transformed, 36 products give 4×4 outputs, which directly would take 144.
//
//     Z = Aᵀ [(G W Gᵀ) ⊙ (Bᵀ A_prev B)] A
//
// The points are 0, ±3/4, ±3/2 and ∞. With them the error against float64 is 1 to 5·10⁻⁶ of the
// largest output, with the usual 0, ±1, ±2, ∞ four times that; a direct float32 sum has 3·10⁻⁷.
//
// Arrays are contiguous float32, images in NHWC and filters in HWIO. Pointers need no alignment
// beyond that of a float. Inputs and outputs may not overlap, but for a residual.
//
// Plain functions, safe to call from several threads at once; the work is shared among the threads
// of OpenMP. The same number of threads gives the same bits. All ask for
// winograd_supported(geometry). Scratch is kept by each thread, for its next call, until the thread
// ends: at most 7 KB · n_C_prev, and 400 KB; in the filter gradient 1 MB and 168 bytes · the larger
// of n_C_prev and n_C. The caller's thread keeps besides the transformed filters,
// winograd_packed_size floats (a quarter more for the input gradient), or in the filter
// gradient 2.4 MB for each thread. Memory that runs out ends the process.
#pragma once

#include "epilogue.h"
#include "geometry.h"

namespace chainrule {

// A CPU with AVX2 and FMA; filters of 3×3, one group, stride 1, pads from 0 to 2, n_C_prev and n_C
// multiples of 8, and a geometry without complaint.
bool winograd_supported(const Geometry& geometry);

// Z from A_prev and W.
void winograd_forward(const Geometry& geometry, const float* A_prev, const float* W,
                      const Epilogue& epilogue, float* Z);

// dA_prev from dZ and W; plus `residual`, shaped like dA_prev, unless that is null. It may be
// dA_prev itself.
void winograd_input_gradient(const Geometry& geometry, const float* dZ, const float* W,
                             const float* residual, float* dA_prev);

// dW from A_prev and dZ; and db (n_C), the sum of dZ over images and positions, unless null.
void winograd_filter_gradient(const Geometry& geometry, const float* A_prev, const float* dZ,
                              float* dW, float* db);

// For prediction: filters transformed once. What is packed holds for this CPU only: do not store
// it.
int64_t winograd_packed_size(int64_t n_C_prev, int64_t n_C);  // in floats
void winograd_pack(int64_t n_C_prev, int64_t n_C, const float* W, float* packed);
void winograd_forward_packed(const Geometry& geometry, const float* A_prev, const float* packed,
                             const Epilogue& epilogue, float* Z);

}  // namespace chainrule
