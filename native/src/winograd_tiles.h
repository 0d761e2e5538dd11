// The positions of the tiles of 4×4 outputs, and the pixels that they need.
#pragma once

#include <cstring>

#include "geometry.h"
#include "parallel.h"
#include "vectors.h"

namespace chainrule {
namespace {

constexpr int kTile = 4;               // outputs of a tile, in each direction
constexpr int kPatch = kTile + 3 - 1;  // inputs of a tile, in each direction

struct Tile {
  int64_t image, y, x;  // of the first output
};

// All tiles, image by image and row by row.
struct Tiling {
  int64_t down, across, total;

  explicit Tiling(const Geometry& geometry)
      : down(divide_up(geometry.n_H(), kTile)),
        across(divide_up(geometry.n_W(), kTile)),
        total(geometry.m * down * across) {}

  Tile at(int64_t index) const {
    const int64_t row = index / across;
    return {row / down, row % down * kTile, index % across * kTile};
  }
};

// Images from which square patches are read; there are zeros beyond the edges.
struct Images {
  const float* pixels;
  int64_t height, width, channels;

  // Returns the rows of a patch whose first pixel is (y, x): in place or, at the left and right edge,
  // copied to `copies`. Rows of `copies` and of `zeros`, a row of zeros, have Size·channels floats.
  template <int Size>
  void patch(int64_t image, int64_t y, int64_t x, const float* zeros, float* copies,
             const float* rows[Size]) const {
    const int64_t first = larger(0, -x), last = smaller(Size, width - x);
    for (int i = 0; i < Size; ++i, copies += Size * channels) {
      if (y + i < 0 || y + i >= height) {
        rows[i] = zeros;
        continue;
      }
      const float* from = pixels + ((image * height + y + i) * width + x + first) * channels;
      rows[i] = from;
      if (first == 0 && last == Size) continue;
      std::memset(copies, 0, first * channels * sizeof(float));
      std::memcpy(copies + first * channels, from, (last - first) * channels * sizeof(float));
      std::memset(copies + last * channels, 0, (Size - last) * channels * sizeof(float));
      rows[i] = copies;
    }
  }
};

// The numbers of all tiles of a block for each of the 36 products. There is an extra cache line
// between the planes; without it, all of them would map to one set of the cache.
constexpr int64_t plane_floats(int64_t tiles, int64_t channels) { return tiles * channels + 16; }

}  // namespace
}  // namespace chainrule
