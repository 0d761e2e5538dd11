// Recurrent layers against their formulas in float64, and their gradients against slopes.
#include "../src/recurrence.h"

#include <thread>

#include "checks.h"

namespace chainrule {
namespace {

constexpr const char* kNames[] = {"rnn tanh",   "rnn relu",  "lstm",
                                  "gru before", "gru after", "gru none"};

// Shares work among two threads, each of which takes every second part.
void run_in_two(const Sharing&, int64_t parts, void (*work)(void*, int64_t), void* data) {
  const auto half = [=](int64_t first) {
    for (int64_t part = first; part < parts; part += 2) work(data, part);
  };
  std::thread other(half, 1);
  half(0);
  other.join();
}

const Sharing kTwo{2, run_in_two, nullptr}, kAlone;

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

// A layer with random numbers, and its formulas in the plainest form.
struct Layer {
  Recurrence all;
  std::vector<int32_t> lengths;
  Doubles Z, W_a, b, a0, c0, A, C;
  Floats dA, dC;

  Layer(Cell cell, int64_t T, int64_t m, int64_t n, bool reverse, bool has_lengths)
      : all{cell, T, m, n, reverse, nullptr}, lengths(m) {
    for (int64_t i = 0; i < m; ++i) lengths[i] = int32_t((i * 7 + T) % (T + 1));
    if (has_lengths) all.lengths = lengths.data();
    const int64_t gates = all.gates();
    Z = doubles(T * m * gates * n, 1), W_a = doubles(gates * n * n, 2);
    b = doubles(all.biases() * n, 3);
    for (double& weight : W_a) weight /= std::sqrt(double(n));
    a0 = doubles(m * n, 4), c0 = doubles(m * n, 5);
    dA = normal(T * m * n, 1, 6), dC = normal(T * m * n, 1, 7);
    if (cell != Cell::lstm) std::fill(dC.begin(), dC.end(), 0.0f);
  }

  static Doubles doubles(int64_t size, unsigned seed) {
    const Floats numbers = normal(size, 0.7, seed);
    return Doubles(numbers.begin(), numbers.end());
  }

  bool real(int64_t t, int64_t i) const { return all.lengths == nullptr || t < all.lengths[i]; }

  // Σ W_a[row, k] state[k] for a unit of a gate.
  double product(int64_t gate, int64_t unit, const Doubles& state) const {
    double sum = 0;
    for (int64_t k = 0; k < all.n; ++k) sum += W_a[(gate * all.n + unit) * all.n + k] * state[k];
    return sum;
  }

  void step(int64_t t, int64_t i, Doubles& a, Doubles& c) const {
    const int64_t n = all.n, gates = all.gates();
    Doubles next(n), input(n);
    const auto z = [&](int64_t g, int64_t j) {
      return Z[((t * all.m + i) * gates + g) * n + j] + b[g * n + j];
    };
    if (all.cell == Cell::gru_before)
      for (int64_t j = 0; j < n; ++j) input[j] = sigmoid(z(1, j) + product(1, j, a)) * a[j];
    for (int64_t j = 0; j < n; ++j) {
      const double first = z(0, j) + product(0, j, a), u = sigmoid(first);
      double x = 0;
      switch (all.cell) {
        case Cell::rnn_tanh:
          next[j] = std::tanh(first);
          continue;
        case Cell::rnn_relu:
          next[j] = first > 0 ? first : 0;
          continue;
        case Cell::lstm:
          c[j] = u * std::tanh(z(3, j) + product(3, j, a)) +
                 sigmoid(z(1, j) + product(1, j, a)) * c[j];
          next[j] = sigmoid(z(2, j) + product(2, j, a)) * std::tanh(c[j]);
          continue;
        case Cell::gru_before:
          x = z(2, j) + product(2, j, input);
          break;
        case Cell::gru_after:
          x = z(2, j) + sigmoid(z(1, j) + product(1, j, a)) * (product(2, j, a) + b[3 * n + j]);
          break;
        case Cell::gru_none:
          x = z(1, j) + product(1, j, a);
      }
      next[j] = u * std::tanh(x) + (1 - u) * a[j];
    }
    a = next;
  }

  // Computes A and C, and returns Σ dA A + Σ dC C.
  double forward() {
    const int64_t n = all.n;
    A.assign(all.T * all.m * n, 0), C.assign(all.T * all.m * n, 0);
    double J = 0;
    for (int64_t i = 0; i < all.m; ++i) {
      Doubles a(a0.begin() + i * n, a0.begin() + (i + 1) * n);
      Doubles c(c0.begin() + i * n, c0.begin() + (i + 1) * n);
      for (int64_t k = 0; k < all.T; ++k) {
        const int64_t t = all.reverse ? all.T - 1 - k : k;
        if (!real(t, i)) continue;
        step(t, i, a, c);
        for (int64_t j = 0; j < n; ++j) {
          const int64_t place = (t * all.m + i) * n + j;
          A[place] = a[j], C[place] = all.cell == Cell::lstm ? c[j] : 0;
          J += dA[place] * A[place] + dC[place] * C[place];
        }
      }
    }
    return J;
  }

