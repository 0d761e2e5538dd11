// The foreign functions of recurrent layers: they check the sizes again and call the kernels.
//
//   chainrule_recurrence           Z W_a b a0 [c0] [lengths]              -> G A [C] [H]
//   chainrule_recurrence_gradient  G W_a a0 A dA [c0 C dC] [H] [lengths]  -> dZ da0 [dc0] [dH]
//
// G takes the memory of Z, and dZ may take that of G, and dH that of H. In the basic layer G is A.
// `settings` are the cell, as the enumeration Cell numbers them, `reverse`, and whether there are
// lengths. c0, C, dC and dc0 are those of the LSTM; H is that of the GRUs that reset the state.
#include <cstring>

#include "handlers.h"
#include "recurrence.h"
#include "xla_threads.h"

namespace chainrule {
namespace {

struct Asked {
  Recurrence recurrence;
  bool memory, reset;  // an LSTM; a GRU with H

  int64_t states() const { return recurrence.m * recurrence.n; }
  int64_t steps() const { return recurrence.T * states(); }
  int64_t products() const { return steps() * recurrence.gates(); }
};

Asked asked(Dims Z, Dims W_a, Settings settings) {
  expect(settings.size() == 3, "settings missing");
  expect(Z.size() == 3 && W_a.size() == 2, "arrays with another number of axes");
  expect(settings[0] >= 0 && settings[0] <= int64_t(Cell::gru_none), "a cell that does not exist");
  const Cell cell = Cell(settings[0]);
  const Recurrence recurrence{cell, Z[0], Z[1], W_a[1], settings[1] != 0, nullptr};
  expect(recurrence_supported(recurrence), "sizes of 0, or a CPU without AVX2");
  expect(W_a[0] == recurrence.gates() * recurrence.n && Z[2] == W_a[0], "W_a of another size");
  return {recurrence, cell == Cell::lstm, cell == Cell::gru_before || cell == Cell::gru_after};
}

// The optional arrays of a call, one after the other.
class More {
 public:
  explicit More(ffi::RemainingArgs& arrays) : arrays_(arrays) {}

  const float* floats(int64_t size) {
    const Array array = optional_array(arrays_, place_++);
    expect(int64_t(array.element_count()) == size, "an array of another size");
    return array.typed_data();
  }

  const int32_t* lengths(int64_t m) {
    auto found = arrays_.get<ffi::Buffer<ffi::S32>>(place_++);
    if (found.has_error()) throw std::invalid_argument(found.error().message());
    expect(int64_t(found->element_count()) == m, "lengths of another size");
    return found->typed_data();
  }

  void end() { expect(place_ == arrays_.size(), "another number of arrays"); }

 private:
  ffi::RemainingArgs& arrays_;
  size_t place_ = 0;
};

// The optional results of a call, one after the other.
class Results {
 public:
  explicit Results(ffi::RemainingRets& arrays) : arrays_(arrays) {}

  float* floats(int64_t size) {
    Result array = optional_array(arrays_, place_++);
    expect(int64_t(array->element_count()) == size, "a result of another size");
    return array->typed_data();
  }

  void end() { expect(place_ == arrays_.size(), "another number of results"); }

 private:
  ffi::RemainingRets& arrays_;
  size_t place_ = 0;
};

const float* sized(const Array& array, int64_t size) {
  expect(int64_t(array.element_count()) == size, "an array of another size");
  return array.typed_data();
}

// Moves an array into the memory of a result, unless it is there already.
void move(const float* from, float* to, int64_t size) {
  if (from != to) std::memcpy(to, from, size * sizeof(float));
}

ffi::Error forward(ffi::ThreadPool pool, Array Z, Array W_a, Array b, Array a0,
                   ffi::RemainingArgs others, Settings settings, Result G,
                   ffi::RemainingRets more_results) {
  return guarded([&]() -> ffi::Error {
    Asked all = asked(Z.dimensions(), W_a.dimensions(), settings);
    Recurrence& recurrence = all.recurrence;
    More more(others);
    Results results(more_results);
    expect(G->element_count() == Z.element_count(), "a result of another size");
    RecurrenceForward arrays{};
    arrays.G = G->typed_data(), arrays.W_a = W_a.typed_data();
    arrays.b = sized(b, recurrence.biases() * recurrence.n), arrays.a0 = sized(a0, all.states());
    if (all.memory) arrays.c0 = more.floats(all.states());
    if (settings[2] != 0) recurrence.lengths = more.lengths(recurrence.m);
    more.end();
    const bool plain = recurrence.gates() == 1;
    arrays.A = plain ? nullptr : results.floats(all.steps());
    if (all.memory) arrays.C = results.floats(all.steps());
    if (all.reset) arrays.H = results.floats(all.steps());
    results.end();
    move(Z.typed_data(), arrays.G, all.products());
    recurrence_forward(recurrence, arrays, xla_threads(pool));
    return ffi::Error::Success();
  });
}

ffi::Error gradient(ffi::ThreadPool pool, Array G, Array W_a, Array a0, Array A, Array dA,
                    ffi::RemainingArgs others, Settings settings, Result dZ, Result da0,
                    ffi::RemainingRets more_results) {
  return guarded([&]() -> ffi::Error {
    Asked all = asked(G.dimensions(), W_a.dimensions(), settings);
    Recurrence& recurrence = all.recurrence;
    More more(others);
    Results results(more_results);
    expect(dZ->element_count() == G.element_count(), "a result of another size");
    expect(int64_t(da0->element_count()) == all.states(), "a result of another size");
    RecurrenceBackward arrays{};
    arrays.G = G.typed_data(), arrays.W_a = W_a.typed_data();
    arrays.a0 = sized(a0, all.states());
    arrays.A = sized(A, all.steps()), arrays.dA = sized(dA, all.steps());
    arrays.dZ = dZ->typed_data(), arrays.da0 = da0->typed_data();
    if (all.memory) {
      arrays.c0 = more.floats(all.states()), arrays.C = more.floats(all.steps());
      arrays.dC = more.floats(all.steps()), arrays.dc0 = results.floats(all.states());
    }
    if (recurrence.cell == Cell::gru_after) {
      const float* H = more.floats(all.steps());
      arrays.dH = results.floats(all.steps());
      move(H, arrays.dH, all.steps());
    }
    if (settings[2] != 0) recurrence.lengths = more.lengths(recurrence.m);
    more.end(), results.end();
    recurrence_backward(recurrence, arrays, xla_threads(pool));
    return ffi::Error::Success();
  });
}

}  // namespace

CHAINRULE_HANDLER(chainrule_recurrence, forward,
                  ffi::Ffi::Bind()
                      .Ctx<ffi::ThreadPool>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .RemainingArgs()
                      .Attr<Settings>("settings")
                      .Ret<Array>()
                      .RemainingRets());
CHAINRULE_HANDLER(chainrule_recurrence_gradient, gradient,
                  ffi::Ffi::Bind()
                      .Ctx<ffi::ThreadPool>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .Arg<Array>()
                      .RemainingArgs()
                      .Attr<Settings>("settings")
                      .Ret<Array>()
                      .Ret<Array>()
                      .RemainingRets());

}  // namespace chainrule
