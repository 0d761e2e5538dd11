// Vectors of VECTOR_FLOATS floats: 8 for AVX2 and 16 for AVX-512.
//
// The files that include this are compiled once for each kind of CPU. Everything is in a namespace
// that is private to the file, so that the linker cannot use code for one CPU on another.
#pragma once

#include <cstdint>

namespace chainrule {
namespace {

constexpr int kFloats = VECTOR_FLOATS;

using Vector = float __attribute__((vector_size(4 * VECTOR_FLOATS)));
using Unaligned = float __attribute__((vector_size(4 * VECTOR_FLOATS), aligned(4), may_alias));

#define CHAINRULE_INLINE inline __attribute__((always_inline))
#define CHAINRULE_LAMBDA __attribute__((always_inline))

CHAINRULE_INLINE Vector load(const float* from) {
  return *reinterpret_cast<const Unaligned*>(from);
}
CHAINRULE_INLINE void store(float* to, Vector x) { *reinterpret_cast<Unaligned*>(to) = x; }
CHAINRULE_INLINE Vector all(float x) { return x - Vector{}; }
CHAINRULE_INLINE Vector relu(Vector x) { return x < 0 ? Vector{} : x; }

CHAINRULE_INLINE int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }
CHAINRULE_INLINE int64_t larger(int64_t x, int64_t y) { return x < y ? y : x; }
CHAINRULE_INLINE int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

}  // namespace
}  // namespace chainrule
