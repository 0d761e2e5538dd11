// The loops of batch norm over rows of channels: a few rows at a time, channel by channel.
//
// The division of the rows into parts depends only on their number, so that the order of a sum does
// not depend on the threads.
#pragma once

#include <cstring>

#include "batch_norm.h"
#include "parallel.h"
#include "vectors.h"

namespace chainrule {
namespace {

constexpr int kTogether = 4;  // rows

template <typename T>
CHAINRULE_INLINE T get(const float* from) {
  if constexpr (sizeof(T) == sizeof(float))
    return *from;
  else
    return load(from);
}

CHAINRULE_INLINE void put(float* to, float x) { *to = x; }
CHAINRULE_INLINE void put(float* to, Vector x) { store(to, x); }

// Calls work(zero, channel) for all channels: for a vector of channels while possible, then for one.
template <typename Work>
CHAINRULE_INLINE void channels(int64_t C, const Work& work) {
  int64_t c = 0;
  for (; c + kFloats <= C; c += kFloats) work(Vector{}, c);
  for (; c < C; ++c) work(0.0f, c);
}

// Calls work(number of rows, first row), with a number that is known to the compiler.
template <typename Work>
CHAINRULE_INLINE void rows_together(int64_t first, int64_t end, const Work& work) {
  for (; first + kTogether <= end; first += kTogether)
    work(std::integral_constant<int, kTogether>{}, first);
  for (; first < end; ++first) work(std::integral_constant<int, 1>{}, first);
}

// sum += weight Σ (Z − example); squares += weight Σ (Z − example)².
inline void add_squares(const float* Z, int64_t first, int64_t end, int64_t C, const float* example,
                        float weight, float* sum, float* squares) {
  rows_together(first, end, [&](auto rows, int64_t row) CHAINRULE_LAMBDA {
    channels(C, [&](auto zero, int64_t c) CHAINRULE_LAMBDA {
      using T = decltype(zero);
      T s = zero, q = zero;
      const T from = get<T>(example + c);
      for (int r = 0; r < rows; ++r) {
        const T d = get<T>(Z + (row + r) * C + c) - from;
        s += d, q += d * d;
      }
      put(sum + c, get<T>(sum + c) + weight * s);
      put(squares + c, get<T>(squares + c) + weight * q);
    });
  });
}

// A = (Z − example) ⊙ scale + offset (+ residual) (above 0).
template <bool Residual, bool Relu>
void normalize(const float* Z, int64_t first, int64_t end, int64_t C, const float* example,
               const float* scale, const float* offset, const float* residual, float* A) {
  rows_together(first, end, [&](auto rows, int64_t row) CHAINRULE_LAMBDA {
    channels(C, [&](auto zero, int64_t c) CHAINRULE_LAMBDA {
      using T = decltype(zero);
      const T from = get<T>(example + c), times = get<T>(scale + c), plus = get<T>(offset + c);
      for (int r = 0; r < rows; ++r) {
        const int64_t place = (row + r) * C + c;
        T x = (get<T>(Z + place) - from) * times + plus;
        if (Residual) x += get<T>(residual + place);
        if (Relu) x = x < 0 ? zero : x;
        put(A + place, x);
      }
    });
  });
}

// sum += Σ dA; products += Σ dA ⊙ (Z − mean), with dA set to 0 where A is 0, and stored if requested.
template <bool Relu, bool Keep>
void add_products(const float* dA, const float* A, const float* Z, int64_t first, int64_t end,
                  int64_t C, const float* mean, float* sum, float* products, float* kept) {
  rows_together(first, end, [&](auto rows, int64_t row) CHAINRULE_LAMBDA {
    channels(C, [&](auto zero, int64_t c) CHAINRULE_LAMBDA {
      using T = decltype(zero);
      T s = zero, q = zero;
      const T from = get<T>(mean + c);
      for (int r = 0; r < rows; ++r) {
        const int64_t place = (row + r) * C + c;
        T d = get<T>(dA + place);
        if (Relu) d = get<T>(A + place) > 0 ? d : zero;
        if (Keep) put(kept + place, d);
        s += d, q += d * (get<T>(Z + place) - from);
      }
      put(sum + c, get<T>(sum + c) + s);
      put(products + c, get<T>(products + c) + q);
    });
  });
}

// dZ = dA ⊙ scale + share ((Z − mean) ⊙ slope + offset), with dA set to 0 where A is 0.
template <bool Relu>
void gradient(const float* dA, const float* A, const float* Z, int64_t first, int64_t end,
              int64_t C, const float* mean, const float* scale, const float* slope,
              const float* offset, float share, float* dZ) {
  rows_together(first, end, [&](auto rows, int64_t row) CHAINRULE_LAMBDA {
    channels(C, [&](auto zero, int64_t c) CHAINRULE_LAMBDA {
      using T = decltype(zero);
      const T from = get<T>(mean + c), times = get<T>(scale + c);
      const T tilt = share * get<T>(slope + c), plus = share * get<T>(offset + c);
      for (int r = 0; r < rows; ++r) {
        const int64_t place = (row + r) * C + c;
        T d = get<T>(dA + place);
        if (Relu) d = get<T>(A + place) > 0 ? d : zero;
        put(dZ + place, d * times + ((get<T>(Z + place) - from) * tilt + plus));
      }
    });
  });
}

// The rows, (examples · positions), divided into parts of about equal size.
struct Parts {
  int64_t rows, positions, count;

  explicit Parts(const BatchNorm& norm)
      : rows(norm.examples * norm.positions),
        positions(norm.positions),
        count(larger(1, smaller(smaller(64, rows / 16), rows * norm.channels / 4096))) {}

  template <typename Work>  // work(part)
  void each(const Work& work) const {
    share_evenly(count, true, work);
  }

  int64_t first(int64_t part) const { return rows * part / count; }

  // Calls work(first row, end, example) for the rows of each example in a part.
  template <typename Work>
  void examples(int64_t part, const Work& work) const {
    for (int64_t row = first(part), end = first(part + 1); row < end;) {
      const int64_t example = row / positions, next = smaller(end, (example + 1) * positions);
      work(row, next, example);
      row = next;
    }
  }
};

}  // namespace
}  // namespace chainrule
