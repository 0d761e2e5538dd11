#include "onednn_convolution.h"

#include <string>
#include <unordered_map>

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
  static dnnl::engine* cpu = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *cpu;
}

dnnl::stream& stream() {
  static dnnl::stream* in_order = new dnnl::stream(engine());
  return *in_order;
}

// The layouts of a convolution: ours for the images, whichever is fastest for the filters.
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

Forward forward(const Layouts& l, const Request& r, const dnnl::primitive_attr& attr) {
  const auto kind = r.packed ? kInference : kTraining;
  const memory::desc bias = r.bias && r.way == Way::forward ? l.bias : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return Forward(engine(), kind, kDirect, l.images, l.any, bias, l.result, l.strides, l.before,
                 l.after, attr);
#else
  return Forward(dnnl::convolution_forward::desc(kind, kDirect, l.images, l.any, bias, l.result,
                                                 l.strides, l.before, l.after),
                 attr, engine());
#endif
}

InputGradient input_gradient(const Layouts& l, const Request& r, const dnnl::primitive_attr& attr) {
  const Forward hint = forward(l, r, attr);
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
  const Forward hint = forward(l, r, attr);
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

memory place(const memory::desc& desc) { return memory(desc, engine(), DNNL_MEMORY_NONE); }

void point(memory& to, const void* at) { to.set_data_handle(const_cast<void*>(at)); }

class OneDnnConvolution : public Plan {
 public:
  explicit OneDnnConvolution(const Request& request)
      : way_(request.way), packed_(request.packed), layouts_(request.geometry) {
    const dnnl::primitive_attr attr = attributes(request);
    if (way_ == Way::forward) {
      const Forward made = forward(layouts_, request, attr);
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

  void run_bare(const Operands& o, Arena& arena) override {
    prepare(o, arena);
    primitive_.execute(stream(), arguments_);
    stream().wait();
  }

  size_t packed_bytes() const override { return filters_.get_desc().get_size(); }

  void pack(const float* W, float* packed) override {
    memory ours = place(layouts_.ours), filters = place(filters_.get_desc());
    point(ours, W);
    point(filters, packed);
    dnnl::reorder(ours, filters).execute(stream(), ours, filters);
    stream().wait();
  }

  const char* name() const override { return name_.c_str(); }

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
    if (!reordered()) return;
    const bool back = way_ == Way::filter_gradient;
    reorder_ = back ? dnnl::reorder(filters_, ours_) : dnnl::reorder(ours_, filters_);
  }

  // Points everything at the arrays of this call; gives the place of the filters in oneDNN's layout.
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
  std::string name_;
};

}  // namespace

std::unique_ptr<Plan> onednn_convolution(const Request& request) {
  return std::make_unique<OneDnnConvolution>(request);
}

}  // namespace chainrule
