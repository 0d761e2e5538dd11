#include "onednn_convolution.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

#include "dnnl.hpp"
#include "turns.h"

namespace chainrule {
namespace {

using dnnl::memory;
using Dims = memory::dims;
using Tag = memory::format_tag;
constexpr auto kFloat = memory::data_type::f32;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;
constexpr auto kTraining = dnnl::prop_kind::forward_training;
constexpr auto kInference = dnnl::prop_kind::forward_inference;

dnnl::engine& engine() {
  static dnnl::engine* cpu = [] {
    dnnl::set_primitive_cache_capacity(0);  // the plans are cached here
    return new dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return *cpu;
}

dnnl::stream& stream() {
  static dnnl::stream* in_order = new dnnl::stream(engine());
  return *in_order;
}

// The layouts of a convolution: NHWC for the images, the fastest one for the filters.
struct Layouts {
  explicit Layouts(const Geometry& g)
      : images(Dims{g.m, g.n_C_prev, g.n_H_prev, g.n_W_prev}, kFloat, Tag::nhwc),
        result(Dims{g.m, g.n_C, g.n_H(), g.n_W()}, kFloat, Tag::nhwc),
        bias(Dims{g.n_C}, kFloat, Tag::x),
        strides{g.s, g.s},
        before{g.before, g.before},
        after{g.after, g.after} {
    const int64_t O = g.n_C / g.groups, I = g.n_C_prev / g.groups;
    const int64_t row = g.f_W * I * g.n_C, column = I * g.n_C;
    if (g.groups == 1) {
      any = memory::desc(Dims{O, I, g.f_H, g.f_W}, kFloat, Tag::any);
      ours = memory::desc(Dims{O, I, g.f_H, g.f_W}, kFloat, Dims{1, g.n_C, row, column});
    } else {
      any = memory::desc(Dims{g.groups, O, I, g.f_H, g.f_W}, kFloat, Tag::any);
      ours = memory::desc(Dims{g.groups, O, I, g.f_H, g.f_W}, kFloat,
                          Dims{O, 1, g.n_C, row, column});
    }
  }

  memory::desc images, result, bias, any, ours;
  Dims strides, before, after;
};

dnnl::primitive_attr attributes(const Request& request) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
  if (request.residual) after.append_sum(1.0f);
#if DNNL_VERSION_MAJOR >= 3
  if (request.relu) after.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#else
  if (request.relu) after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#endif
  attr.set_post_ops(after);
  return attr;
}

// Descriptors are made in two steps in oneDNN 2, in one in oneDNN 3.
using Forward = dnnl::convolution_forward::primitive_desc;
using InputGradient = dnnl::convolution_backward_data::primitive_desc;
using FilterGradient = dnnl::convolution_backward_weights::primitive_desc;

Forward forward(const Layouts& l, const Request& r, const dnnl::primitive_attr& attr,
                const memory::desc& filters) {
  const auto kind = r.packed ? kInference : kTraining;
  const memory::desc bias = r.bias && r.way == Way::forward ? l.bias : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return Forward(engine(), kind, kDirect, l.images, filters, bias, l.result, l.strides,
                 l.before, l.after, attr);
#else
  return Forward(dnnl::convolution_forward::desc(kind, kDirect, l.images, filters, bias,
                                                 l.result, l.strides, l.before, l.after),
                 attr, engine());
#endif
}

InputGradient input_gradient(const Layouts& l, const Request& r, const dnnl::primitive_attr& attr) {
  const Forward hint = forward(l, r, attr, l.any);
#if DNNL_VERSION_MAJOR >= 3
  return InputGradient(engine(), kDirect, l.images, l.any, l.result, l.strides, l.before, l.after,
                       hint, attr);
#else
  return InputGradient(dnnl::convolution_backward_data::desc(kDirect, l.images, l.any, l.result,
                                                             l.strides, l.before, l.after),
                       attr, engine(), hint);
#endif
}

FilterGradient filter_gradient(const Layouts& l, const Request& r,
                               const dnnl::primitive_attr& attr) {
  const Forward hint = forward(l, r, attr, l.any);
  const memory::desc bias = r.bias ? l.bias : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return FilterGradient(engine(), kDirect, l.images, l.any, bias, l.result, l.strides, l.before,
                        l.after, hint, attr);
#else
  return FilterGradient(
      dnnl::convolution_backward_weights::desc(kDirect, l.images, l.any, bias, l.result, l.strides,
                                               l.before, l.after),
      attr, engine(), hint);
#endif
}

Request bared(Request request) {
  request.bias = request.relu = request.residual = false;
  return request;
}

template <typename Numbers>
std::string written(const Numbers* numbers, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += std::to_string(numbers[i]) + " ";
  return text + "| ";
}

// Describes a layout; equal descriptions mean that the numbers are arranged equally.
std::string described(const memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  const auto sizes = desc.get_padded_dims(), strides = desc.get_strides();
  const auto blocks = desc.get_inner_blks(), axes = desc.get_inner_idxs();
  return written(sizes.data(), sizes.size()) + written(strides.data(), strides.size()) +
         written(blocks.data(), blocks.size()) + written(axes.data(), axes.size());
#else
  const auto& blocking = desc.data.format_desc.blocking;
  return written(desc.data.padded_dims, desc.data.ndims) +
         written(blocking.strides, desc.data.ndims) +
         written(blocking.inner_blks, blocking.inner_nblks) +
         written(blocking.inner_idxs, blocking.inner_nblks);
#endif
}

memory place(const memory::desc& desc) { return memory(desc, engine(), DNNL_MEMORY_NONE); }

void point(memory& to, const void* at) { to.set_data_handle(const_cast<void*>(at)); }

class OneDnnConvolution : public Plan {
 public:
  explicit OneDnnConvolution(const Request& request)
      : way_(request.way), packed_(request.packed), layouts_(request.geometry) {
    const dnnl::primitive_attr attr = attributes(request);
    if (way_ == Way::forward) {
      // Packed filters must suit any operation after the sum: the bare convolution sets the layout.
      const Forward bare = forward(layouts_, bared(request), attributes(bared(request)), layouts_.any);
      const Forward made = forward(layouts_, request, attr, bare.weights_desc());
      primitive_ = dnnl::convolution_forward(made);
      keep(made, made.weights_desc());
      arguments_ = {{DNNL_ARG_SRC, images_}, {DNNL_ARG_WEIGHTS, filters_},
                    {DNNL_ARG_DST, result_}};
      if (request.bias) arguments_.emplace(DNNL_ARG_BIAS, bias_);
    } else if (way_ == Way::input_gradient) {
      const InputGradient made = input_gradient(layouts_, request, attr);
      primitive_ = dnnl::convolution_backward_data(made);
      keep(made, made.weights_desc());
      arguments_ = {{DNNL_ARG_DIFF_SRC, images_}, {DNNL_ARG_WEIGHTS, filters_},
                    {DNNL_ARG_DIFF_DST, result_}};
    } else {
      const FilterGradient made = filter_gradient(layouts_, request, attr);
      primitive_ = dnnl::convolution_backward_weights(made);
      keep(made, made.diff_weights_desc());
      arguments_ = {{DNNL_ARG_SRC, images_}, {DNNL_ARG_DIFF_WEIGHTS, filters_},
                    {DNNL_ARG_DIFF_DST, result_}};
      if (request.bias) arguments_.emplace(DNNL_ARG_DIFF_BIAS, bias_);
    }
    arguments_.emplace(DNNL_ARG_SCRATCHPAD, scratch_);
  }

