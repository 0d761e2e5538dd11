#include "scratch.h"

#include <cstdlib>
#include <new>

namespace chainrule {
namespace {

constexpr std::size_t kLine = 64;

struct Buffer {
  float* memory = nullptr;
  std::size_t floats = 0;

  ~Buffer() { std::free(memory); }

  float* reserve(std::size_t wanted) {
    if (wanted <= floats) return memory;
    std::free(memory);
    floats = 0;
    const std::size_t bytes = (wanted * sizeof(float) + kLine - 1) / kLine * kLine;
    memory = static_cast<float*>(std::aligned_alloc(kLine, bytes));
    if (memory == nullptr) throw std::bad_alloc();
    floats = wanted;
    return memory;
  }
};

}  // namespace

float* scratch(Scratch use, std::size_t floats) {
  thread_local Buffer buffers[2];
  return buffers[static_cast<int>(use)].reserve(floats);
}

}  // namespace chainrule
