// How one convolution of one shape is computed.
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

// What is asked for: a plan is made once for each.
struct Request {
  Geometry geometry;
  Way way;
  bool bias = false;      // add b; or give db beside dW
  bool relu = false;      // after everything else
  bool residual = false;  // add what the result holds already
  bool packed = false;    // W comes as `pack` left it

  auto key() const {
    const Geometry& g = geometry;
    return std::array<int64_t, 16>{g.m, g.n_H_prev, g.n_W_prev, g.n_C_prev, g.f_H, g.f_W, g.n_C,
                                   g.groups, g.s, g.before, g.after, int64_t(way), bias, relu,
                                   residual, packed};
  }
};

// The arrays of a call. What a way does not have is null.
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

  // Filters in the kernel's own layout, for a request that has them packed: their size in floats, a
  // word for the layout, and how they get there.
  virtual int64_t packed_size() const = 0;
  virtual const std::string& layout() const = 0;
  virtual void pack(const float* W, float* packed) = 0;
};

}  // namespace chainrule
