#include "arena.h"

#include <cstdlib>
#include <new>

namespace chainrule {
namespace {

constexpr size_t kKept = size_t{128} << 20;

}  // namespace

Arena::~Arena() { std::free(memory_); }

float* Arena::reserve(size_t bytes) {
  if (bytes > bytes_) {
    std::free(memory_);
    memory_ = nullptr;
    bytes_ = 0;
    if (posix_memalign(&memory_, 4096, aligned(bytes))) throw std::bad_alloc();
    bytes_ = aligned(bytes);
  }
  return static_cast<float*>(memory_);
}

void Arena::shrink() {
  if (bytes_ <= kKept) return;
  std::free(memory_);
  memory_ = nullptr;
  bytes_ = 0;
}

}  // namespace chainrule
