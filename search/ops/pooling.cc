#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/make_operators.h"
#include "search/ops/window.h"

namespace bitplan::ops {
namespace {

// Windows over volumes of depth x height x width; fewer spatial dimensions are a depth and a height of 1.
struct Pool {
  Pool(const Shape& x, const Windows& windows)
      : volumes(x[0] * x[1]),
        d(windows.size() > 2 ? windows[0] : Window()),
        h(windows.size() > 1 ? windows[windows.size() - 2] : Window()),
        w(windows.back()) {}

  int64_t volume_size() const { return d.in * h.in * w.in; }

  // Calls fn(index in the volume of its first column) for the rows of a window that lie inside the input, in order.
  template <typename Fn>
  void ForEachRowInside(int64_t od, int64_t oh, Fn fn) const {
    const int64_t end_slice = d.FirstNotBelow(od, d.in);
    const int64_t end_row = h.FirstNotBelow(oh, h.in);
    for (int64_t k = d.FirstNotBelow(od, 0); k < end_slice; ++k) {
      const int64_t slice = (d.Start(od) + k * d.dilation) * h.in;
      for (int64_t i = h.FirstNotBelow(oh, 0); i < end_row; ++i) fn((slice + h.Start(oh) + i * h.dilation) * w.in);
    }
  }

  // Calls fn(index in the volume) for the window's positions inside the input, row-major.
  template <typename Fn>
  void ForEachInside(int64_t od, int64_t oh, int64_t ow, Fn fn) const {
    const int64_t first_column = w.Start(ow) + w.FirstNotBelow(ow, 0) * w.dilation;
    const int64_t end_column = w.Start(ow) + w.FirstNotBelow(ow, w.in) * w.dilation;
    ForEachRowInside(od, oh, [&](int64_t row) {
      for (int64_t column = first_column; column < end_column; column += w.dilation) fn(row + column);
    });
  }

  // Calls fn(output index of its first column, input offset of its volume, od, oh) for every row of outputs.
  template <typename Fn>
  void ForEachOutputRow(Fn fn) const {
    int64_t o = 0;
    for (int64_t volume = 0; volume < volumes; ++volume) {
      for (int64_t od = 0; od < d.out; ++od) {
        for (int64_t oh = 0; oh < h.out; ++oh, o += w.out) fn(o, volume * volume_size(), od, oh);
      }
    }
  }

  int64_t volumes;
  Window d;
  Window h;
  Window w;
};

// Of equal values the first one counts, as in ONNX; NaN wins over numbers. Padding never wins.
class MaxPoolOperator final : public Operator {
 public:
  MaxPoolOperator(Shape out, const Pool& pool) : Operator(std::move(out)), pool_(pool) {}

  void Forward(Reads x, Writes y) const override {
    ForEachWinner(x[0], [&](int64_t o, int64_t i) { y[0][o] = x[0][i]; });
  }
  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    ForEachWinner(primal.x[0], [&](int64_t o, int64_t i) { y_dot[0][o] = x_dot[0][i]; });
  }
  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    std::fill(x_bar[0].begin(), x_bar[0].end(), 0.0F);
    ForEachWinner(primal.x[0], [&](int64_t o, int64_t i) { x_bar[0][i] += y_bar[0][o]; });
  }
  bool reads_y() const override { return false; }
  bool bends() const override { return false; }

 private:
  // Calls fn(output index, index of the input that is the window's largest). Works on a row of outputs at a time,
  // without branches on values.
  template <typename Fn>
  void ForEachWinner(std::span<const float> x, Fn fn) const {
    const Window& w = pool_.w;
    std::vector<float> best(w.out);
    std::vector<int32_t> winner(w.out);  // position in the volume; -1: none yet
    pool_.ForEachOutputRow([&](int64_t o, int64_t base, int64_t od, int64_t oh) {
      std::fill(winner.begin(), winner.end(), -1);
      pool_.ForEachRowInside(od, oh, [&](int64_t row) {
        for (int64_t j = 0; j < w.kernel; ++j) Contest(&x[base + row], row, j, best, winner);
      });
      for (int64_t ow = 0; ow < w.out; ++ow) fn(o + ow, base + winner[ow]);
    });
  }

