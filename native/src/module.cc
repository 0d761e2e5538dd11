// The Python module: the foreign functions as capsules, and functions to inspect them.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "convolution.h"
#include "dnnl.hpp"
#include "handlers.h"
#include "onednn_convolution.h"

namespace nb = nanobind;
using namespace chainrule;

namespace {

using Sizes = std::vector<int64_t>;
using Images = nb::ndarray<float, nb::ndim<4>, nb::c_contig, nb::device::cpu>;

nb::dict targets() {
  nb::dict all;
  for (const auto& some : {convolution_targets(), batch_norm_targets()})
    for (const Target& target : some)
      all[target.name] = nb::capsule(reinterpret_cast<void*>(target.handler));
  return all;
}

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
         std::to_string(v->patch);
}

Way way_of(const std::string& name) {
  if (name == "forward") return Way::forward;
  if (name == "input_gradient") return Way::input_gradient;
  if (name == "filter_gradient") return Way::filter_gradient;
  throw std::invalid_argument("expected forward, input_gradient or filter_gradient");
}

// settings: s, before, after, groups.
Request request_of(const std::string& way, const Sizes& images, const Sizes& filters,
                   const Sizes& settings, bool packed) {
  if (images.size() != 4 || filters.size() != 4 || settings.size() < 4)
    throw std::invalid_argument("expected four sizes each of images, filters and settings");
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

Sizes sizes_of(const Images& array) {
  return {array.shape_ptr(), array.shape_ptr() + array.ndim()};
}

struct Call {
  Request request;
  Operands operands;
};

Call call_of(const std::string& way, Images A_prev, Images W, Images dZ, const Sizes& settings) {
  const Request request = request_of(way, sizes_of(A_prev), sizes_of(W), settings, false);
  const Geometry& g = request.geometry;
  if (sizes_of(dZ) != Sizes{g.m, g.n_H(), g.n_W(), g.n_C})
    throw std::invalid_argument("dZ of another size");
  Operands o;
  o.A_prev = A_prev.data(), o.W = W.data(), o.dZ = dZ.data();
  o.result = request.way == Way::forward          ? dZ.data()
             : request.way == Way::input_gradient ? A_prev.data()
                                                  : W.data();
  return {request, o};
}

double onednn_time(const std::string& way, Images A_prev, Images W, Images dZ, const Sizes& settings,
                   int repeats) {
  const Call call = call_of(way, A_prev, W, dZ, settings);
  if (call.request.geometry.m < 1 || repeats < 1) throw std::invalid_argument("nothing to time");
  nb::gil_scoped_release released;
  return time_onednn(call.request, call.operands, repeats);
}

void convolve_arrays(const std::string& way, Images A_prev, Images W, Images dZ,
                     const Sizes& settings) {
  const Call call = call_of(way, A_prev, W, dZ, settings);
  nb::gil_scoped_release released;
  convolve(call.request, call.operands);
}

int64_t size_when_packed(const Sizes& images, const Sizes& filters, const Sizes& settings) {
  return packed_size(request_of("forward", images, filters, settings, true));
}

std::string kernel(const std::string& way, const Sizes& images, const Sizes& filters,
                   const Sizes& settings, bool packed) {
  return plan_name(request_of(way, images, filters, settings, packed));
}

}  // namespace

NB_MODULE(_native, module) {
  module.def("targets", &targets, "The foreign functions: name to capsule.");
  module.def("onednn_version", &onednn_version, "The version of oneDNN in use.");
  module.def("plans_kept", &plans_kept, "How many shapes are remembered.");
  module.def("kernel", &kernel, nb::arg("way"), nb::arg("images"), nb::arg("filters"),
             nb::arg("settings"), nb::arg("packed") = false, "What computes a convolution.");
  module.def("packed_size", &size_when_packed, nb::arg("images"), nb::arg("filters"),
             nb::arg("settings"), "How many floats packed filters take.");
  module.def("convolve", &convolve_arrays, nb::arg("way"), nb::arg("A_prev"), nb::arg("W"),
             nb::arg("dZ"), nb::arg("settings"),
             "One convolution without XLA. Overwrites the array of its result.");
  module.def("onednn_time", &onednn_time, nb::arg("way"), nb::arg("A_prev"), nb::arg("W"),
             nb::arg("dZ"), nb::arg("settings"), nb::arg("repeats") = 21,
             "Milliseconds of oneDNN's primitive alone, the median. Overwrites its result.");
}
