// What the handlers of XLA's foreign functions have in common.
#pragma once

#include <algorithm>
#include <exception>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "xla/ffi/api/ffi.h"

// Defines a foreign function that Python finds in the library by its name.
#define CHAINRULE_HANDLER(name, ...)                                                          \
  extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* name(XLA_FFI_CallFrame*);  \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, __VA_ARGS__)

namespace chainrule {

namespace ffi = xla::ffi;
using Array = ffi::Buffer<ffi::F32>;
using Result = ffi::ResultBuffer<ffi::F32>;
using Settings = ffi::Span<const int64_t>;
using Dims = ffi::Span<const int64_t>;

inline ffi::Error invalid(const std::string& what) {
  return ffi::Error::InvalidArgument("chainrule-native: " + what);
}

// Converts exceptions to errors, so that none reaches XLA.
template <typename Call>
ffi::Error guarded(Call call) {
  try {
    return call();
  } catch (const std::invalid_argument& error) {
    return invalid(error.what());
  } catch (const std::exception& error) {
    return ffi::Error::Internal(std::string("chainrule-native: ") + error.what());
  }
}

inline void expect(bool right, const char* what) {
  if (!right) throw std::invalid_argument(what);
}

inline bool same(Dims dims, std::initializer_list<int64_t> sizes) {
  return std::equal(dims.begin(), dims.end(), sizes.begin(), sizes.end());
}

// Returns one of the optional arrays of a call.
template <typename More>
auto optional_array(More& more, size_t place) {
  auto found = more.template get<Array>(place);
  if (found.has_error()) throw std::invalid_argument(found.error().message());
  return *found;
}

}  // namespace chainrule
