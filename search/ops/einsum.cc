// Einsum of one or two operands, as transposes, sums, reshapes and one batched product:
//   A [batch, rows, contracted] * B [batch, contracted, columns] = [batch, rows, columns],
// where batch labels are in both operands and in the result, contracted ones in both and not in the result.

#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/ops/lowering.h"

namespace bitplan::ops {
namespace {

constexpr int64_t kAxesAreInputs = 13;

// One letter a dimension; the dimensions of an ellipsis are the digits 0, 1, .., so that the last is always the same.
using Labels = std::string;

struct Equation {
  std::vector<Labels> operands;
  Labels result;
};

bool Contains(const Labels& labels, char label) { return labels.find(label) != Labels::npos; }

Labels Select(const Labels& labels, const auto& predicate) {
  Labels kept;
  std::ranges::copy_if(labels, std::back_inserter(kept), predicate);
  return kept;
}

// "..." as the last `count` of the digits 9 - count + 1 .. 9.
absl::StatusOr<Labels> ExpandEllipsis(std::string term, int64_t count) {
  const size_t at = term.find("...");
  if (at != std::string::npos) {
    if (count < 0 || count > 9) return InvalidArgument("equation: an ellipsis of {} dimensions", count);
    Labels digits;
    for (int64_t i = 10 - count; i < 10; ++i) digits += static_cast<char>('0' + i);
    term.replace(at, 3, digits);
  }
  for (const char c : term) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalpha(letter) == 0 && (at == std::string::npos || std::isdigit(letter) == 0)) {
      return InvalidArgument("equation: '{}' is no label", c);
    }
  }
  return term;
}

int64_t NumLetters(const std::string& term) {
  return std::ranges::count_if(term, [](unsigned char c) { return std::isalpha(c) != 0; });
}

// Without an arrow: the ellipsis, then in alphabetical order the labels that occur once.
Labels ImplicitResult(const std::vector<Labels>& operands) {
  std::map<char, int> counts;
  for (const Labels& operand : operands) {
    for (const char label : operand) ++counts[label];
  }
  Labels result;
  for (const auto& [label, count] : counts) {
    if (std::isdigit(static_cast<unsigned char>(label)) != 0 || count == 1) result += label;
  }
  return result;
}

absl::StatusOr<Equation> ParseEquation(std::string text, const std::vector<Shape>& shapes) {
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  const std::string left = text.substr(0, arrow);
  std::vector<std::string> terms(1);
  for (const char c : left) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  if (terms.size() != shapes.size()) {
    return InvalidArgument("equation: '{}' has {} operands, the node {}", text, terms.size(), shapes.size());
  }
  Equation equation;
  int64_t longest = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    const int64_t hidden = static_cast<int64_t>(shapes[i].size()) - NumLetters(terms[i]);
    longest = std::max(longest, hidden);
    BITPLAN_ASSIGN_OR_RETURN(equation.operands.emplace_back(), ExpandEllipsis(terms[i], hidden));
    if (equation.operands.back().size() != shapes[i].size()) {
      return InvalidArgument("equation: '{}' for an operand of shape {}", terms[i], ToString(shapes[i]));
    }
  }
  if (arrow == std::string::npos) {
    equation.result = ImplicitResult(equation.operands);
  } else {
    BITPLAN_ASSIGN_OR_RETURN(equation.result, ExpandEllipsis(text.substr(arrow + 2), longest));
  }
  return equation;
}

absl::Status CheckLabels(const Equation& equation) {
  const auto repeats = [](Labels labels) {
    std::ranges::sort(labels);
    return std::ranges::adjacent_find(labels) != labels.end();
  };
  for (const Labels& operand : equation.operands) {
    if (repeats(operand)) return Unimplemented("equation: a label twice in one operand (a diagonal)");
  }
  if (repeats(equation.result)) return InvalidArgument("equation: a label twice in the result");
  for (const char label : equation.result) {
    if (std::ranges::none_of(equation.operands, [&](const Labels& o) { return Contains(o, label); })) {
      return InvalidArgument("equation: label '{}' of the result is in no operand", label);
    }
  }
  return absl::OkStatus();
}

// A value with a label for each dimension.
struct Labelled {
  ValueId id = kNoValue;
  Labels labels;
};

class Contraction {
 public:
  explicit Contraction(NodeWriter& writer) : writer_(writer) {}

  // Sums over the labels that are not in `kept`.
  absl::StatusOr<Labelled> SumOthers(const Labelled& x, const Labels& kept) {
    std::vector<int64_t> axes;
    for (size_t i = 0; i < x.labels.size(); ++i) {
      if (!Contains(kept, x.labels[i])) axes.push_back(static_cast<int64_t>(i));
    }
    if (axes.empty()) return x;
    Labelled sum{.labels = Select(x.labels, [&](char label) { return Contains(kept, label); })};
    Attributes attributes = {{"keepdims", int64_t{0}}};
    std::vector<ValueId> inputs = {x.id};
    if (writer_.opset_version() < kAxesAreInputs) {
      attributes["axes"] = axes;
    } else {
      const auto count = static_cast<int64_t>(axes.size());
      inputs.push_back(writer_.AddConstant(IntTensor{.shape = {count}, .data = std::move(axes)}));
    }
    BITPLAN_ASSIGN_OR_RETURN(sum.id, writer_.AddNode("ReduceSum", std::move(inputs), std::move(attributes)));
    return sum;
  }

