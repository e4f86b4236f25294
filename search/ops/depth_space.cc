// DepthToSpace and SpaceToDepth: blocks of pixels become channels and back.

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
  const Offsets offsets = {
      {x[0], x[1] * plane}, {channels, channel_step}, {x[2], x[3]}, {block, block * column_step}, {x[3], 1},
      {block, column_step}};
  return MakeIndexMapOperator({x[0], channels, x[2] * block, x[3] * block}, offsets);
}

// y[n, (i b + j) C + c, h, w] = x[n, c, h b + i, w b + j].
MadeOperator MakeSpaceToDepth(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t block, BlockSize(request));
  const Shape& x = request.shape(0);
  if (x[2] % block != 0 || x[3] % block != 0) {
    return InvalidArgument("blocksize: {} does not divide the image of {}", block, ToString(x));
  }
  const int64_t plane = x[2] * x[3];
  const Offsets offsets = {{x[0], x[1] * plane},         {block, x[3]},        {block, 1}, {x[1], plane},
                           {x[2] / block, block * x[3]}, {x[3] / block, block}};
  return MakeIndexMapOperator({x[0], x[1] * block * block, x[2] / block, x[3] / block}, offsets);
}

}  // namespace bitplan::ops
