// What a test of the kernels expects, and how many times it was let down.
#pragma once

#include <cstdio>
#include <string>

#include "numbers.h"

namespace chainrule {

inline int failures = 0, checks = 0;

inline void expect(bool good, const std::string& what, double error = 0) {
  ++checks;
  if (good) return;
  ++failures;
  std::printf("FAILED %s: error %.3g\n", what.c_str(), error);
}

inline void close(const Floats& got, const Doubles& expected, double tolerance,
                  const std::string& what, double unit = 1e-30) {
  const double far = error(got, expected, unit);
  expect(far <= tolerance, what, far);
}

// The exit code.
inline int verdict() {
  std::printf("%d checks, %d failures\n", checks, failures);
  return failures != 0;
}

}  // namespace chainrule
