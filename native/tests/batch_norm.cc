// Batch norm against the same formulas in float64.
#include "../src/batch_norm.h"

#include "checks.h"

namespace chainrule {
namespace {

// Numbers about a mean that would hide the variance; the last example has a weight of 0 and is no
// number.
struct Normed {
  BatchNorm norm;
  Floats Z, dA, gamma, beta, residual, weights;
  bool weighted, added, rectified;
  Doubles A, mean, variance, dZ, d_gamma, d_beta, d_residual;

  Normed(BatchNorm given, double from, bool weighted, bool added, bool rectified)
      : norm(given), weighted(weighted), added(added), rectified(rectified) {
    const int64_t C = norm.channels, size = norm.examples * norm.positions * C;
    Z = normal(size, 1, 1, from), dA = normal(size, 1, 2), gamma = normal(C, 1, 3),
    beta = normal(C, 1, 4);
    residual = normal(size, 1, 5), weights = normal(norm.examples, 0.3, 6, 1);
    for (float& weight : weights) weight = std::abs(weight);
    if (weighted && norm.examples > 1) weights.back() = 0;
    forward();
    backward();
  }

  double share(int64_t place) const {
    double total = 0;
    for (float weight : weights) total += weighted ? weight : 1;
    const int64_t example = place / (norm.positions * norm.channels);
    return (weighted ? weights[example] : 1) / (total * norm.positions);
  }

  void forward() {
    const int64_t C = norm.channels, size = Z.size();
    mean.assign(C, 0), variance.assign(C, 0), A.assign(size, 0);
    Doubles shares(size);
    for (int64_t i = 0; i < size; i += C) std::fill_n(shares.begin() + i, C, share(i));
    for (int64_t i = 0; i < size; ++i) mean[i % C] += shares[i] * Z[i];
    for (int64_t i = 0; i < size; ++i)
      variance[i % C] += shares[i] * std::pow(Z[i] - mean[i % C], 2);
    for (int64_t i = 0; i < size; ++i) {
      A[i] = gamma[i % C] * (Z[i] - mean[i % C]) / std::sqrt(variance[i % C] + norm.epsilon) +
             beta[i % C];
      if (added) A[i] += residual[i];
      if (rectified) A[i] = std::max(A[i], 0.0);
    }
  }

  void backward() {
    const int64_t C = norm.channels, size = Z.size();
    d_gamma.assign(C, 0), d_beta.assign(C, 0), dZ.assign(size, 0), d_residual.assign(size, 0);
    const auto standard = [&](int64_t i) {
      return (Z[i] - mean[i % C]) / std::sqrt(variance[i % C] + norm.epsilon);
    };
    for (int64_t i = 0; i < size; ++i) {
      d_residual[i] = rectified && float(A[i]) <= 0 ? 0 : dA[i];
      d_beta[i % C] += d_residual[i], d_gamma[i % C] += d_residual[i] * standard(i);
    }
    for (int64_t i = 0; i < size; ++i)
      dZ[i] = gamma[i % C] / std::sqrt(variance[i % C] + norm.epsilon) *
              (d_residual[i] - share(i) * (d_beta[i % C] + standard(i) * d_gamma[i % C]));
  }
};

void check_batch_norm(BatchNorm norm, double from, bool weighted, bool added, bool rectified) {
  const std::string shape = "batch norm " + std::to_string(norm.examples) + " " +
                            std::to_string(norm.positions) + " " + std::to_string(norm.channels) +
                            (weighted ? " weighted" : "") + (added ? " residual" : "") +
                            (rectified ? " relu " : " ");
  expect(batch_norm_supported(norm), shape + "supported");
  const Normed c(norm, from, weighted, added, rectified);
  const double tolerance = 3e-6;
  Floats A(c.Z.size(), NAN), mean(norm.channels, NAN), variance(norm.channels, NAN);
  const float* weights = weighted ? c.weights.data() : nullptr;
  if (added) A = c.residual;
  batch_norm_forward(norm, c.Z.data(), c.gamma.data(), c.beta.data(), weights,
                     added ? A.data() : nullptr, rectified, A.data(), mean.data(), variance.data());
  close(mean, c.mean, 1e-6, shape + "mean", 1);
  close(variance, c.variance, 5e-6, shape + "variance", 1);
  close(A, c.A, 5e-6, shape + "A", 1);

  Floats dZ(c.Z.size(), NAN), d_gamma(norm.channels, NAN), d_beta(norm.channels, NAN),
      d_residual(c.Z.size(), NAN);
  const Floats exact(c.A.begin(), c.A.end());  // so that the mask is the same
  batch_norm_backward(norm, c.dA.data(), rectified ? exact.data() : nullptr, c.Z.data(),
                      c.gamma.data(), mean.data(), variance.data(), nullptr, nullptr, weights, dZ.data(),
                      d_gamma.data(), d_beta.data(), added ? d_residual.data() : nullptr);
  close(dZ, c.dZ, tolerance, shape + "dZ", 1);
  close(d_gamma, c.d_gamma, tolerance, shape + "d_gamma", 1);
  close(d_beta, c.d_beta, 3e-6, shape + "d_beta", 1);
  if (added) close(d_residual, c.d_residual, 0, shape + "d_residual");
  Floats in_place = c.dA;
  batch_norm_backward(norm, in_place.data(), rectified ? exact.data() : nullptr, c.Z.data(),
                      c.gamma.data(), mean.data(), variance.data(), nullptr, nullptr, weights, in_place.data(),
                      d_gamma.data(), d_beta.data(), nullptr);
  close(in_place, c.dZ, tolerance, shape + "dZ in place of dA", 1);
}

void batch_norm() {
  for (BatchNorm norm : {BatchNorm{5, 9, 8, 1e-5f},
                         {3, 1, 24, 1e-3f},
                         {4, 7, 3, 1e-5f},
                         {2, 10, 13, 1e-5f},
                         {64, 64, 64, 1e-5f},
                         {64, 1024, 16, 1e-5f}})
    for (double from : {0.0, 1e4})
      for (bool weighted : {false, true})
        for (bool added : {false, true})
          for (bool rectified : {false, true})
            check_batch_norm(norm, from, weighted, added, rectified);
  check_batch_norm({1, 1, 5, 1.0f}, 1, false, false, false);
}

void a_weight_of_zero_has_no_influence() {
  const BatchNorm norm{2, 6, 9, 1e-5f};
  Floats Z = normal(2 * 6 * 9, 1, 1), ones(9, 1), zeros(9), A(Z.size()), mean(9), variance(9),
         alone(9), spread(9);
  std::fill_n(Z.begin(), 6 * 9, NAN);
  const Floats weights{0, 2};
  batch_norm_forward(norm, Z.data(), ones.data(), zeros.data(), weights.data(), nullptr, false,
                     A.data(), mean.data(), variance.data());
  batch_norm_forward({1, 6, 9, 1e-5f}, Z.data() + 6 * 9, ones.data(), zeros.data(), nullptr,
                     nullptr, false, A.data(), alone.data(), spread.data());
  close(mean, Doubles(alone.begin(), alone.end()), 1e-6, "mean without the example of weight 0");
  close(variance, Doubles(spread.begin(), spread.end()), 1e-6,
        "variance without the example of weight 0");
}

}  // namespace
}  // namespace chainrule

int main() {
  chainrule::batch_norm();
  chainrule::a_weight_of_zero_has_no_influence();
  return chainrule::verdict();
}
