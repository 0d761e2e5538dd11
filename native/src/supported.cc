#include "supported.h"

#include <cpuid.h>

#include <cstdint>

#include "batch_norm.h"
#include "thin_convolution.h"

namespace chainrule {
namespace {

// What the processor has, and which registers the system saves when it switches threads. (Not
// __builtin_cpu_supports, which needs a library that not every compiler brings with it.)
struct Processor {
  uint32_t basic = 0, extended = 0;
  uint64_t saved = 0;

  Processor() {
    uint32_t a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d)) basic = c;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) extended = b;
    if (basic & 1u << 27) {  // xgetbv may be used
      asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
      saved = uint64_t{d} << 32 | a;
    }
  }

  bool has(uint32_t basic_bits, uint32_t extended_bits, uint64_t registers) const {
    return (basic & basic_bits) == basic_bits && (extended & extended_bits) == extended_bits &&
           (saved & registers) == registers;
  }
};

constexpr uint32_t kFma = 1u << 12, kAvx = 1u << 28, kAvx2 = 1u << 5;
constexpr uint32_t kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;

}  // namespace

bool has_avx2() {
  static const bool has = Processor().has(kFma | kAvx, kAvx2, kYmm);
  return has;
}

bool has_avx512() {
  static const bool has = Processor().has(kFma | kAvx, kAvx2 | kAvx512, kZmm);
  return has;
}

bool batch_norm_supported(const BatchNorm& norm) {
  return has_avx2() && norm.examples > 0 && norm.positions > 0 && norm.channels > 0;
}

bool thin_convolution_supported(const Geometry& geometry) {
  return has_avx2() && geometry.groups == 1 && geometry.n_C_prev <= 4 && geometry.n_C % 8 == 0 &&
         geometry.before < geometry.f_H && geometry.before < geometry.f_W &&
         geometry.after < geometry.f_H && geometry.after < geometry.f_W;
}

}  // namespace chainrule
