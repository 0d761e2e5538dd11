// Random numbers, and how far two results are from each other.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "../src/geometry.h"

namespace chainrule {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

inline Floats normal(int64_t size, double deviation, unsigned seed, double mean = 0) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> draw(mean, deviation);
  Floats numbers(size);
  for (float& number : numbers) number = float(draw(generator));
  return numbers;
}

// The largest error, as a part of the largest expected number, or of `unit`. Infinite where a
// number is none.
inline double error(const Floats& got, const Doubles& expected, double unit = 1e-30) {
  double worst = 0, largest = unit;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(got[i] - expected[i]);
    if (!(difference <= 1e30)) return INFINITY;
    worst = std::max(worst, difference);
    largest = std::max(largest, std::abs(expected[i]));
  }
  return worst / largest;
}

inline int64_t input_size(const Geometry& g) { return g.m * g.n_H_prev * g.n_W_prev * g.n_C_prev; }
inline int64_t filter_size(const Geometry& g) { return g.f_H * g.f_W * g.n_C_prev * g.n_C; }
inline int64_t output_size(const Geometry& g) { return g.m * g.n_H() * g.n_W() * g.n_C; }

}  // namespace chainrule
