#include "search/hardware/price_memory.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "search/base/resource.h"
#include "search/base/status.h"

namespace bitplan::hardware {
namespace {

constexpr int64_t kMostStepBytes = int64_t{1} << 61;

// Buffers (indices) that are live at each step, without steps whose buffers are all live at a neighbouring one: what is
// live at two steps is live between them, so that the neighbours are enough to look at.
std::vector<std::pair<int, std::vector<int>>> FullestSteps(const DataFlow& flow) {
  std::vector<std::vector<int>> live(flow.steps.size());
  for (int b = 0; b < std::ssize(flow.buffers); ++b) {
    for (int t = flow.buffers[b].first_step; t <= flow.buffers[b].last_step; ++t) live[t].push_back(b);
  }
  std::vector<std::pair<int, std::vector<int>>> steps;
  for (size_t t = 0; t < live.size(); ++t) {
    if (!steps.empty() && std::ranges::includes(steps.back().second, live[t])) continue;
    while (!steps.empty() && std::ranges::includes(live[t], steps.back().second)) steps.pop_back();
    steps.emplace_back(static_cast<int>(t), live[t]);
  }
  return steps;
}

class MemoryPricer {
 public:
  MemoryPricer(const DataFlow& flow, const LayerTable& layers, const OptionTable& options, const MemoryModel& model)
      : flow_(flow), layers_(layers), options_(options), model_(model) {}

  absl::Status SetTies(const Ties& activation_ties) {
    std::vector<std::string_view> names;
    names.reserve(layers_.layers.size());
    for (const Layer& layer : layers_.layers) names.push_back(layer.name);
    BITPLAN_ASSIGN_OR_RETURN(const auto groups, GroupByTies(names, activation_ties));
    group_of_.resize(names.size());
    for (size_t g = 0; g < groups.size(); ++g) {
      for (const int layer : groups[g]) group_of_[layer] = static_cast<int>(g);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<MemoryStep> Step(int t, const std::vector<int>& live) {
    MemoryStep step{.name = flow_.steps[t]};
    std::map<int, std::map<int, int64_t>> terms;  // by layer
    for (const int b : live) Add(flow_.buffers[b], step, terms);
    for (auto& [layer, bytes] : terms) {
      int64_t most = 0;
      for (const auto& [unused, amount] : bytes) most = std::max(most, amount);
      Count(most);
      step.terms.push_back({.layer = layers_.layers[layer].name, .bytes = std::move(bytes)});
    }
    Count(step.fixed_bytes);
    const bool fits = total_ && *total_ <= kMostStepBytes;
    total_ = 0;
    if (!fits) return InvalidArgument("memory: activations at '{}' do not fit in 61 bits", step.name);
    return step;
  }

 private:
  std::set<int> WidthsOf(int layer) const {
    std::set<int> widths;
    for (const Option& option : options_.options[layer]) widths.insert(option.activation_bits);
    return widths;
  }

  void Count(std::optional<int64_t> bytes) {
    total_ = total_ && bytes ? CheckedAdd(*total_, std::min(*bytes, kMostStepBytes + 1)) : std::nullopt;
  }

  void Add(const ActivationBuffer& buffer, MemoryStep& step, std::map<int, std::map<int, int64_t>>& terms) {
    const std::vector<int>& readers = buffer.layers;
    const bool agree = !readers.empty() && std::ranges::all_of(readers, [&](int layer) {
      return group_of_[layer] == group_of_[readers.front()];
    });
    if (!agree) {
      int widest = readers.empty() ? kFullPrecisionBits : 1;
      for (const int layer : readers) widest = std::max(widest, *WidthsOf(layer).rbegin());
      AddTo(step.fixed_bytes, buffer.elements, widest);
      return;
    }
    for (const int bits : WidthsOf(readers.front())) AddTo(terms[readers.front()][bits], buffer.elements, bits);
  }

  void AddTo(int64_t& bytes, int64_t elements, int bits) {
    const std::optional<int64_t> more = ActivationBytes(elements, bits, model_);
    const std::optional<int64_t> sum = more ? CheckedAdd(bytes, *more) : std::nullopt;
    bytes = std::min(sum.value_or(kMostStepBytes + 1), kMostStepBytes + 1);
  }

  const DataFlow& flow_;
  const LayerTable& layers_;
  const OptionTable& options_;
  const MemoryModel& model_;
  std::vector<int> group_of_;         // by activation ties, of each layer
  std::optional<int64_t> total_ = 0;  // of the step being made, at its largest
};

}  // namespace

std::optional<int64_t> ActivationBytes(int64_t elements, int bits, const MemoryModel& model) {
  constexpr int64_t kMost = int64_t{1} << 62;
  const auto stored =
      static_cast<int64_t>(std::bit_ceil(static_cast<unsigned>(std::max(bits, model.min_activation_bits))));
  const std::optional<int64_t> all_bits = CheckedMultiply(elements, stored);
  if (!all_bits || *all_bits > kMost) return std::nullopt;
  const int64_t bytes = (*all_bits + 7) / 8;
  const int64_t units = (bytes + model.alignment_bytes - 1) / model.alignment_bytes;
  const std::optional<int64_t> aligned = CheckedMultiply(units, model.alignment_bytes);
  return aligned && *aligned <= kMost ? aligned : std::nullopt;
}

absl::StatusOr<PeakMemory> PricePeakMemory(const DataFlow& flow, const LayerTable& layers, const OptionTable& options,
                                           const Ties& activation_ties, const MemoryModel& model) {
  PeakMemory peak{.weights_resident = model.weights_resident};
  MemoryPricer pricer(flow, layers, options, model);
  BITPLAN_RETURN_IF_ERROR(pricer.SetTies(activation_ties));
  for (const auto& [t, live] : FullestSteps(flow)) {
    BITPLAN_ASSIGN_OR_RETURN(peak.steps.emplace_back(), pricer.Step(t, live));
  }
  return peak;
}

}  // namespace bitplan::hardware
