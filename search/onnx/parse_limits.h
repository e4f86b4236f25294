#ifndef BITPLAN_SEARCH_ONNX_PARSE_LIMITS_H_
#define BITPLAN_SEARCH_ONNX_PARSE_LIMITS_H_

#include <cstdint>

namespace bitplan::onnx {

// What a model from a stranger may cost. Everything over a limit is kInvalidArgument and says which limit.
struct ParseLimits {
  // ONNX files proper end at 2 GiB (protobuf); half a gibibyte is 128 million float weights.
  int64_t max_file_bytes = int64_t{512} << 20;
  // Messages, strings and single numbers in the file. An empty message takes 2 bytes of file and up to 250 of memory;
  // with half a million of them the parser stays under 125 MiB. Networks have 10 to 20 a node.
  int64_t max_wire_elements = 500'000;
  // Estimated memory of the parsed file: lengths of strings, 8 bytes for each packed number.
  int64_t max_parsed_bytes = int64_t{1} << 30;
  // Whole-network passes keep values for each node; published CNNs and transformers have up to 10,000.
  int64_t max_nodes = 20'000;
  // Graphs inside each other: the branches of If. Exporters write up to 4; protobuf stops at 33.
  int64_t max_graph_depth = 16;
  // Dimensions of any tensor; kernels are written for up to 5, the specification names no limit.
  int64_t max_rank = 8;
  // Elements of one weight tensor (1 GiB as float).
  int64_t max_tensor_elements = int64_t{1} << 28;
  // Elements of one value computed for one sample (256 MiB as float): an input of 100000 x 100000 is a mistake.
  int64_t max_activation_elements = int64_t{1} << 26;
  // Elements of all values computed for one sample. Hessian products keep four floats for each: 16 GiB.
  int64_t max_total_activation_elements = int64_t{1} << 30;
  // Elements of all constants that folding makes beside those of the file (64 MiB as float).
  int64_t max_folded_elements = int64_t{1} << 24;
  // Elements that evaluating constants at import may read (two seconds): means of a large constant are small, so what
  // folding makes does not bound what it reads.
  int64_t max_folded_reads = int64_t{1} << 30;
  // Bytes of a name. Names come back in plans, tables and error messages.
  int64_t max_name_bytes = 1024;
};

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_PARSE_LIMITS_H_
