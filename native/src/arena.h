// Scratch memory that the kernels share, one call at a time.
#pragma once

#include <cstddef>

namespace chainrule {

class Arena {
 public:
  ~Arena();

  // At least so many bytes, aligned to a page. What was there before is gone.
  float* reserve(size_t bytes);

  // Gives back what is more than worth keeping.
  void shrink();

  size_t bytes() const { return bytes_; }

 private:
  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

// A size rounded up, so that what follows it in the arena is aligned.
constexpr size_t aligned(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

}  // namespace chainrule
