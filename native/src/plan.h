// A plan: how a convolution of one shape is computed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "arena.h"
#include "geometry.h"

namespace chainrule {

enum class Way { forward, input_gradient, filter_gradient };

// A request; one plan is made for each.
struct Request {
  Geometry geometry;
  Way way;
  bool bias = false;      // add b; for the filter gradient, also compute db
  bool relu = false;      // after everything else
  bool residual = false;  // add the previous contents of the result
  bool packed = false;    // W was packed by `pack`

  auto key() const {
    const Geometry& g = geometry;
    return std::array<int64_t, 16>{g.m, g.n_H_prev, g.n_W_prev, g.n_C_prev, g.f_H, g.f_W, g.n_C,
                                   g.groups, g.s, g.before, g.after, int64_t(way), bias, relu,
                                   residual, packed};
  }
};

// The arrays of a call; those that are not used are null.
struct Operands {
  const float* A_prev = nullptr;
  const float* W = nullptr;
  const float* b = nullptr;
  const float* dZ = nullptr;
  float* result = nullptr;  // A, dA_prev or dW
  float* db = nullptr;
};

class Plan {
 public:
  virtual ~Plan() = default;
  virtual void run(const Operands& operands, Arena& arena) = 0;

  virtual const std::string& name() const = 0;

  // Packed filters, in the kernel's own layout: their size in floats, a description of the layout,
  // and the conversion from W.
  virtual int64_t packed_size() const = 0;
  virtual const std::string& layout() const = 0;
  virtual void pack(const float* W, float* packed) = 0;
};

}  // namespace chainrule
