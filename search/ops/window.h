#ifndef BITPLAN_SEARCH_OPS_WINDOW_H_
#define BITPLAN_SEARCH_OPS_WINDOW_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "search/ops/operator.h"

namespace bitplan::ops {

// One spatial dimension of a sliding window (Conv, pooling).
struct Window {
  int64_t in = 1;
  int64_t out = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0;
  int64_t pad_end = 0;  // as given; ceil_mode may reach further

  // First input position of output o's window; may lie in the padding.
  int64_t Start(int64_t o) const { return o * stride - pad_begin; }
  // Kernel positions FirstNotBelow(o, 0) .. FirstNotBelow(o, in) - 1 of output o lie inside the input: the first one
  // whose input position is not below `limit`, at most `kernel`.
  int64_t FirstNotBelow(int64_t o, int64_t limit) const {
    const int64_t distance = limit - Start(o);
    return distance <= 0 ? 0 : std::min(kernel, (distance + dilation - 1) / dilation);
  }
};

// One to three spatial dimensions, outermost first.
using Windows = std::vector<Window>;

// Reads strides, dilations, pads, auto_pad and ceil_mode of a node whose input 0 is [N, C, spatial..] and whose kernel
// has the given sizes. A window that would start in the padding at the end is left out (ceil_mode).
// Errors: kInvalidArgument for sizes that do not fit; kUnimplemented for other than 1 to 3 spatial dimensions.
absl::StatusOr<Windows> ParseWindows(const OpRequest& request, const std::vector<int64_t>& kernel);

// The same for ConvTranspose, which also reads output_padding and output_shape, as the windows of the convolution that
// it is the transpose of: Window::out is the size of input 0, Window::in the size of the output.
absl::StatusOr<Windows> ParseTransposedWindows(const OpRequest& request, const std::vector<int64_t>& kernel);

// [n, c, windows' out sizes].
Shape WindowOutputShape(int64_t n, int64_t c, const Windows& windows);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_WINDOW_H_
