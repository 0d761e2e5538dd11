// The foreign functions of batch norm: they check the sizes again and call the kernels.
//
//   chainrule_batch_norm           Z gamma beta [weights] [residual]                 -> A mean variance
//   chainrule_batch_norm_gradient  dA d_mean d_variance Z gamma mean variance [weights] [A]
//                                                                -> dZ d_gamma d_beta [d_residual]
//
// `settings` are three flags: weights, residual, ReLU.
#include "batch_norm.h"
#include "turns.h"
#include "handlers.h"

namespace chainrule {
namespace {

struct Asked {
  BatchNorm norm;
  bool weights, residual, relu;
};

Asked asked(Dims Z, Settings settings, float epsilon) {
  expect(settings.size() == 3, "settings missing");
  expect(Z.size() == 4, "Z that is not (m, n_H, n_W, n_C)");
  const Asked all{{Z[0], Z[1] * Z[2], Z[3], epsilon},
                  settings[0] != 0,
                  settings[1] != 0,
                  settings[2] != 0};
  expect(batch_norm_supported(all.norm), "sizes of 0, or a CPU without AVX2");
  return all;
}

void expect_feature(const Asked& all, int64_t count) {
  expect(count == all.norm.channels, "a feature of another size");
}

const float* weights_of(const Asked& all, ffi::RemainingArgs& more) {
  if (!all.weights) return nullptr;
  const Array weights = optional_array(more, 0);
  expect(int64_t(weights.element_count()) == all.norm.examples, "weights of another size");
  return weights.typed_data();
}

ffi::Error forward(Array Z, Array gamma, Array beta, ffi::RemainingArgs more, Settings settings,
                   float epsilon, Result A, Result mean, Result variance) {
  return guarded([&]() -> ffi::Error {
    const Asked all = asked(Z.dimensions(), settings, epsilon);
    for (int64_t count : {gamma.element_count(), beta.element_count(), mean->element_count(),
                          variance->element_count()})
      expect_feature(all, count);
    expect(A->element_count() == Z.element_count(), "a result of another size");
    expect(more.size() == size_t(all.weights) + size_t(all.residual), "another number of arrays");
    const float* weights = weights_of(all, more);
    const float* residual = nullptr;
    if (all.residual) {
      const Array array = optional_array(more, all.weights);
      expect(array.element_count() == Z.element_count(), "a residual of another size");
      residual = array.typed_data();
    }
    run_in_turn([&] {
      batch_norm_forward(all.norm, Z.typed_data(), gamma.typed_data(), beta.typed_data(), weights,
                         residual, all.relu, A->typed_data(), mean->typed_data(),
                         variance->typed_data());
    });
    return ffi::Error::Success();
  });
}

ffi::Error gradient(Array dA, Array d_mean, Array d_variance, Array Z, Array gamma, Array mean,
                    Array variance, ffi::RemainingArgs more, Settings settings, float epsilon,
                    Result dZ, Result d_gamma, Result d_beta, ffi::RemainingRets others) {
  return guarded([&]() -> ffi::Error {
    const Asked all = asked(Z.dimensions(), settings, epsilon);
    for (int64_t count :
         {d_mean.element_count(), d_variance.element_count(), gamma.element_count(),
          mean.element_count(), variance.element_count(), d_gamma->element_count(),
          d_beta->element_count()})
      expect_feature(all, count);
    expect(dA.element_count() == Z.element_count() && dZ->element_count() == Z.element_count(),
           "gradients of another size");
    expect(more.size() == size_t(all.weights) + size_t(all.relu), "another number of arrays");
    expect(others.size() == size_t(all.residual), "another number of results");
    const float* weights = weights_of(all, more);
    const float* A = nullptr;
    if (all.relu) {
      const Array array = optional_array(more, all.weights);
      expect(array.element_count() == Z.element_count(), "A of another size");
      A = array.typed_data();
    }
    float* d_residual = nullptr;
    if (all.residual) {
      Result array = optional_array(others, 0);
      expect(array->element_count() == Z.element_count(), "a result of another size");
      d_residual = array->typed_data();
    }
    run_in_turn([&] {
      batch_norm_backward(all.norm, dA.typed_data(), A, Z.typed_data(), gamma.typed_data(),
                          mean.typed_data(), variance.typed_data(), d_mean.typed_data(),
                          d_variance.typed_data(), weights, dZ->typed_data(),
                          d_gamma->typed_data(), d_beta->typed_data(), d_residual);
    });
    return ffi::Error::Success();
  });
}

}  // namespace

CHAINRULE_HANDLER(chainrule_batch_norm, forward,
                  ffi::Ffi::Bind()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .RemainingArgs()
                      .Attr<Settings>("settings")
                      .Attr<float>("epsilon")
                      .Ret<Array>()
                      .Ret<Array>()
                      .Ret<Array>());
CHAINRULE_HANDLER(chainrule_batch_norm_gradient, gradient,
                  ffi::Ffi::Bind()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .RemainingArgs()
                      .Attr<Settings>("settings")
                      .Attr<float>("epsilon")
                      .Ret<Array>()
                      .Ret<Array>()
                      .Ret<Array>()
                      .RemainingRets());

}  // namespace chainrule
