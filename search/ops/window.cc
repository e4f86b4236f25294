#include "search/ops/window.h"

#include <algorithm>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

// Larger strides, dilations and pads have no use and could overflow sums.
constexpr int64_t kMaxWindowParameter = int64_t{1} << 24;

absl::Status CheckList(std::string_view name, const std::vector<int64_t>& list, size_t size, int64_t low) {
  if (list.size() != size) return InvalidArgument("{}: got {} entries, want {}", name, list.size(), size);
  for (const int64_t entry : list) {
    if (entry < low || entry > kMaxWindowParameter) {
      return InvalidArgument("{}: got {}, want {}..{}", name, entry, low, kMaxWindowParameter);
    }
  }
  return absl::OkStatus();
}

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// SAME: as many outputs as strides fit; the padding is split evenly, the odd one goes to the end (upper) or begin.
void PadSame(bool upper, Window& w) {
  const int64_t out = CeilDivide(w.in, w.stride);
  const int64_t total = std::max<int64_t>(0, (out - 1) * w.stride + (w.kernel - 1) * w.dilation + 1 - w.in);
  w.pad_begin = upper ? total / 2 : total - total / 2;
  w.pad_end = total - w.pad_begin;
}

absl::Status SetOutputSize(bool ceil_mode, Window& w) {
  const int64_t extent = (w.kernel - 1) * w.dilation + 1;
  const int64_t room = w.in + w.pad_begin + w.pad_end - extent;
  if (room < 0) {
    return InvalidArgument("a window of {} does not fit an input of {} padded by {} and {}", extent, w.in, w.pad_begin,
                           w.pad_end);
  }
  w.out = (ceil_mode ? CeilDivide(room, w.stride) : room / w.stride) + 1;
  if (ceil_mode && w.Start(w.out - 1) >= w.in) --w.out;
  return absl::OkStatus();
}

absl::Status SetPads(const OpRequest& request, Windows& windows) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string auto_pad, StringAttribute(request.node, "auto_pad", "NOTSET"));
  const size_t rank = windows.size();
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    for (Window& w : windows) PadSame(auto_pad == "SAME_UPPER", w);
  } else if (auto_pad == "NOTSET") {
    BITPLAN_ASSIGN_OR_RETURN(const auto pads, IntsAttribute(request.node, "pads", std::vector<int64_t>(2 * rank, 0)));
    BITPLAN_RETURN_IF_ERROR(CheckList("pads", pads, 2 * rank, 0));
    for (size_t d = 0; d < rank; ++d) {
      windows[d].pad_begin = pads[d];
      windows[d].pad_end = pads[d + rank];
    }
  } else if (auto_pad != "VALID") {
    return InvalidArgument("auto_pad: got '{}', want NOTSET, SAME_UPPER, SAME_LOWER or VALID", auto_pad);
  }
  return absl::OkStatus();
}

// Strides, dilations and kernel; sizes and padding are still to be set.
absl::StatusOr<Windows> ReadWindows(const OpRequest& request, const std::vector<int64_t>& kernel) {
  const Shape& x = request.shape(0);
  if (x.size() < 3 || x.size() > 5) {
    return Unimplemented("inputs[0]: shape {}, want [N, C, W], [N, C, H, W] or [N, C, D, H, W]", ToString(x));
  }
  const size_t rank = x.size() - 2;
  const std::vector<int64_t> ones(rank, 1);
  BITPLAN_ASSIGN_OR_RETURN(const auto strides, IntsAttribute(request.node, "strides", ones));
  BITPLAN_ASSIGN_OR_RETURN(const auto dilations, IntsAttribute(request.node, "dilations", ones));
  BITPLAN_RETURN_IF_ERROR(CheckList("kernel_shape", kernel, rank, 1));
  BITPLAN_RETURN_IF_ERROR(CheckList("strides", strides, rank, 1));
  BITPLAN_RETURN_IF_ERROR(CheckList("dilations", dilations, rank, 1));
  Windows windows(rank);
  for (size_t d = 0; d < rank; ++d) {
    windows[d] = Window{.kernel = kernel[d], .stride = strides[d], .dilation = dilations[d]};
  }
  return windows;
}

// What a transposed convolution cuts off to reach a size; an odd rest goes to the end (upper) or the beginning.
void SplitPadding(bool upper, int64_t total, Window& w) {
  total = std::max<int64_t>(total, 0);
  w.pad_begin = upper ? total / 2 : total - total / 2;
  w.pad_end = total - w.pad_begin;
}

}  // namespace

absl::StatusOr<Windows> ParseWindows(const OpRequest& request, const std::vector<int64_t>& kernel) {
  BITPLAN_ASSIGN_OR_RETURN(Windows windows, ReadWindows(request, kernel));
  for (size_t d = 0; d < windows.size(); ++d) windows[d].in = request.shape(0)[d + 2];
  BITPLAN_ASSIGN_OR_RETURN(const int64_t ceil_mode, IntAttribute(request.node, "ceil_mode", 0));
  BITPLAN_RETURN_IF_ERROR(SetPads(request, windows));
  for (Window& w : windows) BITPLAN_RETURN_IF_ERROR(SetOutputSize(ceil_mode != 0, w));
  return windows;
}

absl::StatusOr<Windows> ParseTransposedWindows(const OpRequest& request, const std::vector<int64_t>& kernel) {
  BITPLAN_ASSIGN_OR_RETURN(Windows windows, ReadWindows(request, kernel));
  const size_t rank = windows.size();
  const std::vector<int64_t> zeros(rank, 0);
  BITPLAN_ASSIGN_OR_RETURN(const auto output_padding, IntsAttribute(request.node, "output_padding", zeros));
  BITPLAN_ASSIGN_OR_RETURN(auto output_shape, IntsAttribute(request.node, "output_shape", {}));
  BITPLAN_ASSIGN_OR_RETURN(const std::string auto_pad, StringAttribute(request.node, "auto_pad", "NOTSET"));
  BITPLAN_RETURN_IF_ERROR(CheckList("output_padding", output_padding, rank, 0));
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  for (size_t d = 0; d < rank; ++d) windows[d].out = request.shape(0)[d + 2];
  if (same && output_shape.empty()) {
    for (const Window& w : windows) output_shape.push_back(w.out * w.stride);
  }
  if (output_shape.size() == rank + 2) output_shape.erase(output_shape.begin(), output_shape.begin() + 2);
  if (output_shape.empty()) {
    BITPLAN_RETURN_IF_ERROR(SetPads(request, windows));
  } else {
    BITPLAN_RETURN_IF_ERROR(CheckList("output_shape", output_shape, rank, 1));
  }
  for (size_t d = 0; d < rank; ++d) {
    Window& w = windows[d];
    const int64_t whole = (w.out - 1) * w.stride + output_padding[d] + (w.kernel - 1) * w.dilation + 1;
    if (!output_shape.empty()) SplitPadding(auto_pad == "SAME_UPPER", whole - output_shape[d], w);
    w.in = output_shape.empty() ? whole - w.pad_begin - w.pad_end : output_shape[d];
    if (w.in < 1) return InvalidArgument("pads: {} and {} leave nothing of {}", w.pad_begin, w.pad_end, whole);
  }
  return windows;
}

Shape WindowOutputShape(int64_t n, int64_t c, const Windows& windows) {
  Shape shape = {n, c};
  for (const Window& w : windows) shape.push_back(w.out);
  return shape;
}

}  // namespace bitplan::ops