  double slope(double& number) {
    constexpr double kStep = 1e-5;
    const double kept = number;
    number = kept + kStep;
    const double above = forward();
    number = kept - kStep;
    const double below = forward();
    number = kept;
    return (above - below) / (2 * kStep);
  }
};

Floats floats(const Doubles& numbers) { return Floats(numbers.begin(), numbers.end()); }

// Compares some of the gradients with slopes.
void close_to_slopes(Layer& layer, const Floats& gradients, Doubles& numbers,
                     const std::string& what) {
  Floats got;
  Doubles expected;
  const size_t stride = 1 + numbers.size() / 40;
  for (size_t k = 0; k < numbers.size(); k += stride) {
    got.push_back(gradients[k]), expected.push_back(layer.slope(numbers[k]));
  }
  close(got, expected, 2e-5, what, 1);
}

void check(Cell cell, int64_t T, int64_t m, int64_t n, bool reverse, bool has_lengths) {
  Layer layer(cell, T, m, n, reverse, has_lengths);
  const std::string name = std::string(kNames[int(cell)]) + " " + std::to_string(T) + " " +
                           std::to_string(m) + " " + std::to_string(n) +
                           (reverse ? " reverse" : "") + (has_lengths ? " lengths " : " ");
  expect(recurrence_supported(layer.all), name + "supported");
  layer.forward();
  const bool plain = layer.all.gates() == 1, memory = cell == Cell::lstm;
  const bool reset = cell == Cell::gru_before || cell == Cell::gru_after;
  const size_t size = T * m * n;
  Floats G = floats(layer.Z), W_a = floats(layer.W_a), b = floats(layer.b), a0 = floats(layer.a0),
         c0 = floats(layer.c0), A(size, NAN), C(size, NAN), H(size, NAN);
  RecurrenceForward forward{G.data(), W_a.data(), b.data(), a0.data(), memory ? c0.data() : nullptr,
                            plain ? nullptr : A.data(), memory ? C.data() : nullptr,
                            reset ? H.data() : nullptr};
  recurrence_forward(layer.all, forward, kAlone);
  if (plain) A = G;
  close(A, layer.A, 3e-6, name + "A", 1);
  if (memory) close(C, layer.C, 3e-6, name + "C", 1);

  Floats da0(m * n, NAN), dc0(m * n, NAN), dZ(G.size(), NAN), inside = H;
  RecurrenceBackward backward{G.data(),        W_a.data(),      a0.data(), c0.data(),
                              A.data(),        C.data(),        layer.dA.data(), layer.dC.data(),
                              dZ.data(),       inside.data(),   da0.data(),
                              memory ? dc0.data() : nullptr};
  recurrence_backward(layer.all, backward, kAlone);
  if (cell != Cell::rnn_relu) {  // which has kinks
    close_to_slopes(layer, dZ, layer.Z, name + "dZ");
    close_to_slopes(layer, da0, layer.a0, name + "da0");
    if (memory) close_to_slopes(layer, dc0, layer.c0, name + "dc0");
  }
  if (cell == Cell::gru_after) {  // the sum of dH is the gradient of b_h
    Floats sums(4 * n);
    for (size_t k = 0; k < inside.size(); ++k) sums[3 * n + k % n] += inside[k];
    Floats got(sums.begin() + 3 * n, sums.end());
    Doubles expected;
    for (int64_t j = 0; j < n; ++j) expected.push_back(layer.slope(layer.b[3 * n + j]));
    close(got, expected, 5e-5, name + "dH", 1);
  }
  Floats in_place = G, again = H;
  backward.G = backward.dZ = in_place.data(), backward.dH = again.data();
  if (!plain) {
    recurrence_backward(layer.all, backward, kTwo);
    close(in_place, Doubles(dZ.begin(), dZ.end()), 0, name + "dZ in place of G");
  }
}

void all_cells() {
  struct Sizes {
    int64_t T, m, n;
  };
  for (Sizes s : {Sizes{4, 3, 5}, {3, 2, 16}, {3, 5, 33}, {1, 1, 1}, {2, 9, 24}, {5, 1, 8},
                  {2, 101, 7}})
    for (int cell = 0; cell < 6; ++cell)
      for (bool reverse : {false, true})
        for (bool has_lengths : {false, true})
          check(Cell(cell), s.T, s.m, s.n, reverse, has_lengths);
}

// Many rows, which the threads share, give what each of them gives alone.
void rows_do_not_depend_on_their_number() {
  const int64_t T = 3, m = 200, n = 40;
  for (int cell = 0; cell < 6; ++cell) {
    Layer layer(Cell(cell), T, m, n, false, true);
    Floats G = floats(layer.Z), W_a = floats(layer.W_a), b = floats(layer.b), a0 = floats(layer.a0),
           c0 = floats(layer.c0), A(T * m * n), C(T * m * n), H(T * m * n);
    const Floats Z = G;
    const int64_t width = layer.all.gates() * n;
    recurrence_forward(layer.all, {G.data(), W_a.data(), b.data(), a0.data(), c0.data(), A.data(),
                                   C.data(), H.data()},
                       kTwo);
    Recurrence one = layer.all;
    one.m = 1;
    for (int64_t i : {int64_t{0}, m / 2 + 1, m - 1}) {
      one.lengths = &layer.lengths[i];
      Floats G_1, A_1(T * n), C_1(T * n), H_1(T * n);
      Doubles expected;
      for (int64_t t = 0; t < T; ++t) {
        const auto place = [&](const Floats& from) { return from.begin() + (t * m + i) * width; };
        G_1.insert(G_1.end(), place(Z), place(Z) + width);
        expected.insert(expected.end(), place(G), place(G) + width);
      }
      recurrence_forward(one, {G_1.data(), W_a.data(), b.data(), a0.data() + i * n,
                               c0.data() + i * n, A_1.data(), C_1.data(), H_1.data()},
                         kAlone);
      close(G_1, expected, 0, std::string(kNames[cell]) + " of one row");
    }
  }
}

}  // namespace
}  // namespace chainrule

int main() {
  chainrule::all_cells();
  chainrule::rows_do_not_depend_on_their_number();
  return chainrule::verdict();
}
