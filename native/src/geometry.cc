#include "geometry.h"

#include <algorithm>

namespace chainrule {
namespace {

constexpr int64_t kLargest = int64_t{1} << 31;  // of one size; products stay below 2^63 in bytes

}  // namespace

std::string Geometry::complaint() const {
  const int64_t sizes[] = {n_H_prev, n_W_prev, n_C_prev, f_H, f_W, n_C, groups, s};
  if (m < 0 || before < 0 || after < 0) return "a size below 0";
  for (int64_t size : sizes)
    if (size < 1) return "a size below 1";
  for (int64_t size : {m, n_H_prev, n_W_prev, n_C_prev, f_H, f_W, n_C, groups, s, before, after})
    if (size >= kLargest) return "a size of 2^31 or more";
  if (n_C_prev % groups || n_C % groups) return "channels that do not divide into the groups";
  if (f_H > n_H_prev + before + after || f_W > n_W_prev + before + after)
    return "filters larger than the padded image";
  return "";
}

}  // namespace chainrule
