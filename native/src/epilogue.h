// The operations on the result of a convolution before it is stored.
#pragma once

namespace chainrule {

// They are applied in this order; a null pointer skips one.
struct Epilogue {
  const float* bias = nullptr;      // (n_C): Z += bias
  const float* residual = nullptr;  // as Z: Z += residual; may be Z itself
  bool relu = false;                // Z = max(Z, 0); NaN stays NaN
};

}  // namespace chainrule
