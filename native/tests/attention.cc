// Attention against its formulas in float64, and its gradients against slopes.
#include "../src/attention.h"

#include <thread>

#include "checks.h"

namespace chainrule {
namespace {

void two_threads(const Sharing&, int64_t parts, void (*work)(void*, int64_t), void* data) {
  std::thread other([&] {
    for (int64_t part = 1; part < parts; part += 2) work(data, part);
  });
  for (int64_t part = 0; part < parts; part += 2) work(data, part);
  other.join();
}

const Sharing kAlone{}, kTwo{2, two_threads, nullptr};

// Random inputs, and the formulas in the plainest form.
struct Case {
  Attention all;
  Doubles Q, K, V, dA;
  std::vector<char> mask;

  explicit Case(const Attention& sizes) : all(sizes) {
    Q = doubles(all.m * all.T_q * all.heads * all.d, 1);
    K = doubles(all.m * all.T_k * all.heads * all.d, 2);
    V = doubles(all.m * all.T_k * all.heads * all.d_v, 3);
    dA = doubles(all.m * all.T_q * all.heads * all.d_v, 4);
  }

  static Doubles doubles(int64_t size, unsigned seed) {
    const Floats numbers = normal(size, 1, seed);
    return Doubles(numbers.begin(), numbers.end());
  }

  // A mask of its own for every example, or every query, or both. Some queries see no key.
  void hide(bool examples, bool queries) {
    const int64_t rows = (examples ? all.m : 1) * (queries ? all.T_q : 1);
    mask.resize(rows * all.T_k);
    for (int64_t i = 0; i < int64_t(mask.size()); ++i)
      mask[i] = i / all.T_k % 5 != 4 && (i * 2654435761u >> 13) % 3 != 0;
    all.mask = reinterpret_cast<const bool*>(mask.data());
    all.mask_query = queries ? all.T_k : 0;
    all.mask_example = examples ? (queries ? all.T_q : 1) * all.T_k : 0;
  }

  bool seen(int64_t i, int64_t q, int64_t k) const {
    return all.mask == nullptr || all.mask[i * all.mask_example + q * all.mask_query + k];
  }
  double& at(Doubles& X, int64_t T, int64_t d, int64_t i, int64_t t, int64_t h, int64_t j) const {
    return X[((i * T + t) * all.heads + h) * d + j];
  }

  // Computes A and the weights, and returns Σ dA A.
  double forward(Doubles& A, Doubles& weights) {
    A.assign(dA.size(), 0), weights.assign(all.m * all.heads * all.T_q * all.T_k, 0);
    double J = 0;
    for (int64_t i = 0; i < all.m; ++i)
      for (int64_t h = 0; h < all.heads; ++h)
        for (int64_t q = 0; q < all.T_q; ++q) {
          double* w = &weights[((i * all.heads + h) * all.T_q + q) * all.T_k];
          double total = 0;
          for (int64_t k = 0; k < all.T_k; ++k) {
            double s = 0;
            for (int64_t j = 0; j < all.d; ++j)
              s += at(Q, all.T_q, all.d, i, q, h, j) * at(K, all.T_k, all.d, i, k, h, j);
            w[k] = seen(i, q, k) ? std::exp(s * all.scale) : 0;
            total += w[k];
          }
          for (int64_t k = 0; k < all.T_k; ++k) w[k] = total > 0 ? w[k] / total : 0;
          for (int64_t j = 0; j < all.d_v; ++j) {
            double& a = at(A, all.T_q, all.d_v, i, q, h, j);
            for (int64_t k = 0; k < all.T_k; ++k)
              a += w[k] * at(V, all.T_k, all.d_v, i, k, h, j);
            J += a * at(dA, all.T_q, all.d_v, i, q, h, j);
          }
        }
    return J;
  }

