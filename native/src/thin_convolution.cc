#define VECTOR_FLOATS 8
#include "thin_convolution.h"

#include <cstring>

#include "parallel.h"
#include "product.h"
#include "scratch.h"

namespace chainrule {
namespace {

// A band: some rows of the output of one image.
struct Band {
  int64_t image, first, end;
};

// All bands, each small enough for the cache, and enough of them for the threads.
class Bands {
 public:
  explicit Bands(const Geometry& geometry) : geometry_(geometry) {
    const int64_t row = geometry.n_W() * geometry.n_C * int64_t(sizeof(float));
    rows_ = larger(1, smaller((int64_t{128} << 10) / row, geometry.n_H()));
    down_ = divide_up(geometry.n_H(), rows_);
  }

  int64_t count() const { return geometry_.m * down_; }

  Band at(int64_t index) const {
    const int64_t first = index % down_ * rows_;
    return {index / down_, first, smaller(geometry_.n_H(), first + rows_)};
  }

  // Sizes of the padded inputs.
  int64_t row_floats() const {
    return (geometry_.n_W_prev + geometry_.before + geometry_.after) * geometry_.n_C_prev;
  }
  int64_t floats() const { return ((rows_ - 1) * geometry_.s + geometry_.f_H) * row_floats(); }

  // Copies the inputs of a band, with zeros around them.
  void pad(const Band& band, const float* A_prev, float* padded) const {
    const Geometry& g = geometry_;
    const int64_t row = g.n_W_prev * g.n_C_prev, left = g.before * g.n_C_prev;
    const int64_t top = band.first * g.s - g.before;
    const int64_t bottom = (band.end - 1) * g.s - g.before + g.f_H;
    for (int64_t y = top; y < bottom; ++y, padded += row_floats()) {
      if (y < 0 || y >= g.n_H_prev) {
        std::memset(padded, 0, row_floats() * sizeof(float));
        continue;
      }
      std::memset(padded, 0, left * sizeof(float));
      std::memcpy(padded + left, A_prev + (band.image * g.n_H_prev + y) * row, row * sizeof(float));
      std::memset(padded + left + row, 0, g.after * g.n_C_prev * sizeof(float));
    }
  }

 private:
  const Geometry& geometry_;
  int64_t rows_, down_;
};

// The offsets of the pixels below the weights of one output, relative to the first pixel.
class Reach {
 public:
  Reach(const Geometry& g, int64_t row_floats, int64_t* memory)
      : count(g.f_H * g.f_W * g.n_C_prev), places(memory) {
    const int64_t row = g.f_W * g.n_C_prev;
    for (int64_t k = 0; k < count; ++k) memory[k] = k / row * row_floats + k % row;
  }

  const int64_t count;
  const int64_t* places;
};

// sums += the products of dZ and the pixels below Rows weights, at `places`.
template <int Rows, int Vectors>
void weights(const Geometry& g, const Band& band, const float* padded, int64_t row_floats,
             const int64_t* places, const float* dZ, float* sums) {
  Vector totals[Rows][Vectors] = {};
  const float* pixels[Rows];
  const int64_t step = g.s * g.n_C_prev;
  for (int64_t y = 0; y < band.end - band.first; ++y) {
    for (int r = 0; r < Rows; ++r) pixels[r] = padded + y * g.s * row_floats + places[r];
    for (int64_t x = 0; x < g.n_W(); ++x, dZ += g.n_C) {
      Vector d[Vectors];
      for (int v = 0; v < Vectors; ++v) d[v] = load(dZ + v * kFloats);
      for (int r = 0; r < Rows; ++r) {
        const Vector p = all(pixels[r][x * step]);
        for (int v = 0; v < Vectors; ++v) totals[r][v] += p * d[v];
      }
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) {
      float* sum = sums + r * g.n_C + v * kFloats;
      store(sum, load(sum) + totals[r][v]);
    }
}

// Makes the number of remaining weights known to the compiler.
template <int Vectors, int Rows = kRows, typename... Rest>
void weights_of(int64_t rows, const Rest&... rest) {
  if constexpr (Rows > 0) {
    if (rows == Rows)
      weights<Rows, Vectors>(rest...);
    else
      weights_of<Vectors, Rows - 1>(rows, rest...);
  }
}

// sums += Σ dZ over the pixels of a band.
void add_up(const float* dZ, int64_t pixels, int64_t n_C, float* sums) {
  for (int64_t n = 0; n < n_C; n += kFloats) {
    Vector total[4] = {};
    for (int64_t i = 0; i < pixels; ++i) total[i % 4] += load(dZ + i * n_C + n);
    store(sums + n, load(sums + n) + ((total[0] + total[1]) + (total[2] + total[3])));
  }
}

// The part of dW of one thread, followed by its part of db.
void accumulate(const Geometry& g, const Bands& bands, int64_t first, int64_t end,
                const float* A_prev, const Reach& reach, const float* dZ, bool db, float* sums) {
  float* padded = scratch(Scratch::block, bands.floats());
  for (; first < end; ++first) {
    const Band band = bands.at(first);
    bands.pad(band, A_prev, padded);
    const float* from = dZ + (band.image * g.n_H() + band.first) * g.n_W() * g.n_C;
    for (int64_t w = 0, parts = divide_up(reach.count, kRows); parts > 0; --parts) {
      const int64_t now = divide_up(reach.count - w, parts);
      for (int64_t n = 0; n < g.n_C; n += kPanel) {
        float* to = sums + w * g.n_C + n;
        if (g.n_C - n >= kPanel)
          weights_of<2>(now, g, band, padded, bands.row_floats(), reach.places + w, from + n, to);
        else
          weights_of<1>(now, g, band, padded, bands.row_floats(), reach.places + w, from + n, to);
      }
      w += now;
    }
    if (db) add_up(from, (band.end - band.first) * g.n_W(), g.n_C, sums + reach.count * g.n_C);
  }
}

}  // namespace

void thin_convolution_filter_gradient(const Geometry& geometry, const float* A_prev,
                                      const float* dZ, float* dW, float* db) {
  const Bands bands(geometry);
  const int64_t threads = max_threads(), n_C = geometry.n_C;
  const int64_t count = geometry.f_H * geometry.f_W * geometry.n_C_prev;
  const int64_t weights = count * n_C, size = weights + n_C;
  float* sums = scratch(Scratch::filters, threads * size + 2 * count);
  const Reach reach(geometry, bands.row_floats(),
                    reinterpret_cast<int64_t*>(sums + threads * size));
  std::memset(sums, 0, threads * size * sizeof(float));
  share_evenly(threads, true, [&](int64_t thread) {
    accumulate(geometry, bands, bands.count() * thread / threads,
               bands.count() * (thread + 1) / threads, A_prev, reach, dZ, db != nullptr,
               sums + thread * size);
  });
  for (int64_t i = 0; i < size; ++i) {
    float total = 0;
    for (int64_t thread = 0; thread < threads; ++thread) total += sums[thread * size + i];
    if (i < weights)
      dW[i] = total;
    else if (db != nullptr)
      db[i - weights] = total;
  }
}

}  // namespace chainrule
