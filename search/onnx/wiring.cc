#include "search/onnx/wiring.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/topology.h"

namespace bitplan::onnx {
namespace {

// A cycle longer than this is cut in the message.
constexpr size_t kMaxNamedCycle = 8;

class Wirer {
 public:
  Wirer(const onnx_wire::GraphProto& graph, const WireScope& scope, NodeNames& names, const ParseLimits& limits)
      : graph_(graph), names_(names), limits_(limits) {
    wiring_.first_id = scope.first_id;
    wiring_.outer = scope.outer;
  }

  absl::StatusOr<Wiring> Run() {
    BITPLAN_RETURN_IF_ERROR(DefineInitializers());
    BITPLAN_RETURN_IF_ERROR(DefineInputs());
    BITPLAN_RETURN_IF_ERROR(DefineNodeOutputs());
    BITPLAN_RETURN_IF_ERROR(ResolveNodeInputs());
    BITPLAN_RETURN_IF_ERROR(ResolveOutputs());
    BITPLAN_RETURN_IF_ERROR(SortNodes());
    return std::move(wiring_);
  }

 private:
  absl::Status CheckName(std::string_view name, std::string_view where) const {
    if (static_cast<int64_t>(name.size()) > limits_.max_name_bytes) {
      return InvalidArgument("onnx: {}: a name of {} bytes, want at most {}", where, name.size(),
                             limits_.max_name_bytes);
    }
    if (!IsPlainText(name)) {
      return InvalidArgument("onnx: {}: name '{}' is not plain UTF-8", where, Printable(name));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ValueId> Define(const std::string& name, const std::string& where) {
    BITPLAN_RETURN_IF_ERROR(CheckName(name, where));
    if (name.empty()) return InvalidArgument("onnx: {}: has no name", where);
    const auto id = static_cast<ValueId>(wiring_.first_id + wiring_.value_names.size());
    if (!wiring_.ids.emplace(name, id).second)
      return InvalidArgument("onnx: {}: value '{}' is defined twice", where, name);
    wiring_.value_names.push_back(name);
    return id;
  }

  absl::Status DefineInitializers() {
    for (int i = 0; i < graph_.initializer_size(); ++i) {
      BITPLAN_ASSIGN_OR_RETURN(const ValueId id,
                               Define(graph_.initializer(i).name(), fmt::format("initializer[{}]", i)));
      wiring_.initializers.push_back(id);
    }
    return absl::OkStatus();
  }

  // Before IR version 4 initializers were listed as inputs too: they are weights, not inputs.
  absl::Status DefineInputs() {
    std::set<std::string_view> seen;
    for (int i = 0; i < graph_.input_size(); ++i) {
      const std::string& name = graph_.input(i).name();
      if (!seen.insert(name).second) {
        return InvalidArgument("onnx: input[{}]: '{}' is listed twice", i, Printable(name));
      }
      if (wiring_.ids.contains(name)) continue;
      BITPLAN_ASSIGN_OR_RETURN(const ValueId id, Define(name, fmt::format("input[{}]", i)));
      wiring_.inputs.push_back(i);
      wiring_.input_values.push_back(id);
    }
    return absl::OkStatus();
  }

  absl::Status DefineNodeOutputs() {
    for (int i = 0; i < graph_.node_size(); ++i) {
      const onnx_wire::NodeProto& node = graph_.node(i);
      const std::string where = fmt::format("node[{}]", i);
      for (const std::string* text : {&node.name(), &node.op_type(), &node.domain()}) {
        BITPLAN_RETURN_IF_ERROR(CheckName(*text, where));
      }
      if (node.op_type().empty()) return InvalidArgument("onnx: {}: has no op_type", where);
      Wiring::NodeEnds ends{.name = UniqueNodeName(node, i)};
      for (const std::string& name : node.output()) {
        ValueId id = kNoValue;
        if (!name.empty()) {
          BITPLAN_ASSIGN_OR_RETURN(id, Define(name, fmt::format("{} '{}'", where, ends.name)));
          producers_.emplace(id, i);
        }
        ends.outputs.push_back(id);
      }
      wiring_.nodes.push_back(std::move(ends));
    }
    return absl::OkStatus();
  }

  std::string UniqueNodeName(const onnx_wire::NodeProto& node, int index) {
    return names_.Unique(node.name().empty() ? fmt::format("{}_{}", node.op_type(), index) : node.name());
  }

  absl::StatusOr<ValueId> Resolve(const std::string& name, std::string_view where) const {
    const ValueId id = wiring_.Find(name);
    if (id == kNoValue) return InvalidArgument("onnx: {}: value '{}' is not defined anywhere", where, Printable(name));
    return id;
  }

  // Adds what `graph` reads and does not define. Names that nobody defines are reported when the graph is wired.
  void AddCaptured(const onnx_wire::GraphProto& graph,
                   std::vector<ValueId>& captured) const {  // NOLINT(misc-no-recursion)
    std::set<std::string_view> own;
    for (const auto& tensor : graph.initializer()) own.insert(tensor.name());
    for (const auto& input : graph.input()) own.insert(input.name());
    for (const auto& node : graph.node()) own.insert(node.output().begin(), node.output().end());
    const auto add = [&](const std::string& name) {
      const ValueId id = name.empty() || own.contains(name) ? kNoValue : wiring_.Find(name);
      if (id != kNoValue) captured.push_back(id);
    };
    for (const auto& output : graph.output()) add(output.name());
    for (const auto& node : graph.node()) {
      for (const std::string& name : node.input()) add(name);
      AddCapturedOf(node, captured);
    }
  }

  void AddCapturedOf(const onnx_wire::NodeProto& node,
                     std::vector<ValueId>& captured) const {  // NOLINT(misc-no-recursion)
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) AddCaptured(attribute.g(), captured);
    }
  }

