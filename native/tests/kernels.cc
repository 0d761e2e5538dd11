// Our kernels against the same sums in float64, on shapes that are odd in every way. Fails with exit code 1.
#include <cstdio>
#include <cstring>
#include <string>

#include "../src/batch_norm.h"
#include "../src/thin_convolution.h"
#include "../src/winograd.h"
#include "numbers.h"

namespace chainrule {
namespace {

int failures = 0, checks = 0;

void expect(bool good, const std::string& what, double error = 0) {
  ++checks;
  if (good) return;
  ++failures;
  std::printf("FAILED %s: error %.3g\n", what.c_str(), error);
}

void close(const Floats& got, const Doubles& expected, double tolerance, const std::string& what, double unit = 1e-30) {
  const double far = error(got, expected, unit);
  expect(far <= tolerance, what, far);
}

std::string name(const Geometry& g) {
  std::string text;
  for (int64_t size : {g.m, g.n_H_prev, g.n_W_prev, g.n_C_prev, g.f_H, g.f_W, g.n_C, g.s, g.before, g.after})
    text += std::to_string(size) + " ";
  return text;
}

// Every product of a pixel, a weight and an output: visit(pixel, weight, output).
template <typename Visit>
void products(const Geometry& g, const Visit& visit) {
  for (int64_t m = 0; m < g.m; ++m)
    for (int64_t y = 0; y < g.n_H(); ++y)
      for (int64_t x = 0; x < g.n_W(); ++x)
        for (int64_t i = 0; i < g.f_H; ++i)
          for (int64_t j = 0; j < g.f_W; ++j) {
            const int64_t row = y * g.s + i - g.before, column = x * g.s + j - g.before;
            if (row < 0 || row >= g.n_H_prev || column < 0 || column >= g.n_W_prev) continue;
            for (int64_t c = 0; c < g.n_C_prev; ++c)
              for (int64_t n = 0; n < g.n_C; ++n)
                visit(((m * g.n_H_prev + row) * g.n_W_prev + column) * g.n_C_prev + c,
                      ((i * g.f_W + j) * g.n_C_prev + c) * g.n_C + n, ((m * g.n_H() + y) * g.n_W() + x) * g.n_C + n);
          }
}

struct Case {
  Geometry g;
  Floats X, W, dZ, bias, residual;
  Doubles Z, dX, dW, db;

  explicit Case(const Geometry& geometry)
      : g(geometry),
        X(normal(input_size(g), 1, 1)),
        W(normal(filter_size(g), std::sqrt(2.0 / (g.f_H * g.f_W * g.n_C_prev)), 2)),
        dZ(normal(output_size(g), 1, 3)),
        bias(normal(g.n_C, 1, 4)),
        residual(normal(std::max(output_size(g), input_size(g)), 1, 5)),
        Z(output_size(g)),
        dX(input_size(g)),
        dW(filter_size(g)),
        db(g.n_C) {
    products(g, [&](int64_t x, int64_t w, int64_t z) {
      Z[z] += double(X[x]) * W[w];
      dX[x] += double(dZ[z]) * W[w];
      dW[w] += double(dZ[z]) * X[x];
    });
    for (size_t i = 0; i < dZ.size(); ++i) db[i % g.n_C] += dZ[i];
  }

  Doubles finished(bool biased, bool added, bool rectified) const {
    Doubles result = Z;
    for (size_t i = 0; i < result.size(); ++i) {
      if (biased) result[i] += bias[i % g.n_C];
      if (added) result[i] += residual[i];
      if (rectified) result[i] = std::max(result[i], 0.0);
    }
    return result;
  }

