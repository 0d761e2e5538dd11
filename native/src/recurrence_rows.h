// What the loops of recurrence.h share: blocks of units, rows of a thread, and activations.
#pragma once

#include <cstring>

#include "product.h"
#include "recurrence.h"
#include "scratch.h"

namespace chainrule {
namespace {

constexpr int64_t kMostRows = 48;  // of one run through the steps: the state stays in the cache

// Returns n rounded up to whole vectors.
CHAINRULE_INLINE int64_t padded(int64_t n) { return divide_up(n, kFloats) * kFloats; }

// A few floats at the end of a row, as a vector that is 0 behind them.
CHAINRULE_INLINE Vector load(const float* from, int64_t count) {
  if (count >= kFloats) return load(from);
  Vector x{};
  std::memcpy(&x, from, count * sizeof(float));
  return x;
}

CHAINRULE_INLINE void store(float* to, Vector x, int64_t count) {
  if (count >= kFloats) return store(to, x);
  std::memcpy(to, &x, count * sizeof(float));
}

// tanh as a ratio of polynomials, with an error of a few units in the last place.
CHAINRULE_INLINE Vector tanh(Vector x) {
  constexpr float kEnd = 7.90531110763549805f;
  const Vector kept = x;
  x = x > kEnd ? all(kEnd) : x;
  x = x < -kEnd ? all(-kEnd) : x;
  const Vector s = x * x;
  Vector p = s * -2.76076847742355e-16f + 2.00018790482477e-13f;
  p = s * p + -8.60467152213735e-11f;
  p = s * p + 5.12229709037114e-08f;
  p = s * p + 1.48572235717979e-05f;
  p = s * p + 6.37261928875436e-04f;
  p = s * p + 4.89352455891786e-03f;
  Vector q = s * 1.19825839466702e-06f + 1.18534705686654e-04f;
  q = s * q + 2.26843463243900e-03f;
  q = s * q + 4.89352518554385e-03f;
  return s < 1.6e-7f ? kept : x * p / q;
}

CHAINRULE_INLINE Vector sigmoid(Vector z) { return 0.5f + 0.5f * tanh(0.5f * z); }

// A matrix whose columns are packed into panels of two vectors, the last perhaps of one: all terms
// of a panel one after the other.
class Panels {
 public:
  // Packs the matrix whose entry (k, j) is from[k · term + j · column], with `terms` rows and n
  // columns. Behind the last column there are zeros.
  void pack(float* memory, const float* from, int64_t term, int64_t column, int64_t terms,
            int64_t n) {
    memory_ = memory, terms_ = terms;
    float* to = memory;
    for (int64_t first = 0; first < n; first += kPanel) {
      const int64_t width = smaller(kPanel, padded(n - first));
      for (int64_t k = 0; k < terms; ++k, to += width)
        for (int64_t j = 0; j < width; ++j)
          to[j] = first + j < n ? from[k * term + (first + j) * column] : 0;
    }
  }

  static int64_t floats(int64_t terms, int64_t n) { return terms * padded(n); }

  // C = A times columns first … of the matrix (C += with Adding); A has a_row floats between rows.
  template <int Vectors, bool Adding>
  CHAINRULE_INLINE void multiply(int64_t rows, const float* A, int64_t a_row, int64_t first,
                                 float* C, int64_t c_row) const {
    product<Vectors, Adding>(rows, A, {a_row, 1}, memory_ + terms_ * first, Vectors * kFloats,
                             terms_, C, c_row);
  }

  // C = A times the whole matrix; a row of C has room for padded(n) floats.
  template <bool Adding>
  CHAINRULE_INLINE void multiply_all(int64_t rows, int64_t n, const float* A, int64_t a_row,
                                     float* C, int64_t c_row) const {
    for (int64_t first = 0; first < n; first += kPanel) {
      if (n - first > kFloats)
        multiply<2, Adding>(rows, A, a_row, first, C + first, c_row);
      else
        multiply<1, Adding>(rows, A, a_row, first, C + first, c_row);
    }
  }

 private:
  const float* memory_ = nullptr;
  int64_t terms_ = 0;
};

// The rows of one run through the steps.
struct Rows {
  const Recurrence& all;
  int64_t first, count;

  int64_t length(int64_t row) const {
    return all.lengths == nullptr ? all.T : smaller(all.T, all.lengths[first + row]);
  }
  bool real(int64_t t, int64_t row) const { return t < length(row); }

  // Returns the row of an array (T, m, width).
  template <typename Float>
  Float* at(Float* array, int64_t t, int64_t row, int64_t width) const {
    return array + (t * all.m + first + row) * width;
  }

  // Returns the state before step t, of an array (T, m, n) of states.
  const float* before(const float* states, const float* start, int64_t t, int64_t row) const {
    const int64_t other = all.reverse ? t + 1 : t - 1;
    const bool first_step = other < 0 || other >= length(row);
    return first_step ? start + (first + row) * all.n : at(states, other, row, all.n);
  }
};

// Calls work(rows) for all rows, which the threads share.
template <typename Work>
void share_rows(const Recurrence& all, const Sharing& sharing, const Work& work) {
  constexpr int64_t kFewRows = 8, kPartsEach = 2, kLittleWork = 1 << 18;
  const bool shared = sharing.threads > 1 && sharing.run != nullptr &&
                      all.T * all.m * all.gates() * all.n * all.n >= kLittleWork;
  int64_t parts = divide_up(all.m, kMostRows);
  if (shared)
    parts = larger(parts, smaller(kPartsEach * sharing.threads, divide_up(all.m, kFewRows)));
  struct Loop {
    const Recurrence& all;
    const Work& work;
    int64_t parts;

    static void run(void* data, int64_t part) {
      const Loop& loop = *static_cast<Loop*>(data);
      const int64_t m = loop.all.m, first = m * part / loop.parts;
      loop.work(Rows{loop.all, first, m * (part + 1) / loop.parts - first});
    }
  } loop{all, work, parts};
  if (shared && parts > 1) return sharing.run(sharing, parts, &Loop::run, &loop);
  for (int64_t part = 0; part < parts; ++part) Loop::run(&loop, part);
}

// Copies rows of n floats to rows of padded(n), or back.
CHAINRULE_INLINE void copy_rows(int64_t rows, int64_t n, const float* from, int64_t from_row,
                                float* to, int64_t to_row) {
  for (int64_t r = 0; r < rows; ++r)
    std::memcpy(to + r * to_row, from + r * from_row, n * sizeof(float));
}

}  // namespace
}  // namespace chainrule