  // The slope of Σ dA A at some places of an input.
  Doubles slopes(Doubles& X, int64_t step) {
    constexpr double kEps = 1e-5;
    Doubles found, A, weights;
    for (int64_t i = 0; i < int64_t(X.size()); i += step) {
      const double x = X[i];
      X[i] = x + kEps;
      const double above = forward(A, weights);
      X[i] = x - kEps;
      found.push_back((above - forward(A, weights)) / (2 * kEps));
      X[i] = x;
    }
    return found;
  }
};

Floats floats(const Doubles& numbers) { return Floats(numbers.begin(), numbers.end()); }

Floats every(const Floats& numbers, int64_t step) {
  Floats some;
  for (int64_t i = 0; i < int64_t(numbers.size()); i += step) some.push_back(numbers[i]);
  return some;
}

void check(Case one, const std::string& name) {
  Doubles A, weights;
  one.forward(A, weights);
  const Floats Q = floats(one.Q), K = floats(one.K), V = floats(one.V), dA = floats(one.dA);
  Floats got_A(A.size(), NAN), got(weights.size(), NAN);
  Floats dQ(Q.size(), NAN), dK(K.size(), NAN), dV(V.size(), NAN);
  expect(attention_supported(one.all), name + "is supported");
  const AttentionForward in{Q.data(), K.data(), V.data(), got_A.data(), got.data()};
  attention_forward(one.all, in, kAlone);
  close(got_A, A, 2e-6, name + "A");
  close(got, weights, 2e-6, name + "weights");
  const AttentionBackward back{Q.data(),  K.data(),  V.data(),  got_A.data(), got.data(),
                               dA.data(), dQ.data(), dK.data(), dV.data()};
  attention_backward(one.all, back, kAlone);
  const int64_t step = 1 + int64_t(Q.size()) / 40;
  close(every(dQ, step), one.slopes(one.Q, step), 1e-5, name + "dQ", 1);
  close(every(dK, step), one.slopes(one.K, step), 1e-5, name + "dK", 1);
  close(every(dV, step), one.slopes(one.V, step), 1e-5, name + "dV", 1);
  const Floats first_A = got_A, first_dK = dK;
  attention_forward(one.all, in, kTwo);
  attention_backward(one.all, back, kTwo);
  expect(first_A == got_A && first_dK == dK, name + "with two threads");
}

void all_sizes() {
  for (Attention sizes : {Attention{2, 2, 3, 5, 16, 16, 0.25f, nullptr, 0, 0},
                          {1, 1, 1, 1, 16, 32, 0.5f, nullptr, 0, 0},
                          {2, 3, 9, 32, 16, 16, 0.25f, nullptr, 0, 0},
                          {1, 2, 70, 33, 32, 16, 0.2f, nullptr, 0, 0},
                          {16, 2, 20, 24, 16, 48, 0.25f, nullptr, 0, 0}}) {
    const std::string name =
        std::to_string(sizes.T_q) + " queries, " + std::to_string(sizes.T_k) + " keys: ";
    check(Case(sizes), name);
    for (bool examples : {false, true})
      for (bool queries : {false, true}) {
        Case one(sizes);
        one.hide(examples, queries);
        check(one, name + "masked, ");
      }
  }
}

void large_products_do_not_overflow() {
  const Attention all{1, 1, 2, 3, 16, 16, 1, nullptr, 0, 0};
  Floats Q(32, 1e15f), K(48, 0), V(48, 1), A(32), weights(6);
  K[16] = 1e15f, K[32] = -1e15f;
  attention_forward(all, {Q.data(), K.data(), V.data(), A.data(), weights.data()}, kAlone);
  close(weights, {0, 1, 0, 0, 1, 0}, 0, "weights of large products");
  close(A, Doubles(32, 1), 0, "A of large products");
}

void other_sizes_are_not_supported() {
  for (Attention sizes : {Attention{1, 1, 3, 3, 8, 16, 1, nullptr, 0, 0},
                          {1, 1, 3, 3, 16, 24, 1, nullptr, 0, 0},
                          {0, 1, 3, 3, 16, 16, 1, nullptr, 0, 0},
                          {1, 1, 3, 0, 16, 16, 1, nullptr, 0, 0}})
    expect(!attention_supported(sizes), "sizes that are refused");
}

}  // namespace
}  // namespace chainrule

int main() {
  chainrule::all_sizes();
  chainrule::large_products_do_not_overflow();
  chainrule::other_sizes_are_not_supported();
  return chainrule::verdict();
}
