// The transforms of F(4×4, 3×3) and, for filter gradients, of F(3×3, 4×4), at the points 0, ±a, ±b,
// ∞.
//
// Each transforms a few numbers, first the columns and then the rows. The columns are computed for
// one or two rows of the result at a time, so that everything stays in registers. A plane contains
// one of the 36 products for all tiles.
#pragma once

#include "vectors.h"

namespace chainrule {
namespace {

constexpr float a = 0.75f, b = 1.5f;
constexpr float a2 = a * a, b2 = b * b;
constexpr int kPlanes = 36;

// Bᵀ: the polynomials that vanish at all points except one; the first and the last have the same
// form.
CHAINRULE_INLINE Vector input_end(Vector x0, Vector x2, Vector x4) {
  return x4 - (a2 + b2) * x2 + (a2 * b2) * x0;
}

// The polynomials of +point and −point; the square is that of the other pair.
CHAINRULE_INLINE void input_pair(Vector x1, Vector x2, Vector x3, Vector x4, float point,
                                 float square, Vector& plus, Vector& minus) {
  const Vector even = x4 - square * x2, odd = x3 - square * x1;
  plus = even + point * odd, minus = even - point * odd;
}

CHAINRULE_INLINE void store_input_row(const Vector x[6], float* to, int64_t plane) {
  Vector plus, minus;
  store(to, input_end(x[0], x[2], x[4]));
  input_pair(x[1], x[2], x[3], x[4], a, b2, plus, minus);
  store(to + plane, plus), store(to + 2 * plane, minus);
  input_pair(x[1], x[2], x[3], x[4], b, a2, plus, minus);
  store(to + 3 * plane, plus), store(to + 4 * plane, minus);
  store(to + 5 * plane, input_end(x[1], x[3], x[5]));
}

// Bᵀ x B of 6×6 pixels, `pixel` floats apart in each row.
CHAINRULE_INLINE void transform_input(const float* const rows[6], int64_t pixel, float* to,
                                      int64_t plane) {
  Vector x[6], y[6];
  for (int j = 0; j < 6; ++j)
    x[j] =
        input_end(load(rows[0] + j * pixel), load(rows[2] + j * pixel), load(rows[4] + j * pixel));
  store_input_row(x, to, plane);
  for (int pair = 0; pair < 2; ++pair) {
    for (int j = 0; j < 6; ++j)
      input_pair(load(rows[1] + j * pixel), load(rows[2] + j * pixel), load(rows[3] + j * pixel),
                 load(rows[4] + j * pixel), pair ? b : a, pair ? a2 : b2, x[j], y[j]);
    store_input_row(x, to + (6 + 12 * pair) * plane, plane);
    store_input_row(y, to + (12 + 12 * pair) * plane, plane);
  }
  for (int j = 0; j < 6; ++j)
    x[j] =
        input_end(load(rows[1] + j * pixel), load(rows[3] + j * pixel), load(rows[5] + j * pixel));
  store_input_row(x, to + 30 * plane, plane);
}

// Aᵀ: the coefficients of the product; the last one also contains the point ∞.
// One row of Aᵀ x A, from a row of Aᵀ x.
CHAINRULE_INLINE void output_row(const Vector x[6], Vector y[4]) {
  const Vector even_a = x[1] + x[2], odd_a = x[1] - x[2];
  const Vector even_b = x[3] + x[4], odd_b = x[3] - x[4];
  y[0] = x[0] + even_a + even_b;
  y[1] = a * odd_a + b * odd_b;
  y[2] = a2 * even_a + b2 * even_b;
  y[3] = x[5] + (a * a2) * odd_a + (b * b2) * odd_b;
}

// Rows `first` and `first + 2` of Aᵀ x A: the even or the odd rows. `keep` is called with (row,
// numbers).
template <bool Odd, typename Keep>
CHAINRULE_INLINE void output_rows(const float* from, int64_t plane, const Keep& keep) {
  Vector x[6], y[6], result[4];
  for (int j = 0; j < 6; ++j) {
    const float* column = from + j * plane;
    const Vector plus_a = load(column + 6 * plane), minus_a = load(column + 12 * plane);
    const Vector plus_b = load(column + 18 * plane), minus_b = load(column + 24 * plane);
    const Vector of_a = Odd ? plus_a - minus_a : plus_a + minus_a;
    const Vector of_b = Odd ? plus_b - minus_b : plus_b + minus_b;
    if (Odd) {
      x[j] = a * of_a + b * of_b;
      y[j] = load(column + 30 * plane) + (a * a2) * of_a + (b * b2) * of_b;
    } else {
      x[j] = load(column) + of_a + of_b;
      y[j] = a2 * of_a + b2 * of_b;
    }
  }
  output_row(x, result);
  keep(Odd ? 1 : 0, result);
  output_row(y, result);
  keep(Odd ? 3 : 2, result);
}

template <typename Keep>
CHAINRULE_INLINE void transform_output(const float* from, int64_t plane, const Keep& keep) {
  output_rows<false>(from, plane, keep);
  output_rows<true>(from, plane, keep);
}

// G: the values of a filter at the points, divided by the divisors of Bᵀ.
CHAINRULE_INLINE void filter_values(Vector x0, Vector x1, Vector x2, Vector y[6]) {
  const Vector even_a = x0 + a2 * x2, even_b = x0 + b2 * x2;
  const float of_a = 1 / (2 * a2 * (a2 - b2)), of_b = 1 / (2 * b2 * (b2 - a2));
  y[0] = (1 / (a2 * b2)) * x0;
  y[1] = of_a * (even_a + a * x1), y[2] = of_a * (even_a - a * x1);
  y[3] = of_b * (even_b + b * x1), y[4] = of_b * (even_b - b * x1);
  y[5] = x2;
}

// G x Gᵀ of a filter, whose weights are `weight` floats apart.
CHAINRULE_INLINE void transform_filter(const float* from, int64_t weight, float* to,
                                       int64_t plane) {
  Vector columns[3][6], row[6];
  for (int j = 0; j < 3; ++j)
    filter_values(load(from + j * weight), load(from + (3 + j) * weight),
                  load(from + (6 + j) * weight), columns[j]);
  for (int i = 0; i < 6; ++i) {
    filter_values(columns[0][i], columns[1][i], columns[2][i], row);
    for (int j = 0; j < 6; ++j) store(to + (6 * i + j) * plane, row[j]);
  }
}

// The values of a gradient of four numbers at the points, without divisors.
CHAINRULE_INLINE void gradient_pair(Vector x0, Vector x1, Vector x2, Vector x3, float point,
                                    Vector& plus, Vector& minus) {
  const float square = point * point;
  const Vector even = x0 + square * x2, odd = x1 + square * x3;
  plus = even + point * odd, minus = even - point * odd;
}

CHAINRULE_INLINE void store_gradient_row(const Vector x[4], float* to, int64_t plane) {
  Vector plus, minus;
  store(to, x[0]);
  gradient_pair(x[0], x[1], x[2], x[3], a, plus, minus);
  store(to + plane, plus), store(to + 2 * plane, minus);
  gradient_pair(x[0], x[1], x[2], x[3], b, plus, minus);
  store(to + 3 * plane, plus), store(to + 4 * plane, minus);
  store(to + 5 * plane, x[3]);
}

// The transform of 4×4 pixels of dZ, `pixel` floats apart in each row.
CHAINRULE_INLINE void transform_gradient(const float* const rows[4], int64_t pixel, float* to,
                                         int64_t plane) {
  Vector x[4], y[4];
  for (int j = 0; j < 4; ++j) x[j] = load(rows[0] + j * pixel);
  store_gradient_row(x, to, plane);
  for (int pair = 0; pair < 2; ++pair) {
    for (int j = 0; j < 4; ++j)
      gradient_pair(load(rows[0] + j * pixel), load(rows[1] + j * pixel), load(rows[2] + j * pixel),
                    load(rows[3] + j * pixel), pair ? b : a, x[j], y[j]);
    store_gradient_row(x, to + (6 + 12 * pair) * plane, plane);
    store_gradient_row(y, to + (12 + 12 * pair) * plane, plane);
  }
  for (int j = 0; j < 4; ++j) x[j] = load(rows[3] + j * pixel);
  store_gradient_row(x, to + 30 * plane, plane);
}

// Applies the divisors that are missing in the gradient's values, and computes the three
// coefficients of a filter's gradient.
CHAINRULE_INLINE void filter_coefficients(const Vector x[6], Vector y[3]) {
  const float of_a = 1 / (2 * a2 * (a2 - b2)), of_b = 1 / (2 * b2 * (b2 - a2));
  const Vector even_a = of_a * (x[1] + x[2]), odd_a = of_a * (x[1] - x[2]);
  const Vector even_b = of_b * (x[3] + x[4]), odd_b = of_b * (x[3] - x[4]);
  y[0] = (1 / (a2 * b2)) * x[0] + even_a + even_b;
  y[1] = a * odd_a + b * odd_b;
  y[2] = a2 * even_a + b2 * even_b + x[5];
}

// Computes dW from the products of the planes, for weights that are `weight` floats apart.
CHAINRULE_INLINE void transform_filter_gradient(const float* from, int64_t plane, float* to,
                                                int64_t weight) {
  Vector rows[3][6], column[6], y[3];
  for (int j = 0; j < 6; ++j) {
    for (int i = 0; i < 6; ++i) column[i] = load(from + (6 * i + j) * plane);
    filter_coefficients(column, y);
    for (int i = 0; i < 3; ++i) rows[i][j] = y[i];
  }
  for (int i = 0; i < 3; ++i) {
    filter_coefficients(rows[i], y);
    for (int j = 0; j < 3; ++j) store(to + (3 * i + j) * weight, y[j]);
  }
}

}  // namespace
}  // namespace chainrule
