// Scratch memory that is shared by the kernels, one call at a time.
#pragma once

#include <cstddef>

namespace chainrule {

class Arena {
 public:
  ~Arena();

  // Returns at least this many bytes, aligned to a page. Earlier contents are lost.
  float* reserve(size_t bytes);

  // Releases memory that is too large to keep.
  void shrink();

  size_t bytes() const { return bytes_; }

 private:
  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

// Returns a size rounded up, so that the next block in the arena is aligned.
constexpr size_t aligned(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

}  // namespace chainrule
