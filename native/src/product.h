// The product of two matrices in the cache: a few rows times one or two vectors at a time, with the
// sums in registers.
#pragma once

#include "vectors.h"

namespace chainrule {
namespace {

// The strides of an operand: between rows of the result, and between terms of the sum.
struct Walk {
  int64_t row, term;
};

// AVX2 has 16 registers: 6·2 sums, 2 for B and 1 for A. AVX-512 has 32.
constexpr int kRows = VECTOR_FLOATS == 8 ? 6 : 12;
constexpr int kPanel = 2 * kFloats;  // columns of a full panel

// C = A B or, when adding, C += A B; C has Rows rows and Vectors vectors, B's terms are b_term
// apart.
template <int Rows, int Vectors, bool Adding>
CHAINRULE_INLINE void product_tile(const float* A, Walk a, const float* B, int64_t b_term,
                                   int64_t terms, float* C, int64_t c_row) {
  Vector sums[Rows][Vectors] = {};
  for (int64_t k = 0; k < terms; ++k) {
    Vector b[Vectors];
    for (int v = 0; v < Vectors; ++v) b[v] = load(B + k * b_term + v * kFloats);
    for (int r = 0; r < Rows; ++r) {
      const Vector x = all(A[r * a.row + k * a.term]);
      for (int v = 0; v < Vectors; ++v) sums[r][v] += x * b[v];
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) {
      float* c = C + r * c_row + v * kFloats;
      store(c, Adding ? load(c) + sums[r][v] : sums[r][v]);
    }
}

// Makes the number of remaining rows known to the compiler.
template <int Vectors, bool Adding, int Rows = kRows>
CHAINRULE_INLINE void product_rows(int64_t rows, const float* A, Walk a, const float* B,
                                   int64_t b_term, int64_t terms, float* C, int64_t c_row) {
  if constexpr (Rows > 0) {
    if (rows == Rows)
      product_tile<Rows, Vectors, Adding>(A, a, B, b_term, terms, C, c_row);
    else
      product_rows<Vectors, Adding, Rows - 1>(rows, A, a, B, b_term, terms, C, c_row);
  }
}

// Any number of rows, divided evenly: 16 rows are 6, 5 and 5.
template <int Vectors, bool Adding>
CHAINRULE_INLINE void product(int64_t rows, const float* A, Walk a, const float* B, int64_t b_term,
                              int64_t terms, float* C, int64_t c_row) {
  for (int64_t parts = divide_up(rows, kRows); parts > 0; --parts) {
    const int64_t now = divide_up(rows, parts);
    product_rows<Vectors, Adding>(now, A, a, B, b_term, terms, C, c_row);
    rows -= now, A += now * a.row, C += now * c_row;
  }
}

}  // namespace
}  // namespace chainrule
