// The Python module: the foreign functions as capsules, and what one may ask about them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "convolution.h"
#include "dnnl.hpp"
#include "handlers.h"

namespace nb = nanobind;

namespace {

nb::dict targets() {
  nb::dict all;
  for (const chainrule::Target& target : chainrule::convolution_targets())
    all[target.name] = nb::capsule(reinterpret_cast<void*>(target.handler), "xla._CUSTOM_CALL_TARGET");
  return all;
}

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
         std::to_string(v->patch);
}

}  // namespace

NB_MODULE(_native, module) {
  module.def("targets", &targets, "The foreign functions: name to capsule.");
  module.def("onednn_version", &onednn_version, "The version of oneDNN in use.");
  module.def("plans_kept", &chainrule::plans_kept, "How many shapes are remembered.");
}
