#define VECTOR_FLOATS 8
#include "batch_norm.h"

#include <cmath>
#include <cstring>
#include <type_traits>

#include "batch_norm_rows.h"
#include "scratch.h"

namespace chainrule {
namespace {

// Returns the first pixel of the example with the largest weight. It has to be of the same magnitude
// as the others, which an example of weight 0, which only fills the batch, need not be.
const float* example_of(const BatchNorm& norm, const float* Z, const float* weights) {
  int64_t best = 0;
  for (int64_t i = 1; weights != nullptr && i < norm.examples; ++i)
    if (weights[i] > weights[best]) best = i;
  return Z + best * norm.positions * norm.channels;
}

// Returns the share of one position of an example of weight 1.
double unit_share(const BatchNorm& norm, const float* weights) {
  double total = norm.examples;
  if (weights != nullptr) {
    total = 0;
    for (int64_t i = 0; i < norm.examples; ++i) total += weights[i];
  }
  return 1 / (total * norm.positions);
}

// Returns whether a mean is so large, relative to its deviation, that float32 rounds it too much.
bool far_from_zero(const BatchNorm& norm, const float* mean, const float* variance) {
  for (int64_t c = 0; c < norm.channels; ++c)
    if (mean[c] * double(mean[c]) > 1e4 * (variance[c] + double(norm.epsilon))) return true;
  return false;
}

// Two sums for each channel and each part of the rows.
class Sums {
 public:
  Sums(float* memory, int64_t parts, int64_t C) : memory_(memory), parts_(parts), C_(C) {
    std::memset(memory, 0, floats(parts, C) * sizeof(float));
  }

  static int64_t floats(int64_t parts, int64_t C) { return 2 * parts * C; }

  float* first(int64_t part) const { return memory_ + 2 * part * C_; }
  float* second(int64_t part) const { return first(part) + C_; }

  double first_of(int64_t c) const { return total(c); }
  double second_of(int64_t c) const { return total(C_ + c); }

 private:
  double total(int64_t place) const {
    double result = 0;
    for (int64_t part = 0; part < parts_; ++part) result += memory_[2 * part * C_ + place];
    return result;
  }

  float* memory_;
  int64_t parts_, C_;
};

// Computes the sums of Z − example and of its squares.
void add_squares(const Parts& parts, int64_t C, const float* Z, const float* weights,
                 const float* example, const Sums& sums) {
  parts.each([&](int64_t part) {
    float *sum = sums.first(part), *squares = sums.second(part);
    if (weights == nullptr)
      return add_squares(Z, parts.first(part), parts.first(part + 1), C, example, 1, sum, squares);
    parts.examples(part, [&](int64_t first, int64_t end, int64_t i) {
      if (weights[i] != 0) add_squares(Z, first, end, C, example, weights[i], sum, squares);
    });
  });
}

}  // namespace

void batch_norm_forward(const BatchNorm& norm, const float* Z, const float* gamma,
                        const float* beta, const float* weights, const float* residual, bool relu,
                        float* A, float* mean, float* variance) {
  const int64_t C = norm.channels;
  const Parts parts(norm);
  float* memory = scratch(Scratch::filters, Sums::floats(parts.count, C) + 3 * C);
  float *example = memory, *scale = memory + C, *offset = memory + 2 * C;
  std::memcpy(example, example_of(norm, Z, weights), C * sizeof(float));
  const Sums sums(memory + 3 * C, parts.count, C);
  add_squares(parts, C, Z, weights, example, sums);
  const double unit = unit_share(norm, weights);
  for (int64_t c = 0; c < C; ++c) {
    const double from_example = unit * sums.first_of(c);
    const double spread = unit * sums.second_of(c) - from_example * from_example;
    const double v = spread < 0 ? 0 : spread;
    mean[c] = float(example[c] + from_example), variance[c] = float(v);
    scale[c] = float(gamma[c] / std::sqrt(v + double(norm.epsilon)));
    offset[c] = float(beta[c] - from_example * scale[c]);
  }
  const auto finish = residual ? (relu ? normalize<true, true> : normalize<true, false>)
                               : (relu ? normalize<false, true> : normalize<false, false>);
  parts.each([&](int64_t part) {
    finish(Z, parts.first(part), parts.first(part + 1), C, example, scale, offset, residual, A);
  });
}

void batch_norm_backward(const BatchNorm& norm, const float* dA, const float* A, const float* Z,
                         const float* gamma, const float* mean, const float* variance,
                         const float* d_mean, const float* d_variance, const float* weights,
                         float* dZ, float* d_gamma, float* d_beta, float* d_residual) {
  const int64_t C = norm.channels;
  const Parts parts(norm);
  const int64_t size = Sums::floats(parts.count, C);
  float* memory = scratch(Scratch::filters, 2 * size + 3 * C);
  float *scale = memory + 2 * size, *slope = scale + C, *offset = slope + C;
  const Sums sums(memory, parts.count, C), rounded(memory + size, parts.count, C);
  const auto add = A ? (d_residual ? add_products<true, true> : add_products<true, false>)
                     : (d_residual ? add_products<false, true> : add_products<false, false>);
  parts.each([&](int64_t part) {
    add(dA, A, Z, parts.first(part), parts.first(part + 1), C, mean, sums.first(part),
        sums.second(part), d_residual);
  });
  if (far_from_zero(norm, mean, variance)) add_squares(parts, C, Z, weights, mean, rounded);
  const double unit = unit_share(norm, weights);
  for (int64_t c = 0; c < C; ++c) {
    const double inverse_deviation = 1 / std::sqrt(double(variance[c]) + double(norm.epsilon));
    const double lost = unit * rounded.first_of(c);  // rounding error of the mean
    const double of_beta = sums.first_of(c);
    const double of_gamma = inverse_deviation * (sums.second_of(c) - lost * of_beta);
    const double steepness = -gamma[c] * inverse_deviation * inverse_deviation * of_gamma +
                             (d_variance ? 2.0 * d_variance[c] : 0.0);
    d_beta[c] = float(of_beta), d_gamma[c] = float(of_gamma);
    scale[c] = float(gamma[c] * inverse_deviation), slope[c] = float(steepness);
    offset[c] = float(-gamma[c] * inverse_deviation * of_beta - lost * steepness +
                      (d_mean ? d_mean[c] : 0.0));
  }
  const float* masked = d_residual ? d_residual : dA;
  const auto finish = A && !d_residual ? gradient<true> : gradient<false>;
  parts.each([&](int64_t part) {
    const auto go = [&](int64_t first, int64_t end, double share) {
      finish(masked, A, Z, first, end, C, mean, scale, slope, offset, float(share), dZ);
    };
    if (weights == nullptr) return go(parts.first(part), parts.first(part + 1), unit);
    parts.examples(
        part, [&](int64_t first, int64_t end, int64_t i) { go(first, end, unit * weights[i]); });
  });
}

}  // namespace chainrule
