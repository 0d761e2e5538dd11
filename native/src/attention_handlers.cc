// The foreign functions of attention: they check the sizes again and call the kernels.
//
//   chainrule_attention           Q K V [mask]              -> A weights
//   chainrule_attention_gradient  Q K V A weights dA        -> dQ dK dV
//
// `heads` is an attribute, and so is `scale`. The mask is (m or 1, T_q or 1, T_k).
#include "attention.h"
#include "handlers.h"
#include "xla_threads.h"

namespace chainrule {
namespace {

bool size_of(Dims dims, std::initializer_list<int64_t> sizes) {
  return dims.size() == sizes.size() && same(dims, sizes);
}

Attention asked(Dims Q, Dims K, Dims V, int64_t heads, float scale) {
  expect(Q.size() == 3 && K.size() == 3 && V.size() == 3, "arrays with another number of axes");
  expect(heads > 0 && Q[2] % heads == 0 && V[2] % heads == 0, "heads that do not divide d");
  const int64_t d = Q[2] / heads, d_v = V[2] / heads;
  const Attention attention{Q[0], heads, Q[1], K[1], d, d_v, scale, nullptr, 0, 0};
  expect(attention_supported(attention), "sizes that the kernel does not take, or no AVX2");
  expect(size_of(K, {Q[0], K[1], Q[2]}), "K of another size");
  expect(size_of(V, {Q[0], K[1], V[2]}), "V of another size");
  return attention;
}

void add_mask(Attention& attention, ffi::RemainingArgs& others) {
  if (others.size() == 0) return;
  auto found = others.get<ffi::Buffer<ffi::PRED>>(0);
  if (found.has_error() || others.size() > 1) throw std::invalid_argument("not a mask");
  const Dims dims = found->dimensions();
  expect(dims.size() == 3 && dims[2] == attention.T_k, "a mask of another size");
  expect(dims[0] == 1 || dims[0] == attention.m, "a mask of other examples");
  expect(dims[1] == 1 || dims[1] == attention.T_q, "a mask of other queries");
  attention.mask = found->typed_data();
  attention.mask_example = dims[0] == 1 ? 0 : dims[1] * dims[2];
  attention.mask_query = dims[1] == 1 ? 0 : dims[2];
}

ffi::Error forward(ffi::ThreadPool pool, Array Q, Array K, Array V, ffi::RemainingArgs others,
                   int64_t heads, float scale, Result A, Result weights) {
  return guarded([&]() -> ffi::Error {
    Attention all = asked(Q.dimensions(), K.dimensions(), V.dimensions(), heads, scale);
    add_mask(all, others);
    expect(size_of(A->dimensions(), {all.m, all.T_q, heads * all.d_v}), "A of another size");
    expect(size_of(weights->dimensions(), {all.m, heads, all.T_q, all.T_k}),
           "weights of another size");
    const AttentionForward arrays{Q.typed_data(), K.typed_data(), V.typed_data(), A->typed_data(),
                                  weights->typed_data()};
    attention_forward(all, arrays, xla_threads(pool));
    return ffi::Error::Success();
  });
}

ffi::Error gradient(ffi::ThreadPool pool, Array Q, Array K, Array V, Array A, Array weights,
                    Array dA, int64_t heads, float scale, Result dQ, Result dK, Result dV) {
  return guarded([&]() -> ffi::Error {
    const Attention all = asked(Q.dimensions(), K.dimensions(), V.dimensions(), heads, scale);
    for (const Array& one : {A, dA})
      expect(size_of(one.dimensions(), {all.m, all.T_q, heads * all.d_v}), "A of another size");
    expect(size_of(weights.dimensions(), {all.m, heads, all.T_q, all.T_k}),
           "weights of another size");
    expect(dQ->element_count() == Q.element_count() && dK->element_count() == K.element_count() &&
               dV->element_count() == V.element_count(),
           "a result of another size");
    const AttentionBackward arrays{Q.typed_data(), K.typed_data(),       V.typed_data(),
                                   A.typed_data(), weights.typed_data(), dA.typed_data(),
                                   dQ->typed_data(), dK->typed_data(),   dV->typed_data()};
    attention_backward(all, arrays, xla_threads(pool));
    return ffi::Error::Success();
  });
}

}  // namespace

CHAINRULE_HANDLER(chainrule_attention, forward,
                  ffi::Ffi::Bind()
                      .Ctx<ffi::ThreadPool>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .RemainingArgs()
                      .Attr<int64_t>("heads")
                      .Attr<float>("scale")
                      .Ret<Array>()
                      .Ret<Array>());
CHAINRULE_HANDLER(chainrule_attention_gradient, gradient,
                  ffi::Ffi::Bind()
                      .Ctx<ffi::ThreadPool>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Attr<int64_t>("heads")
                      .Attr<float>("scale")
                      .Ret<Array>()
                      .Ret<Array>()
                      .Ret<Array>());

}  // namespace chainrule