  absl::Status ResolveNodeInputs() {
    for (int i = 0; i < graph_.node_size(); ++i) {
      Wiring::NodeEnds& ends = wiring_.nodes[i];
      for (const std::string& name : graph_.node(i).input()) {
        ValueId id = kNoValue;
        if (!name.empty()) {
          BITPLAN_ASSIGN_OR_RETURN(id, Resolve(name, fmt::format("node[{}] '{}'", i, ends.name)));
        }
        ends.inputs.push_back(id);
      }
      while (!ends.inputs.empty() && ends.inputs.back() == kNoValue) ends.inputs.pop_back();
      AddCapturedOf(graph_.node(i), ends.captured);
    }
    return absl::OkStatus();
  }

  absl::Status ResolveOutputs() {
    if (graph_.output_size() == 0) return InvalidArgument("onnx: the graph has no output");
    for (int i = 0; i < graph_.output_size(); ++i) {
      BITPLAN_ASSIGN_OR_RETURN(const ValueId id, Resolve(graph_.output(i).name(), fmt::format("output[{}]", i)));
      wiring_.outputs.push_back(id);
    }
    return absl::OkStatus();
  }

  Predecessors FindPredecessors() const {
    Predecessors predecessors(wiring_.nodes.size());
    for (size_t i = 0; i < wiring_.nodes.size(); ++i) {
      for (const std::vector<ValueId>* ids : {&wiring_.nodes[i].inputs, &wiring_.nodes[i].captured}) {
        for (const ValueId id : *ids) {
          if (const auto found = producers_.find(id); found != producers_.end()) {
            predecessors[i].push_back(found->second);
          }
        }
      }
    }
    return predecessors;
  }

  absl::Status SortNodes() {
    const Predecessors predecessors = FindPredecessors();
    const TopologicalOrder sorted = SortTopologically(predecessors);
    if (!sorted.cycle.empty()) return CycleError(sorted.cycle);
    std::vector<int> roots;
    for (const ValueId id : wiring_.outputs) {
      if (const auto found = producers_.find(id); found != producers_.end()) roots.push_back(found->second);
    }
    const std::vector<bool> needed = FindAncestors(predecessors, roots);
    std::ranges::copy_if(sorted.order, std::back_inserter(wiring_.order), [&](int node) { return needed[node]; });
    MarkReadValues();
    return absl::OkStatus();
  }

  void MarkReadValues() {
    wiring_.is_read.assign(wiring_.value_names.size(), false);
    for (const ValueId id : wiring_.outputs) MarkRead(id);
    for (const int node : wiring_.order) {
      for (const ValueId id : wiring_.nodes[node].inputs) MarkRead(id);
      for (const ValueId id : wiring_.nodes[node].captured) MarkRead(id);
    }
  }

  // Values of graphs further out are marked there.
  void MarkRead(ValueId id) {
    if (id >= wiring_.first_id) wiring_.is_read[id - wiring_.first_id] = true;
  }

  absl::Status CycleError(const std::vector<int>& cycle) const {
    std::string path;
    for (const int node : std::span(cycle).first(std::min(cycle.size(), kMaxNamedCycle))) {
      path += fmt::format("'{}' -> ", wiring_.nodes[node].name);
    }
    if (cycle.size() > kMaxNamedCycle) path += fmt::format("{} more -> ", cycle.size() - kMaxNamedCycle);
    return InvalidArgument("onnx: the graph has a cycle: {}'{}'", path, wiring_.nodes[cycle.front()].name);
  }

  const onnx_wire::GraphProto& graph_;
  NodeNames& names_;
  const ParseLimits& limits_;
  Wiring wiring_;
  std::map<ValueId, int> producers_;
};

}  // namespace

ValueId Wiring::Find(std::string_view name) const {
  for (const Wiring* wiring = this; wiring != nullptr; wiring = wiring->outer) {
    if (const auto found = wiring->ids.find(name); found != wiring->ids.end()) return found->second;
  }
  return kNoValue;
}

std::string NodeNames::Unique(const std::string& wanted) {
  std::string name = wanted;
  // The counter goes on from where it stopped for this name, so that equal names do not cost a search each.
  int& next = next_suffix_.try_emplace(wanted, 2).first->second;
  while (!taken_.insert(name).second) name = fmt::format("{}#{}", wanted, next++);
  return name;
}

absl::StatusOr<Wiring> Wire(const onnx_wire::GraphProto& graph, const WireScope& scope, NodeNames& names,
                            const ParseLimits& limits) {
  return Wirer(graph, scope, names, limits).Run();
}

}  // namespace bitplan::onnx