  // Lets the inputs at kernel column j of one input row, which begins at position `first`, try to win.
  void Contest(const float* in, int64_t first, int64_t j, std::span<float> best, std::span<int32_t> winner) const {
    const Window& w = pool_.w;
    const int64_t shift = j * w.dilation - w.pad_begin;
    const int64_t begin = shift >= 0 ? 0 : (-shift + w.stride - 1) / w.stride;
    const int64_t end = std::min(w.out, w.in <= shift ? 0 : (w.in - shift - 1) / w.stride + 1);
    for (int64_t ow = begin; ow < end; ++ow) {
      const int64_t column = ow * w.stride + shift;
      const float value = in[column];
      const bool wins = (static_cast<int>(winner[ow] < 0) | static_cast<int>(value > best[ow]) |
                         static_cast<int>(value != value)) != 0;
      best[ow] = wins ? value : best[ow];
      winner[ow] = wins ? static_cast<int32_t>(first + column) : winner[ow];
    }
  }

  Pool pool_;
};

// The divisor counts positions inside the input or, with count_include_pad, inside the input and its padding.
class AveragePoolOperator final : public LinearMap {
 public:
  AveragePoolOperator(Shape out, const Pool& pool, bool count_padding)
      : LinearMap(std::move(out)), pool_(pool), count_padding_(count_padding) {}

  absl::Status Prepare() override {
    slice_counts_ = Counts(pool_.d, count_padding_);
    row_counts_ = Counts(pool_.h, count_padding_);
    column_counts_ = Counts(pool_.w, count_padding_);
    return absl::OkStatus();
  }

 private:
  // For each output the number of window positions that count. It is never 0: ParsePool sees to it.
  static std::vector<float> Counts(const Window& w, bool count_padding) {
    std::vector<float> counts(w.out, 0.0F);
    for (int64_t o = 0; o < w.out; ++o) {
      const int64_t end = w.FirstNotBelow(o, count_padding ? w.in + w.pad_end : w.in);
      counts[o] = static_cast<float>(end - (count_padding ? 0 : w.FirstNotBelow(o, 0)));
    }
    return counts;
  }

  void Apply(std::span<const float> x, std::span<float> y) const override {
    pool_.ForEachOutputRow([&](int64_t o, int64_t base, int64_t od, int64_t oh) {
      const float rows = slice_counts_[od] * row_counts_[oh];
      for (int64_t ow = 0; ow < pool_.w.out; ++ow) {
        float sum = 0;
        pool_.ForEachInside(od, oh, ow, [&](int64_t inside) { sum += x[base + inside]; });
        y[o + ow] = sum / (rows * column_counts_[ow]);
      }
    });
  }

  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override {
    std::fill(x.begin(), x.end(), 0.0F);
    pool_.ForEachOutputRow([&](int64_t o, int64_t base, int64_t od, int64_t oh) {
      const float rows = slice_counts_[od] * row_counts_[oh];
      for (int64_t ow = 0; ow < pool_.w.out; ++ow) {
        const float share = y[o + ow] / (rows * column_counts_[ow]);
        pool_.ForEachInside(od, oh, ow, [&](int64_t inside) { x[base + inside] += share; });
      }
    });
  }

  Pool pool_;
  bool count_padding_;
  std::vector<float> slice_counts_;
  std::vector<float> row_counts_;
  std::vector<float> column_counts_;
};

