// What Python calls directly: plain C functions, so that one library serves every version of Python.
//
//   way       forward, input_gradient or filter_gradient
//   images    the sizes of A_prev;  filters: those of W;  gradients: those of dZ
//   settings  s, before, after, groups
//
// A function that fails returns a negative number; `chainrule_error` returns the reason.
#include <algorithm>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

#include "convolution.h"
#include "dnnl.hpp"
#include "onednn_convolution.h"

#define CHAINRULE_EXPORT extern "C" __attribute__((visibility("default")))

using namespace chainrule;

namespace {

std::string& last_error() {
  thread_local std::string text;
  return text;
}

// Returns what `call` returns, or −1 after an exception.
template <typename Call>
auto guarded(const Call& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& error) {
    last_error() = error.what();
    return -1;
  }
}

Way way_of(const std::string& name) {
  if (name == "forward") return Way::forward;
  if (name == "input_gradient") return Way::input_gradient;
  if (name == "filter_gradient") return Way::filter_gradient;
  throw std::invalid_argument("expected forward, input_gradient or filter_gradient");
}

Request request_of(const char* way, const int64_t* images, const int64_t* filters,
                   const int64_t* settings, bool packed) {
  const int64_t groups = settings[3];
  const Geometry geometry{images[0],  images[1],  images[2], images[3],   filters[0], filters[1],
                          filters[3], groups,     settings[0], settings[1], settings[2]};
  const std::string complaint = geometry.complaint();
  if (!complaint.empty()) throw std::invalid_argument(complaint);
  if (filters[2] * groups != images[3]) throw std::invalid_argument("channels that do not fit");
  Request request{geometry, way_of(way)};
  request.packed = packed;
  return request;
}

struct Call {
  Request request;
  Operands operands;
};

Call call_of(const char* way, float* A_prev, const int64_t* images, float* W,
             const int64_t* filters, float* dZ, const int64_t* gradients,
             const int64_t* settings) {
  const Request request = request_of(way, images, filters, settings, false);
  const Geometry& g = request.geometry;
  const int64_t expected[] = {g.m, g.n_H(), g.n_W(), g.n_C};
  if (!std::equal(expected, expected + 4, gradients))
    throw std::invalid_argument("dZ of another size");
  Operands o;
  o.A_prev = A_prev, o.W = W, o.dZ = dZ;
  o.result = request.way == Way::forward ? dZ : request.way == Way::input_gradient ? A_prev : W;
  return {request, o};
}

}  // namespace

CHAINRULE_EXPORT const char* chainrule_error() { return last_error().c_str(); }

// Writes the version of oneDNN into `version`: major, minor, patch.
CHAINRULE_EXPORT void chainrule_onednn_version(int64_t* version) {
  const dnnl_version_t* v = dnnl_version();
  version[0] = v->major, version[1] = v->minor, version[2] = v->patch;
}

// Returns how many shapes are remembered.
CHAINRULE_EXPORT int64_t chainrule_plans_kept() { return int64_t(plans_kept()); }

// Writes the name of what computes a convolution into `name`.
CHAINRULE_EXPORT int64_t chainrule_kernel(const char* way, const int64_t* images,
                                          const int64_t* filters, const int64_t* settings,
                                          bool packed, char* name, int64_t size) {
  return guarded([&]() -> int64_t {
    const std::string found = plan_name(request_of(way, images, filters, settings, packed));
    std::strncpy(name, found.c_str(), size - 1);
    name[size - 1] = 0;
    return 0;
  });
}

// Returns how many floats packed filters take.
CHAINRULE_EXPORT int64_t chainrule_packed_size(const int64_t* images, const int64_t* filters,
                                               const int64_t* settings) {
  return guarded([&]() -> int64_t {
    return packed_size(request_of("forward", images, filters, settings, true));
  });
}

// Computes one convolution without XLA, and overwrites the array of its result.
CHAINRULE_EXPORT int64_t chainrule_convolve(const char* way, float* A_prev, const int64_t* images,
                                            float* W, const int64_t* filters, float* dZ,
                                            const int64_t* gradients, const int64_t* settings) {
  return guarded([&]() -> int64_t {
    const Call call = call_of(way, A_prev, images, W, filters, dZ, gradients, settings);
    convolve(call.request, call.operands);
    return 0;
  });
}

// Returns the median milliseconds of oneDNN's primitive alone, and overwrites its result.
CHAINRULE_EXPORT double chainrule_onednn_time(const char* way, float* A_prev,
                                              const int64_t* images, float* W,
                                              const int64_t* filters, float* dZ,
                                              const int64_t* gradients, const int64_t* settings,
                                              int64_t repeats) {
  return guarded([&]() -> double {
    const Call call = call_of(way, A_prev, images, W, filters, dZ, gradients, settings);
    if (call.request.geometry.m < 1 || repeats < 1) throw std::invalid_argument("nothing to time");
    return time_onednn(call.request, call.operands, int(repeats));
  });
}
