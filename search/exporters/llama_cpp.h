#ifndef BITPLAN_SEARCH_EXPORTERS_LLAMA_CPP_H_
#define BITPLAN_SEARCH_EXPORTERS_LLAMA_CPP_H_

#include <string>
#include <string_view>

#include "search/exporters/exporter_table.h"
#include "search/layer/layer.h"

namespace bitplan::exporters {

// The file of llama-quantize --tensor-type-file: one line "regular expression=type" for each layer. Types by width, as
// the length of the weight's rows allows:
//
//   rows in blocks of 256   1, 2: q2_K   3: q3_K   4: q4_K   5: q5_K   6: q6_K   7, 8: q8_0
//   rows in blocks of 32    1..4: q4_0, affine q4_1   5: q5_0, affine q5_1   6..8: q8_0; mxfp4 as it is
//   everything else         f16: other rows, more than 8 bits, weights that are no matrix
absl::StatusOr<Exported> WriteLlamaCpp(const ExportRequest& request, const RunContext& context);

// The name of a layer's tensor in GGUF files: of the modules of Llama-like and GPT-2-like checkpoints of Hugging Face
// ("model.layers.3.mlp.up_proj" is "blk.3.ffn_up.weight"); empty for other names.
std::string GgufName(std::string_view layer);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_LLAMA_CPP_H_
