// A convolution of the notes, seen from the kernels: what all of them are told.
//
// Arrays are contiguous float32, row-major, images in NHWC and filters in HWIO:
//
//     A_prev  (images, height, width, channels)
//     W       (size, size, channels, filters)
//     Z       (images, out_height, out_width, filters)
//
// Every kernel is a plain function. It may be called from several threads at once; it shares its own
// work among the threads of OpenMP. Pointers need no alignment beyond that of a float. Inputs and
// outputs may not overlap, but for a residual, which may be the output itself.
// The same number of threads gives the same bits.
//
// Scratch memory belongs to the kernel: each thread keeps one buffer, which grows to the largest
// need so far and is given back when the thread ends. How large it can be stands at each kernel.
#pragma once

#include <cstdint>

namespace chainrule {

struct Convolution {
  std::int64_t images, height, width;
  std::int64_t channels, filters;
  std::int64_t size;                   // of a filter, in both directions
  std::int64_t stride;                 // in both directions
  std::int64_t pad_before, pad_after;  // zeros above and to the left; below and to the right

  std::int64_t out_height() const { return (height + pad_before + pad_after - size) / stride + 1; }
  std::int64_t out_width() const { return (width + pad_before + pad_after - size) / stride + 1; }
};

// What is done to Z before it is stored, in this order; a null pointer leaves it out.
struct Epilogue {
  const float* bias = nullptr;      // (filters): Z += bias
  const float* residual = nullptr;  // as Z: Z += residual; may be Z itself
  bool relu = false;                // Z = max(Z, 0); NaN stays NaN
};

}  // namespace chainrule