absl::StatusOr<Windows> ParsePool(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  if (request.node.outputs.size() > 1 && request.node.outputs[1] != kNoValue) {
    return Unimplemented("outputs[1]: indices are not supported");
  }
  BITPLAN_ASSIGN_OR_RETURN(const auto kernel, IntsAttribute(request.node, "kernel_shape", {}));
  BITPLAN_ASSIGN_OR_RETURN(Windows windows, ParseWindows(request, kernel));
  for (const Window& w : windows) {
    const int64_t extent = (w.kernel - 1) * w.dilation + 1;
    if (w.pad_begin >= extent || w.pad_end >= extent ||
        (w.dilation > 1 && w.pad_begin + w.pad_end > 0 && w.in < extent)) {
      return Unimplemented("pads: a window could lie in the padding only");
    }
  }
  BITPLAN_RETURN_IF_ERROR(CheckShape(WindowOutputShape(request.shape(0)[0], request.shape(0)[1], windows)));
  return windows;
}

struct Global {
  int64_t planes = 0;
  int64_t plane_size = 0;
};

class GlobalAveragePoolOperator final : public LinearMap {
 public:
  GlobalAveragePoolOperator(Shape out, Global g) : LinearMap(std::move(out)), g_(g) {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override {
    for (int64_t p = 0; p < g_.planes; ++p) {
      double sum = 0;
      for (int64_t i = 0; i < g_.plane_size; ++i) sum += x[p * g_.plane_size + i];
      y[p] = static_cast<float>(sum / static_cast<double>(g_.plane_size));
    }
  }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override {
    for (int64_t p = 0; p < g_.planes; ++p) {
      std::fill_n(x.begin() + p * g_.plane_size, g_.plane_size, y[p] / static_cast<float>(g_.plane_size));
    }
  }

  Global g_;
};

// Of equal values the first one counts; NaN wins.
class GlobalMaxPoolOperator final : public Operator {
 public:
  GlobalMaxPoolOperator(Shape out, Global g) : Operator(std::move(out)), g_(g) {}

  void Forward(Reads x, Writes y) const override {
    for (int64_t p = 0; p < g_.planes; ++p) y[0][p] = x[0][Winner(x[0], p)];
  }
  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    for (int64_t p = 0; p < g_.planes; ++p) y_dot[0][p] = x_dot[0][Winner(primal.x[0], p)];
  }
  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    std::fill(x_bar[0].begin(), x_bar[0].end(), 0.0F);
    for (int64_t p = 0; p < g_.planes; ++p) x_bar[0][Winner(primal.x[0], p)] = y_bar[0][p];
  }

 private:
  int64_t Winner(std::span<const float> x, int64_t plane) const {
    int64_t winner = plane * g_.plane_size;
    for (int64_t i = winner; i < (plane + 1) * g_.plane_size; ++i) {
      if (x[i] > x[winner] || x[i] != x[i]) winner = i;
    }
    return winner;
  }

  Global g_;
};

template <typename Op>
MadeOperator MakeGlobal(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  const Shape& x = request.shape(0);
  if (x.size() < 3) return InvalidArgument("inputs[0]: shape {}, want [N, C, spatial]", ToString(x));
  Shape out(x.size(), 1);
  out[0] = x[0];
  out[1] = x[1];
  const int64_t planes = x[0] * x[1];
  return std::make_unique<Op>(std::move(out), Global{.planes = planes, .plane_size = NumElements(x) / planes});
}

}  // namespace

MadeOperator MakeMaxPool(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const Windows windows, ParsePool(request));
  const Shape& x = request.shape(0);
  return std::make_unique<MaxPoolOperator>(WindowOutputShape(x[0], x[1], windows), Pool(x, windows));
}

MadeOperator MakeAveragePool(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const Windows windows, ParsePool(request));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t count_padding, IntAttribute(request.node, "count_include_pad", 0));
  const Shape& x = request.shape(0);
  return std::make_unique<AveragePoolOperator>(WindowOutputShape(x[0], x[1], windows), Pool(x, windows),
                                               count_padding != 0);
}

MadeOperator MakeGlobalAveragePool(const OpRequest& request) { return MakeGlobal<GlobalAveragePoolOperator>(request); }
MadeOperator MakeGlobalMaxPool(const OpRequest& request) { return MakeGlobal<GlobalMaxPoolOperator>(request); }

}  // namespace bitplan::ops
