#include "winograd.h"

#include "parallel.h"
#include "scratch.h"
#include "supported.h"
#include "winograd_kernels.h"

namespace chainrule {
namespace {

constexpr int64_t kPlanes = 36;

// Returns the kernels with the widest vectors that the CPU has and the channels fill.
const WinogradKernels& kernels(int64_t n_C_prev, int64_t n_C) {
  return has_avx512() && n_C_prev % 16 == 0 && n_C % 16 == 0 ? winograd_avx512 : winograd_avx2;
}

const WinogradKernels& kernels(const Geometry& geometry) {
  return kernels(geometry.n_C_prev, geometry.n_C);
}

// The input gradient is a convolution of dZ.
Geometry backward(const Geometry& geometry) {
  Geometry back = geometry;
  back.n_H_prev = geometry.n_H(), back.n_W_prev = geometry.n_W();
  back.n_C_prev = geometry.n_C, back.n_C = geometry.n_C_prev;
  back.before = 2 - geometry.before, back.after = 2 - geometry.after;
  return back;
}

// Filters rotated by 180°, with their two channel axes exchanged: (3, 3, n_C, n_C_prev).
void turn(int64_t n_C_prev, int64_t n_C, const float* W, float* turned) {
  constexpr int64_t kSquare = 8;
  share_evenly(9, n_C_prev * n_C >= 2048, [&](int64_t weight) {
    const float* from = W + (8 - weight) * n_C_prev * n_C;
    float* to = turned + weight * n_C_prev * n_C;
    for (int64_t c = 0; c < n_C_prev; c += kSquare)
      for (int64_t n = 0; n < n_C; n += kSquare)
        for (int64_t i = 0; i < kSquare; ++i)
          for (int64_t j = 0; j < kSquare; ++j)
            to[(n + i) * n_C_prev + c + j] = from[(c + j) * n_C + n + i];
  });
}

}  // namespace

bool winograd_supported(const Geometry& geometry) {
  return has_avx2() && geometry.f_H == 3 && geometry.f_W == 3 && geometry.groups == 1 &&
         geometry.s == 1 && geometry.before <= 2 && geometry.after <= 2 && geometry.n_C_prev % 8 == 0 &&
         geometry.n_C % 8 == 0;
}

// There is one cache line between the planes of each panel.
int64_t winograd_packed_size(int64_t n_C_prev, int64_t n_C) {
  constexpr int64_t kLine = 16, kPanel = 16;
  return kPlanes * (n_C_prev * n_C + (n_C + kPanel - 1) / kPanel * kLine);
}

void winograd_pack(int64_t n_C_prev, int64_t n_C, const float* W, float* packed) {
  kernels(n_C_prev, n_C).pack(n_C_prev, n_C, W, packed);
}

void winograd_forward_packed(const Geometry& geometry, const float* A_prev, const float* packed,
                             const Epilogue& epilogue, float* Z) {
  kernels(geometry).forward(geometry, A_prev, packed, epilogue, Z);
}

void winograd_forward(const Geometry& geometry, const float* A_prev, const float* W,
                      const Epilogue& epilogue, float* Z) {
  float* packed = scratch(Scratch::filters, winograd_packed_size(geometry.n_C_prev, geometry.n_C));
  winograd_pack(geometry.n_C_prev, geometry.n_C, W, packed);
  winograd_forward_packed(geometry, A_prev, packed, epilogue, Z);
}

void winograd_input_gradient(const Geometry& geometry, const float* dZ, const float* W,
                             const float* residual, float* dA_prev) {
  const Geometry back = backward(geometry);
  const int64_t size = geometry.n_C_prev * geometry.n_C;
  const int64_t packed_size = winograd_packed_size(back.n_C_prev, back.n_C);
  float* packed = scratch(Scratch::filters, packed_size + 9 * size);
  float* turned = packed + packed_size;
  turn(geometry.n_C_prev, geometry.n_C, W, turned);
  winograd_pack(back.n_C_prev, back.n_C, turned, packed);
  winograd_forward_packed(back, dZ, packed, {nullptr, residual, false}, dA_prev);
}

void winograd_filter_gradient(const Geometry& geometry, const float* A_prev, const float* dZ,
                              float* dW, float* db) {
  kernels(geometry).filter_gradient(geometry, A_prev, dZ, dW, db);
}

}  // namespace chainrule
