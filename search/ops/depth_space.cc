// DepthToSpace and SpaceToDepth: blocks of pixels become channels and back.

#include <utility>

#include "search/base/status.h"
#include "search/ops/index_map.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

absl::StatusOr<int64_t> BlockSize(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  if (request.rank(0) != 4) {
    return InvalidArgument("inputs[0]: shape {}, want [N, C, H, W]", ToString(request.shape(0)));
  }
  constexpr int64_t kMaxBlock = 1 << 15;  // its square is far below overflow
  BITPLAN_ASSIGN_OR_RETURN(const int64_t block, IntAttribute(request.node, "blocksize", 0));
  if (block < 1 || block > kMaxBlock) return InvalidArgument("blocksize: got {}, want 1..{}", block, kMaxBlock);
  return block;
}

// Offsets of `size` outputs that are `inner` neighbours of step `inner_step` in each of size / inner steps of
// `outer_step`.
std::vector<int64_t> TwoLevels(int64_t size, int64_t inner, int64_t inner_step, int64_t outer_step) {
  std::vector<int64_t> offsets(size);
  for (int64_t i = 0; i < size; ++i) offsets[i] = i / inner * outer_step + i % inner * inner_step;
  return offsets;
}

}  // namespace

// y[n, c, h b + i, w b + j] = x[n, (i b + j) C + c, h, w], or x[n, c b^2 + i b + j, h, w] in mode CRD.
MadeOperator MakeDepthToSpace(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t block, BlockSize(request));
  BITPLAN_ASSIGN_OR_RETURN(const std::string mode, StringAttribute(request.node, "mode", "DCR"));
  if (mode != "DCR" && mode != "CRD") return InvalidArgument("mode: got '{}', want DCR or CRD", mode);
  const Shape& x = request.shape(0);
  if (x[1] % (block * block) != 0) {
    return InvalidArgument("blocksize: {} does not fit {} channels", block, x[1]);
  }
  const int64_t channels = x[1] / (block * block);
  const int64_t plane = x[2] * x[3];
  const int64_t column_step = (mode == "DCR" ? channels : 1) * plane;  // from j to j + 1
  const int64_t channel_step = (mode == "DCR" ? 1 : block * block) * plane;
  return MakeIndexMapOperator({AllOffsets(x[0], x[1] * plane), AllOffsets(channels, channel_step),
                               TwoLevels(x[2] * block, block, block * column_step, x[3]),
                               TwoLevels(x[3] * block, block, column_step, 1)});
}

// y[n, (i b + j) C + c, h, w] = x[n, c, h b + i, w b + j].
MadeOperator MakeSpaceToDepth(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t block, BlockSize(request));
  const Shape& x = request.shape(0);
  if (x[2] % block != 0 || x[3] % block != 0) {
    return InvalidArgument("blocksize: {} does not divide the image of {}", block, ToString(x));
  }
  const int64_t plane = x[2] * x[3];
  std::vector<int64_t> channels;
  for (int64_t i = 0; i < block; ++i) {
    for (int64_t j = 0; j < block; ++j) {
      for (int64_t c = 0; c < x[1]; ++c) channels.push_back(c * plane + i * x[3] + j);
    }
  }
  return MakeIndexMapOperator({AllOffsets(x[0], x[1] * plane), std::move(channels),
                               AllOffsets(x[2] / block, block * x[3]), AllOffsets(x[3] / block, block)});
}

}  // namespace bitplan::ops
