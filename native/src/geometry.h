// The sizes of a convolution, with the names of the notes, and their validation.
#pragma once

#include <cstdint>
#include <string>

namespace chainrule {

// Images (m, n_H, n_W, n_C), filters (f_H, f_W, n_C_prev / groups, n_C).
struct Geometry {
  int64_t m, n_H_prev, n_W_prev, n_C_prev;
  int64_t f_H, f_W, n_C, groups;
  int64_t s, before, after;  // stride and padding, the same on both axes

  int64_t n_H() const { return (n_H_prev + before + after - f_H) / s + 1; }
  int64_t n_W() const { return (n_W_prev + before + after - f_W) / s + 1; }
  bool depthwise() const { return groups > 1 && groups == n_C_prev && groups == n_C; }

  // Returns what is wrong with the sizes, or an empty string.
  std::string complaint() const;
};

}  // namespace chainrule