  void run(const Operands& o, Arena& arena) override {
    float* filters = prepare(o, arena);
    if (reordered() && way_ != Way::filter_gradient) {
      point(filters_, filters);
      point(ours_, o.W);
      reorder_.execute(stream(), ours_, filters_);
    }
    primitive_.execute(stream(), arguments_);
    if (reordered() && way_ == Way::filter_gradient) {
      point(ours_, o.result);
      reorder_.execute(stream(), filters_, ours_);
    }
    stream().wait();
  }

  // Runs the primitive again on the arrays of the last run.
  void repeat() {
    primitive_.execute(stream(), arguments_);
    stream().wait();
  }

  const std::string& name() const override { return name_; }
  const std::string& layout() const override { return layout_; }
  int64_t packed_size() const override { return filters_.get_desc().get_size() / sizeof(float); }

  void pack(const float* W, float* packed) override {
    memory ours = place(layouts_.ours), filters = place(filters_.get_desc());
    point(ours, W);
    point(filters, packed);
    dnnl::reorder(ours, filters).execute(stream(), ours, filters);
    stream().wait();
  }

 private:
  bool reordered() const { return !packed_ && filters_.get_desc() != layouts_.ours; }

  template <typename Made>
  void keep(const Made& made, const memory::desc& filters) {
    images_ = place(layouts_.images);
    result_ = place(layouts_.result);
    filters_ = place(filters);
    ours_ = place(layouts_.ours);
    bias_ = place(layouts_.bias);
    scratch_ = place(made.scratchpad_desc());
    name_ = std::string("oneDNN ") + made.impl_info_str();
    layout_ = "oneDNN " + described(filters);
    if (!reordered()) return;
    const bool back = way_ == Way::filter_gradient;
    reorder_ = back ? dnnl::reorder(filters_, ours_) : dnnl::reorder(ours_, filters_);
  }

  // Binds the arrays of this call; returns the address of the filters in oneDNN's layout.
  float* prepare(const Operands& o, Arena& arena) {
    const size_t filters = reordered() ? aligned(filters_.get_desc().get_size()) : 0;
    float* scratch = arena.reserve(filters + scratch_.get_desc().get_size());
    point(scratch_, scratch + filters / sizeof(float));
    point(images_, way_ == Way::input_gradient ? o.result : o.A_prev);
    point(result_, way_ == Way::forward ? o.result : o.dZ);
    point(bias_, way_ == Way::filter_gradient ? o.db : o.b);
    if (reordered())
      point(filters_, scratch);
    else
      point(filters_, way_ == Way::filter_gradient ? o.result : o.W);
    return scratch;
  }

  Way way_;
  bool packed_;
  Layouts layouts_;
  dnnl::primitive primitive_;
  dnnl::reorder reorder_;
  memory images_, filters_, ours_, result_, bias_, scratch_;
  std::unordered_map<int, memory> arguments_;
  std::string name_, layout_;
};

}  // namespace

std::unique_ptr<Plan> onednn_convolution(const Request& request) {
  return std::make_unique<OneDnnConvolution>(request);
}

double time_onednn(const Request& request, const Operands& operands, int repeats) {
  std::vector<double> times;
  run_in_turn([&] {
    Arena arena;
    OneDnnConvolution plan(request);
    plan.run(operands, arena);
    for (int i = 0; i < repeats; ++i) {
      const auto start = std::chrono::steady_clock::now();
      plan.repeat();
      const auto end = std::chrono::steady_clock::now();
      times.push_back(std::chrono::duration<double, std::milli>(end - start).count());
    }
  });
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

}  // namespace chainrule
