#ifndef BITPLAN_SEARCH_OPS_LOWERING_H_
#define BITPLAN_SEARCH_OPS_LOWERING_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"

namespace bitplan::ops {

// Some operators are no kernels of their own: the importer writes simpler nodes in their place, which brings exact
// derivatives of every order (Einsum, LSTM, GRU, RNN; OpEntry::lower). This is the graph they are written into.
class NodeWriter {
 public:
  explicit NodeWriter(int64_t opset_version) : opset_version_(opset_version) {}
  virtual ~NodeWriter() = default;

  int64_t opset_version() const { return opset_version_; }
  // kDynamic for sizes that depend on the number of samples.
  virtual Shape shape(ValueId id) const = 0;
  // Valid until the next value is added.
  virtual const Value& value(ValueId id) const = 0;
  virtual ValueId AddConstant(std::variant<Tensor, IntTensor> constant) = 0;
  // Adds a node with one output, which is returned: another id where it was evaluated at once.
  virtual absl::StatusOr<ValueId> AddNode(const std::string& op_type, std::vector<ValueId> inputs,
                                          Attributes attributes) = 0;

  // The nodes that lowerings are made of, as the operator set version writes them.
  absl::StatusOr<ValueId> Transpose(ValueId x, std::vector<int64_t> perm);
  absl::StatusOr<ValueId> Unsqueeze(ValueId x, std::vector<int64_t> axes);
  // Entries `indices` along `axis`.
  absl::StatusOr<ValueId> Pick(ValueId x, int64_t axis, std::vector<int64_t> indices);
  // Entry `index` along `axis`, which goes away.
  absl::StatusOr<ValueId> PickOne(ValueId x, int64_t axis, int64_t index);
  absl::StatusOr<ValueId> Concat(std::vector<ValueId> parts, int64_t axis);
  absl::StatusOr<ValueId> Reshape(ValueId x, std::vector<int64_t> target);

 private:
  int64_t opset_version_;
};

// Writes nodes in place of `node` and returns the values that stand for its outputs, in their order; kNoValue for those
// that nobody reads. Errors as MakeOperator's, without the node's name.
using LowerFunction = absl::StatusOr<std::vector<ValueId>> (*)(const Node& node, NodeWriter& writer);

absl::StatusOr<std::vector<ValueId>> LowerEinsum(const Node& node, NodeWriter& writer);
absl::StatusOr<std::vector<ValueId>> LowerGru(const Node& node, NodeWriter& writer);
absl::StatusOr<std::vector<ValueId>> LowerLstm(const Node& node, NodeWriter& writer);
absl::StatusOr<std::vector<ValueId>> LowerRnn(const Node& node, NodeWriter& writer);

// The graph with all such nodes replaced: what the importer does, for graphs made by hand.
absl::StatusOr<Graph> LowerAll(Graph graph);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_LOWERING_H_
