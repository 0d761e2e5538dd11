// The convolutions against the same sums in float64, on shapes that are odd in every way.
#include "../src/thin_convolution.h"
#include "../src/winograd.h"
#include "checks.h"

namespace chainrule {
namespace {

std::string name(const Geometry& g) {
  std::string text;
  for (int64_t size :
       {g.m, g.n_H_prev, g.n_W_prev, g.n_C_prev, g.f_H, g.f_W, g.n_C, g.s, g.before, g.after})
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
                      ((i * g.f_W + j) * g.n_C_prev + c) * g.n_C + n,
                      ((m * g.n_H() + y) * g.n_W() + x) * g.n_C + n);
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

Geometry geometry(int64_t m, int64_t height, int64_t width, int64_t n_C_prev, int64_t n_C,
                  int64_t before = 1, int64_t after = 1) {
  return {m, height, width, n_C_prev, 3, 3, n_C, 1, 1, before, after};
}

constexpr double kWinograd = 1e-5, kDirect = 2e-6;

void check_winograd(const Geometry& g) {
  const std::string shape = "winograd " + name(g);
  expect(winograd_supported(g), shape + "supported");
  const Case c(g);
  const Floats dirt(std::max(output_size(g), input_size(g)),
                    NAN);  // what was there before does not count
  const auto forward = [&](bool packed, bool biased, bool added, bool rectified) {
    Floats Z(dirt.begin(), dirt.begin() + output_size(g));
    if (added) std::copy_n(c.residual.begin(), Z.size(), Z.begin());
    const Epilogue epilogue{biased ? c.bias.data() : nullptr, added ? Z.data() : nullptr,
                            rectified};
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
  forward(false, true, false, true), forward(true, true, true, true),
      forward(true, false, true, false);
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
  for (Geometry other :
       {geometry(1, 8, 8, 12, 8), geometry(1, 8, 8, 8, 4), geometry(1, 8, 8, 8, 8, 3, 1)})
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
  Floats dW(filter_size(g), NAN), db(g.n_C, NAN), again(filter_size(g), NAN);
  thin_convolution_filter_gradient(g, c.X.data(), c.dZ.data(), dW.data(), db.data());
  close(dW, c.dW, kDirect, shape + "dW");
  close(db, c.db, kDirect, shape + "db");
  thin_convolution_filter_gradient(g, c.X.data(), c.dZ.data(), again.data(), nullptr);
  expect(dW == again, shape + "the same bits of dW again");
}

void thin() {
  for (int64_t n_C_prev : {1, 2, 3, 4})
    for (int64_t padding : {0, 1, 2})
      check_thin(geometry(2, 9, 7, n_C_prev, 8 * n_C_prev, padding, 2 - padding));
  check_thin({64, 28, 28, 1, 3, 3, 32, 1, 1, 1, 1});
  check_thin({2, 224, 224, 3, 7, 7, 64, 1, 2, 3, 3});
  check_thin({3, 15, 8, 3, 5, 5, 24, 1, 3, 4, 1});
  check_thin({2, 5, 6, 4, 1, 1, 40, 1, 1, 0, 0});
  check_thin({1, 3, 9, 2, 3, 7, 16, 1, 2, 0, 1});
  check_thin({1, 1, 1, 1, 3, 3, 8, 1, 1, 1, 1});
}

}  // namespace
}  // namespace chainrule

int main() {
  chainrule::winograd();
  chainrule::winograd_keeps_nan();
  chainrule::thin();
  return chainrule::verdict();
}
