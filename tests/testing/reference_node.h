#ifndef BITPLAN_TESTS_TESTING_REFERENCE_NODE_H_
#define BITPLAN_TESTS_TESTING_REFERENCE_NODE_H_

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "search/graph/graph.h"
#include "tests/testing/scalar_tape.h"

// What the operations of the reference network (reference_network.h) are written with: tensors of any scalar type and a
// node with its inputs at hand.
namespace bitplan::testing {

using Index = std::vector<int64_t>;
using Ints = std::vector<int64_t>;

[[noreturn]] inline void Die(const std::string& what) {
  std::cerr << "reference network: " << what << "\n";
  std::abort();
}

template <typename T>
struct Array {
  Shape shape;
  std::vector<T> data;

  explicit Array(Shape s = {}) : shape(std::move(s)), data(NumElements(shape), T(0.0)) {}
  T& At(const Index& index) { return data[Offset(index)]; }
  const T& At(const Index& index) const { return data[Offset(index)]; }

 private:
  int64_t Offset(const Index& index) const {
    int64_t offset = 0;
    for (size_t d = 0; d < shape.size(); ++d) offset = offset * shape[d] + index[d];
    return offset;
  }
};

inline void ForEachIndex(const Shape& shape, const std::function<void(const Index&)>& fn) {
  Index index(shape.size(), 0);
  for (int64_t n = 0; n < NumElements(shape); ++n) {
    fn(index);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

// A node whose inputs have been computed.
template <typename T>
struct NodeInputs {
  const Graph& graph;
  const Node& node;
  const std::vector<Array<T>>& values;

  bool Has(size_t i) const { return i < node.inputs.size() && node.inputs[i] != kNoValue; }
  const Array<T>& In(size_t i) const { return values[node.inputs[i]]; }
  Ints IntsIn(size_t i) const { return std::get<IntTensor>(graph.values[node.inputs[i]].constant).data; }

  int64_t Int(const char* name, int64_t fallback) const { return *IntAttribute(node, name, fallback); }
  double Float(const char* name, double fallback) const {
    return *FloatAttribute(node, name, static_cast<float>(fallback));
  }
  Ints List(const char* name, const Ints& fallback) const { return *IntsAttribute(node, name, fallback); }
  bool Is(const char* op_type) const { return node.op_type == op_type; }
  std::string Text(const char* name, const char* fallback) const { return *StringAttribute(node, name, fallback); }
  int64_t rank() const { return static_cast<int64_t>(In(0).shape.size()); }
  // `axis` counted from the end where negative.
  int64_t Axis(const char* name, int64_t fallback) const {
    const int64_t axis = Int(name, fallback);
    return axis < 0 ? axis + rank() : axis;
  }

  static Shape Broadcast(const Shape& a, const Shape& b) {
    Shape out(std::max(a.size(), b.size()), 1);
    for (size_t d = 0; d < out.size(); ++d) {
      const int64_t size_a = d < a.size() ? a[a.size() - 1 - d] : 1;
      const int64_t size_b = d < b.size() ? b[b.size() - 1 - d] : 1;
      out[out.size() - 1 - d] = std::max(size_a, size_b);
    }
    return out;
  }
  // The index into a tensor of `shape` for an index into a tensor it broadcasts to.
  static Index Fold(const Index& index, const Shape& shape) {
    Index folded(index.end() - static_cast<int64_t>(shape.size()), index.end());
    for (size_t d = 0; d < shape.size(); ++d) folded[d] = shape[d] == 1 ? 0 : folded[d];
    return folded;
  }

  Ints Axes(int64_t input_since, int64_t rank) const {
    Ints axes = graph.opset_version < input_since ? List("axes", {}) : (Has(1) ? IntsIn(1) : Ints());
    for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
    return axes;
  }
  static bool Contains(const Ints& list, int64_t value) { return std::ranges::find(list, value) != list.end(); }
};

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_REFERENCE_NODE_H_
