// The kernels of winograd.h, which are compiled for each kind of CPU.
#pragma once

#include "epilogue.h"
#include "geometry.h"

namespace chainrule {

struct WinogradKernels {
  int vector_floats;

  // From W (3, 3, n_C_prev, n_C) to winograd_packed_size floats.
  void (*pack)(int64_t n_C_prev, int64_t n_C, const float* W, float* packed);
  void (*forward)(const Geometry& geometry, const float* A_prev, const float* packed,
                  const Epilogue& epilogue, float* Z);
  void (*filter_gradient)(const Geometry& geometry, const float* A_prev, const float* dZ, float* dW,
                          float* db);
};

extern const WinogradKernels winograd_avx2, winograd_avx512;

}  // namespace chainrule