  absl::StatusOr<Labelled> Order(const Labelled& x, const Labels& order) {
    if (x.labels == order) return x;
    std::vector<int64_t> perm;
    for (const char label : order) perm.push_back(static_cast<int64_t>(x.labels.find(label)));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId id, writer_.Transpose(x.id, std::move(perm)));
    return Labelled{.id = id, .labels = order};
  }

  absl::StatusOr<Labelled> Multiply(const Labelled& a, const Labelled& b, const Labels& result);

 private:
  // Remembers the size of each label; a size of 1 gives way.
  absl::Status NoteSizes(const Labelled& x) {
    const Shape shape = writer_.shape(x.id);
    for (size_t i = 0; i < shape.size(); ++i) {
      int64_t& size = sizes_.try_emplace(x.labels[i], shape[i]).first->second;
      if (size == 1) size = shape[i];
      if (shape[i] != size && shape[i] != 1) {
        return InvalidArgument("equation: label '{}' has the sizes {} and {}", x.labels[i], size, shape[i]);
      }
      if (shape[i] != size && std::isdigit(static_cast<unsigned char>(x.labels[i])) == 0) {
        return Unimplemented("equation: label '{}' with sizes 1 and {}", x.labels[i], size);
      }
    }
    return absl::OkStatus();
  }

  // The product of the labels' sizes; -1, which Reshape resolves, if the number of samples is among them.
  int64_t Merged(const Labels& labels) const {
    int64_t product = 1;
    for (const char label : labels) product = sizes_.at(label) == kDynamic ? kDynamic : product * sizes_.at(label);
    return std::ranges::any_of(labels, [&](char l) { return sizes_.at(l) == kDynamic; }) ? kDynamic : product;
  }

  // The dimensions of `first` and of `second` merged into one each, behind those of `batch`.
  absl::StatusOr<ValueId> Merge(const Labelled& x, const Labels& batch, const Labels& first, const Labels& second) {
    if (first.size() == 1 && second.size() == 1) return x.id;
    std::vector<int64_t> target(batch.size(), 0);
    target.push_back(Merged(first));
    target.push_back(Merged(second));
    return writer_.Reshape(x.id, std::move(target));
  }

  NodeWriter& writer_;
  std::map<char, int64_t> sizes_;
};

absl::StatusOr<Labelled> Contraction::Multiply(const Labelled& a, const Labelled& b, const Labels& result) {
  BITPLAN_RETURN_IF_ERROR(NoteSizes(a));
  BITPLAN_RETURN_IF_ERROR(NoteSizes(b));
  const auto in_b = [&](char label) { return Contains(b.labels, label); };
  const auto in_result = [&](char label) { return Contains(result, label); };
  const Labels batch = Select(a.labels, [&](char label) { return in_b(label) && in_result(label); });
  const Labels contracted = Select(a.labels, [&](char label) { return in_b(label) && !in_result(label); });
  const Labels rows = Select(a.labels, [&](char label) { return !in_b(label); });
  const Labels columns = Select(b.labels, [&](char label) { return !Contains(a.labels, label); });
  BITPLAN_ASSIGN_OR_RETURN(const Labelled left, Order(a, batch + rows + contracted));
  BITPLAN_ASSIGN_OR_RETURN(const Labelled right, Order(b, batch + contracted + columns));
  BITPLAN_ASSIGN_OR_RETURN(const ValueId left_matrix, Merge(left, batch, rows, contracted));
  BITPLAN_ASSIGN_OR_RETURN(const ValueId right_matrix, Merge(right, batch, contracted, columns));
  BITPLAN_ASSIGN_OR_RETURN(ValueId product, writer_.AddNode("MatMul", {left_matrix, right_matrix}, {}));
  if (rows.size() != 1 || columns.size() != 1) {
    std::vector<int64_t> target(batch.size(), 0);
    for (const char label : rows + columns) target.push_back(sizes_.at(label));
    BITPLAN_ASSIGN_OR_RETURN(product, writer_.Reshape(product, std::move(target)));
  }
  return Labelled{.id = product, .labels = batch + rows + columns};
}

}  // namespace

absl::StatusOr<std::vector<ValueId>> LowerEinsum(const Node& node, NodeWriter& writer) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string text, StringAttribute(node, "equation", ""));
  if (node.inputs.empty() || node.inputs.size() > 2) return Unimplemented("{} operands", node.inputs.size());
  std::vector<Shape> shapes;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) return InvalidArgument("inputs: an operand is missing");
    shapes.push_back(writer.shape(id));
  }
  BITPLAN_ASSIGN_OR_RETURN(const Equation equation, ParseEquation(text, shapes));
  BITPLAN_RETURN_IF_ERROR(CheckLabels(equation));
  Contraction contraction(writer);
  Labelled result{.id = node.inputs[0], .labels = equation.operands[0]};
  const Labels others = equation.operands.size() > 1 ? equation.operands[1] : Labels();
  BITPLAN_ASSIGN_OR_RETURN(result, contraction.SumOthers(result, equation.result + others));
  if (equation.operands.size() > 1) {
    Labelled right{.id = node.inputs[1], .labels = others};
    BITPLAN_ASSIGN_OR_RETURN(right, contraction.SumOthers(right, equation.result + result.labels));
    BITPLAN_ASSIGN_OR_RETURN(result, contraction.Multiply(result, right, equation.result));
  }
  BITPLAN_ASSIGN_OR_RETURN(result, contraction.Order(result, equation.result));
  return std::vector<ValueId>{result.id};
}

}  // namespace bitplan::ops