  Doubles input_gradient_added() const {
    Doubles result = dX;
    for (size_t i = 0; i < result.size(); ++i) result[i] += residual[i];
    return result;
  }
};

Geometry geometry(int64_t m, int64_t height, int64_t width, int64_t n_C_prev, int64_t n_C, int64_t before = 1, int64_t after = 1) {
  return {m, height, width, n_C_prev, 3, 3, n_C, 1, 1, before, after};
}

constexpr double kWinograd = 1e-5, kDirect = 2e-6;

void check_winograd(const Geometry& g) {
  const std::string shape = "winograd " + name(g);
  expect(winograd_supported(g), shape + "supported");
  const Case c(g);
  const Floats dirt(std::max(output_size(g), input_size(g)), NAN);  // what was there before does not count
  const auto forward = [&](bool packed, bool biased, bool added, bool rectified) {
    Floats Z(dirt.begin(), dirt.begin() + output_size(g));
    if (added) std::copy_n(c.residual.begin(), Z.size(), Z.begin());
    const Epilogue epilogue{biased ? c.bias.data() : nullptr, added ? Z.data() : nullptr, rectified};
    if (packed) {
      Floats filters(winograd_packed_size(g.n_C_prev, g.n_C));
      winograd_pack(g.n_C_prev, g.n_C, c.W.data(), filters.data());
      winograd_forward_packed(g, c.X.data(), filters.data(), epilogue, Z.data());
    } else {
      winograd_forward(g, c.X.data(), c.W.data(), epilogue, Z.data());
    }
    close(Z, c.finished(biased, added, rectified), kWinograd, shape + "Z");
    return Z;
  };
  const Floats Z = forward(false, false, false, false);
  forward(false, true, false, true), forward(true, true, true, true), forward(true, false, true, false);
  expect(Z == forward(true, false, false, false), shape + "the same bits again");

  Floats dX(dirt.begin(), dirt.begin() + input_size(g));
  winograd_input_gradient(g, c.dZ.data(), c.W.data(), nullptr, dX.data());
  close(dX, c.dX, kWinograd, shape + "dA_prev");
  winograd_input_gradient(g, c.dZ.data(), c.W.data(), c.residual.data(), dX.data());
  close(dX, c.input_gradient_added(), kWinograd, shape + "dA_prev + residual");

  Floats dW(filter_size(g), NAN), db(g.n_C, NAN), again(filter_size(g), NAN);
  winograd_filter_gradient(g, c.X.data(), c.dZ.data(), dW.data(), db.data());
  close(dW, c.dW, kWinograd, shape + "dW");
  close(db, c.db, kDirect, shape + "db");
  winograd_filter_gradient(g, c.X.data(), c.dZ.data(), again.data(), nullptr);
  expect(dW == again, shape + "the same bits of dW again");
}

void winograd() {
  for (int64_t before : {0, 1, 2})
    for (int64_t after : {0, 1, 2}) check_winograd(geometry(2, 9, 7, 8, 24, before, after));
  for (int64_t size = 1; size <= 9; ++size) check_winograd(geometry(1, size, 10 - size, 16, 8));
  check_winograd(geometry(3, 3, 3, 40, 32, 0, 0));
  check_winograd(geometry(1, 1, 40, 32, 16, 1, 1));
  check_winograd(geometry(1, 1, 1, 8, 8, 2, 2));
  check_winograd(geometry(1, 4, 4, 136, 264));
  check_winograd(geometry(3, 14, 14, 128, 136));
  check_winograd(geometry(2, 56, 56, 16, 16));
  check_winograd(geometry(64, 8, 8, 64, 64));
  check_winograd(geometry(64, 32, 32, 16, 16));
  check_winograd(geometry(1, 7, 7, 512, 512));
  Geometry g = geometry(1, 8, 8, 8, 8);
  g.m = 0;
  winograd_forward(g, nullptr, Floats(filter_size(g)).data(), {}, nullptr);
  Floats dW(filter_size(g), NAN);
  winograd_filter_gradient(g, nullptr, nullptr, dW.data(), nullptr);
  close(dW, Doubles(dW.size()), 0, "winograd: the gradient of no images is 0");
  for (Geometry other : {geometry(1, 8, 8, 12, 8), geometry(1, 8, 8, 8, 4), geometry(1, 8, 8, 8, 8, 3, 1)})
    expect(!winograd_supported(other), "winograd not supported " + name(other));
  g.s = 2;
  expect(!winograd_supported(g), "winograd not supported with a stride");
}

void winograd_keeps_nan() {
  const Geometry g = geometry(1, 4, 4, 8, 8);
  const Floats X(input_size(g), NAN), W(filter_size(g), 1);
  Floats Z(output_size(g));
  winograd_forward(g, X.data(), W.data(), {nullptr, nullptr, true}, Z.data());
  for (float z : Z) expect(std::isnan(z), "NaN stays NaN");
}

void check_thin(const Geometry& g) {
  const std::string shape = "thin " + name(g);
  expect(thin_convolution_supported(g), shape + "supported");
  const Case c(g);
  Floats Z(output_size(g), NAN);
  thin_convolution_forward(g, c.X.data(), c.W.data(), {}, Z.data());
  close(Z, c.Z, kDirect, shape + "Z");
  std::copy_n(c.residual.begin(), Z.size(), Z.begin());
  thin_convolution_forward(g, c.X.data(), c.W.data(), {c.bias.data(), Z.data(), true}, Z.data());
  close(Z, c.finished(true, true, true), kDirect, shape + "relu(Z + bias + residual)");
  Floats dW(filter_size(g), NAN), db(g.n_C, NAN), again(filter_size(g), NAN);
  thin_convolution_filter_gradient(g, c.X.data(), c.dZ.data(), dW.data(), db.data());
  close(dW, c.dW, kDirect, shape + "dW");
  close(db, c.db, kDirect, shape + "db");
  thin_convolution_filter_gradient(g, c.X.data(), c.dZ.data(), again.data(), nullptr);
  expect(dW == again, shape + "the same bits of dW again");
}

void thin() {
  for (int64_t n_C_prev : {1, 2, 3, 4})
    for (int64_t padding : {0, 1, 2}) check_thin(geometry(2, 9, 7, n_C_prev, 8 * n_C_prev, padding, 2 - padding));
  check_thin({64, 28, 28, 1, 3, 3, 32, 1, 1, 1, 1});
  check_thin({2, 224, 224, 3, 7, 7, 64, 1, 2, 3, 3});
  check_thin({3, 15, 8, 3, 5, 5, 24, 1, 3, 4, 1});
  check_thin({2, 5, 6, 4, 1, 1, 40, 1, 1, 0, 0});
  check_thin({1, 3, 9, 2, 3, 7, 16, 1, 2, 0, 1});
  check_thin({1, 1, 1, 1, 3, 3, 8, 1, 1, 1, 1});
}

// Numbers about a mean that would hide the variance; the last example has a weight of 0 and is no number.
struct Normed {
  BatchNorm norm;
  Floats Z, dA, gamma, beta, residual, weights;
  bool weighted, added, rectified;
  Doubles A, mean, variance, dZ, d_gamma, d_beta, d_residual;

