// The foreign functions of the convolutions: they check the sizes again and run the plans.
//
//   chainrule_convolution                  A_prev W [b]                     -> A
//   chainrule_convolution_input_gradient   dZ W                             -> dA_prev
//   chainrule_convolution_filter_gradient  A_prev dZ                        -> dW [db]
//   chainrule_convolution_pack             W                                -> packed
//   chainrule_convolution_packed           A_prev packed [b] [residual]     -> A
//
// `settings` are s, before, after, groups, bias, relu, residual; for the packed ones the four sizes
// of the images and the four of the filters follow.
#include <algorithm>
#include <string>

#include "convolution.h"
#include "handlers.h"

namespace chainrule {
namespace {

constexpr size_t kSettings = 7, kSizes = 8;

// Returns the checked request for the settings and the sizes of images and filters.
Request request_of(Way way, Settings settings, Dims images, Dims filters) {
  expect(settings.size() >= kSettings, "settings missing");
  expect(images.size() == 4, "images that are not (m, n_H, n_W, n_C)");
  expect(filters.size() == 4, "filters that are not (f, f, n_C_prev, n_C)");
  const int64_t groups = settings[3];
  Request request{{images[0], images[1], images[2], images[3], filters[0], filters[1], filters[3],
                   groups, settings[0], settings[1], settings[2]},
                  way,
                  settings[4] != 0,
                  settings[5] != 0,
                  settings[6] != 0,
                  false};
  const std::string complaint = request.geometry.complaint();
  if (!complaint.empty()) throw std::invalid_argument(complaint);
  expect(filters[2] * groups == images[3], "filters made for another number of channels");
  return request;
}

void expect_result(const Geometry& g, Dims dims) {
  expect(same(dims, {g.m, g.n_H(), g.n_W(), g.n_C}), "a result of another size");
}

ffi::Error forward(Array A_prev, Array W, ffi::RemainingArgs more, Settings settings, Result A) {
  return guarded([&]() -> ffi::Error {
    const Request request =
        request_of(Way::forward, settings, A_prev.dimensions(), W.dimensions());
    expect_result(request.geometry, A->dimensions());
    expect(more.size() == size_t(request.bias) && !request.residual, "another number of arrays");
    Operands o{A_prev.typed_data(), W.typed_data()};
    o.result = A->typed_data();
    if (request.bias) {
      const Array b = optional_array(more, 0);
      expect(int64_t(b.element_count()) == request.geometry.n_C, "b of another size");
      o.b = b.typed_data();
    }
    convolve(request, o);
    return ffi::Error::Success();
  });
}

ffi::Error input_gradient(Array dZ, Array W, Settings settings, Result dA_prev) {
  return guarded([&]() -> ffi::Error {
    const Request request =
        request_of(Way::input_gradient, settings, dA_prev->dimensions(), W.dimensions());
    expect_result(request.geometry, dZ.dimensions());
    expect(!request.bias && !request.relu && !request.residual, "a setting of another way");
    Operands o;
    o.dZ = dZ.typed_data();
    o.W = W.typed_data();
    o.result = dA_prev->typed_data();
    convolve(request, o);
    return ffi::Error::Success();
  });
}

ffi::Error filter_gradient(Array A_prev, Array dZ, Settings settings, Result dW,
                           ffi::RemainingRets more) {
  return guarded([&]() -> ffi::Error {
    const Request request =
        request_of(Way::filter_gradient, settings, A_prev.dimensions(), dW->dimensions());
    expect_result(request.geometry, dZ.dimensions());
    expect(more.size() == size_t(request.bias), "another number of arrays");
    expect(!request.relu && !request.residual, "a setting of another way");
    Operands o;
    o.A_prev = A_prev.typed_data();
    o.dZ = dZ.typed_data();
    o.result = dW->typed_data();
    if (request.bias) {
      Result db = optional_array(more, 0);
      expect(int64_t(db->element_count()) == request.geometry.n_C, "db of another size");
      o.db = db->typed_data();
    }
    convolve(request, o);
    return ffi::Error::Success();
  });
}

Request packed_request(Settings settings) {
  expect(settings.size() == kSettings + kSizes, "settings missing");
  const int64_t* sizes = settings.begin() + kSettings;
  Request request = request_of(Way::forward, settings, Dims(sizes, 4), Dims(sizes + 4, 4));
  request.packed = true;
  return request;
}

ffi::Error pack_filters(Array W, Settings settings, Result packed) {
  return guarded([&]() -> ffi::Error {
    const Request request = packed_request(settings);
    const Geometry& g = request.geometry;
    expect(same(W.dimensions(), {g.f_H, g.f_W, g.n_C_prev / g.groups, g.n_C}), "W of another size");
    expect(same(packed->dimensions(), {packed_size(request)}), "a result of another size");
    pack(request, W.typed_data(), packed->typed_data());
    return ffi::Error::Success();
  });
}

ffi::Error forward_packed(Array A_prev, Array packed, ffi::RemainingArgs more, Settings settings,
                          Result A) {
  return guarded([&]() -> ffi::Error {
    const Request request = packed_request(settings);
    const Geometry& g = request.geometry;
    expect(same(A_prev.dimensions(), {g.m, g.n_H_prev, g.n_W_prev, g.n_C_prev}),
           "images of another size");
    expect(same(packed.dimensions(), {packed_size(request)}), "packed filters of another size");
    expect_result(g, A->dimensions());
    expect(more.size() == size_t(request.bias) + size_t(request.residual),
           "another number of arrays");
    Operands o{A_prev.typed_data(), packed.typed_data()};
    o.result = A->typed_data();
    if (request.bias) {
      const Array b = optional_array(more, 0);
      expect(int64_t(b.element_count()) == g.n_C, "b of another size");
      o.b = b.typed_data();
    }
    if (request.residual) {
      const Array residual = optional_array(more, request.bias);
      expect_result(g, residual.dimensions());
      if (residual.typed_data() != o.result)  // XLA usually makes them one array
        std::copy_n(residual.typed_data(), residual.element_count(), o.result);
    }
    convolve(request, o);
    return ffi::Error::Success();
  });
}

}  // namespace

CHAINRULE_HANDLER(chainrule_convolution, forward,
                  ffi::Ffi::Bind()
                      .Arg<Array>()
                      .Arg<Array>()
                      .RemainingArgs()
                      .Attr<Settings>("settings")
                      .Ret<Array>());
CHAINRULE_HANDLER(
    chainrule_convolution_input_gradient, input_gradient,
    ffi::Ffi::Bind().Arg<Array>().Arg<Array>().Attr<Settings>("settings").Ret<Array>());
CHAINRULE_HANDLER(chainrule_convolution_filter_gradient, filter_gradient,
                  ffi::Ffi::Bind()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Attr<Settings>("settings")
                      .Ret<Array>()
                      .RemainingRets());
CHAINRULE_HANDLER(chainrule_convolution_pack, pack_filters,
                  ffi::Ffi::Bind().Arg<Array>().Attr<Settings>("settings").Ret<Array>());
CHAINRULE_HANDLER(chainrule_convolution_packed, forward_packed,
                  ffi::Ffi::Bind()
                      .Arg<Array>()
                      .Arg<Array>()
                      .RemainingArgs()
                      .Attr<Settings>("settings")
                      .Ret<Array>());

}  // namespace chainrule