  Normed(BatchNorm given, double from, bool weighted, bool added, bool rectified)
      : norm(given), weighted(weighted), added(added), rectified(rectified) {
    const int64_t C = norm.channels, size = norm.examples * norm.positions * C;
    Z = normal(size, 1, 1, from), dA = normal(size, 1, 2), gamma = normal(C, 1, 3), beta = normal(C, 1, 4);
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
    for (int64_t i = 0; i < size; ++i) variance[i % C] += shares[i] * std::pow(Z[i] - mean[i % C], 2);
    for (int64_t i = 0; i < size; ++i) {
      A[i] = gamma[i % C] * (Z[i] - mean[i % C]) / std::sqrt(variance[i % C] + norm.epsilon) + beta[i % C];
      if (added) A[i] += residual[i];
      if (rectified) A[i] = std::max(A[i], 0.0);
    }
  }

  void backward() {
    const int64_t C = norm.channels, size = Z.size();
    d_gamma.assign(C, 0), d_beta.assign(C, 0), dZ.assign(size, 0), d_residual.assign(size, 0);
    const auto standard = [&](int64_t i) { return (Z[i] - mean[i % C]) / std::sqrt(variance[i % C] + norm.epsilon); };
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
  const std::string shape = "batch norm " + std::to_string(norm.examples) + " " + std::to_string(norm.positions) + " " +
                            std::to_string(norm.channels) + (weighted ? " weighted" : "") + (added ? " residual" : "") +
                            (rectified ? " relu " : " ");
  expect(batch_norm_supported(norm), shape + "supported");
  const Normed c(norm, from, weighted, added, rectified);
  const double tolerance = 3e-6;
  Floats A(c.Z.size(), NAN), mean(norm.channels, NAN), variance(norm.channels, NAN);
  const float* weights = weighted ? c.weights.data() : nullptr;
  if (added) A = c.residual;
  batch_norm_forward(norm, c.Z.data(), c.gamma.data(), c.beta.data(), weights, added ? A.data() : nullptr, rectified,
                     A.data(), mean.data(), variance.data());
  close(mean, c.mean, 1e-6, shape + "mean", 1);
  close(variance, c.variance, 5e-6, shape + "variance", 1);
  close(A, c.A, 5e-6, shape + "A", 1);

  Floats dZ(c.Z.size(), NAN), d_gamma(norm.channels, NAN), d_beta(norm.channels, NAN), d_residual(c.Z.size(), NAN);
  const Floats exact(c.A.begin(), c.A.end());  // so that the mask is the same
  batch_norm_backward(norm, c.dA.data(), rectified ? exact.data() : nullptr, c.Z.data(), c.gamma.data(), mean.data(),
                      variance.data(), weights, dZ.data(), d_gamma.data(), d_beta.data(),
                      added ? d_residual.data() : nullptr);
  close(dZ, c.dZ, tolerance, shape + "dZ", 1);
  close(d_gamma, c.d_gamma, tolerance, shape + "d_gamma", 1);
  close(d_beta, c.d_beta, 3e-6, shape + "d_beta", 1);
  if (added) close(d_residual, c.d_residual, 0, shape + "d_residual");
  Floats in_place = c.dA;
  batch_norm_backward(norm, in_place.data(), rectified ? exact.data() : nullptr, c.Z.data(), c.gamma.data(), mean.data(),
                      variance.data(), weights, in_place.data(), d_gamma.data(), d_beta.data(), nullptr);
  close(in_place, c.dZ, tolerance, shape + "dZ in place of dA", 1);
}

void batch_norm() {
  for (BatchNorm norm : {BatchNorm{5, 9, 8, 1e-5f}, {3, 1, 24, 1e-3f}, {4, 7, 3, 1e-5f}, {2, 10, 13, 1e-5f}, {64, 64, 64, 1e-5f}, {64, 1024, 16, 1e-5f}})
    for (double from : {0.0, 1e4})
      for (bool weighted : {false, true})
        for (bool added : {false, true})
          for (bool rectified : {false, true}) check_batch_norm(norm, from, weighted, added, rectified);
  check_batch_norm({1, 1, 5, 1.0f}, 1, false, false, false);
}

void a_weight_of_zero_has_no_influence() {
  const BatchNorm norm{2, 6, 9, 1e-5f};
  Floats Z = normal(2 * 6 * 9, 1, 1), ones(9, 1), zeros(9), A(Z.size()), mean(9), variance(9), alone(9), spread(9);
  std::fill_n(Z.begin(), 6 * 9, NAN);
  const Floats weights{0, 2};
  batch_norm_forward(norm, Z.data(), ones.data(), zeros.data(), weights.data(), nullptr, false, A.data(), mean.data(), variance.data());
  batch_norm_forward({1, 6, 9, 1e-5f}, Z.data() + 6 * 9, ones.data(), zeros.data(), nullptr, nullptr, false, A.data(), alone.data(), spread.data());
  close(mean, Doubles(alone.begin(), alone.end()), 1e-6, "mean without the example of weight 0");
  close(variance, Doubles(spread.begin(), spread.end()), 1e-6, "variance without the example of weight 0");
}

}  // namespace
}  // namespace chainrule

int main() {
  chainrule::winograd();
  chainrule::winograd_keeps_nan();
  chainrule::thin();
  chainrule::batch_norm();
  chainrule::a_weight_of_zero_has_no_influence();
  std::printf("%d checks, %d failures\n", chainrule::checks, chainrule::failures);
  return chainrule::failures != 0;
}
