#include "search/evaluation/evaluate_plan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <utility>
#include <variant>

#include "search/base/status.h"
#include "search/layer/uniform.h"
#include "search/ops/objective.h"
#include "search/quantization/dynamic_range.h"
#include "search/quantization/fake_quantize.h"
#include "search/quantization/quantizer.h"
#include "search/quantization/storage.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/importance.h"

namespace bitplan {

absl::Status Validate(const EvaluationOptions& options) {
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1)) {
    return InvalidArgument("evaluation.label_smoothing: got {}, want 0..1", options.label_smoothing);
  }
  if (options.max_samples < 0) {
    return InvalidArgument("evaluation.max_samples: got {}, want 0 (all) or more", options.max_samples);
  }
  if (options.max_memory_bytes < 0) {
    return InvalidArgument("evaluation.max_memory_bytes: got {}, want 0 (no limit) or more", options.max_memory_bytes);
  }
  const absl::Status range = quantization::CheckActivationRange(options.activation_range);
  return range.ok() ? range : WithContext(range, "evaluation.activation_range");
}

namespace evaluation {
namespace {

// An option and its price for every layer.
using Choice = std::vector<const PlanOption*>;

std::vector<const PlanOption*> OptionsOf(const PlanLayer& layer) {
  std::vector<const PlanOption*> options = {&*layer.chosen};
  for (const PlanOption& option : layer.alternatives) options.push_back(&option);
  return options;
}

Choice ChosenOf(const Plan& plan) {
  Choice choice;
  for (const PlanLayer& layer : plan.layers) choice.push_back(&*layer.chosen);
  return choice;
}

// The uniform plan of so many weight bits; nullopt if some layer has no such option.
std::optional<Choice> UniformOf(const Plan& plan, int bits) {
  Choice choice;
  for (const PlanLayer& layer : plan.layers) {
    const std::vector<const PlanOption*> of_layer = OptionsOf(layer);
    std::vector<Option> options;
    options.reserve(of_layer.size());
    for (const PlanOption* option : of_layer) options.push_back(option->option);
    const int best = UniformOption(options, bits);
    if (best < 0) return std::nullopt;
    choice.push_back(of_layer[best]);
  }
  return choice;
}

std::set<int> WidthsOf(const Plan& plan) {
  std::set<int> widths;
  for (const PlanOption* option : OptionsOf(plan.layers[0])) widths.insert(option->option.weight_bits);
  return widths;
}

// Sums for the resources that every option has a cost of and whose sum fits.
Costs TotalOf(const Choice& choice) {
  Costs totals;
  for (const Resource resource : kResources) {
    std::optional<int64_t> total = 0;
    for (const PlanOption* option : choice) {
      const auto cost = option->costs.find(resource);
      total = total && cost != option->costs.end() ? CheckedAdd(*total, cost->second) : std::nullopt;
    }
    if (total) totals[resource] = *total;
  }
  return totals;
}

bool IsWithin(const Costs& costs, const Costs& limit, const std::vector<Resource>& compared) {
  return std::ranges::all_of(compared, [&](Resource resource) {
    const auto cost = costs.find(resource);
    return cost != costs.end() && cost->second <= limit.at(resource);
  });
}

std::vector<Resource> ComparedResources(const Plan& plan, const Costs& totals) {
  std::vector<Resource> compared;
  for (const PlanBudget& budget : plan.budgets) {
    if (totals.contains(budget.resource)) compared.push_back(budget.resource);
  }
  if (compared.empty() && totals.contains(Resource::kSize)) compared.push_back(Resource::kSize);
  return compared;
}

// Sums of squares of a tensor and of its change, added in the order of the samples.
class NoiseSums {
 public:
  void Add(int64_t first, double signal, double noise) {
    const std::lock_guard lock(mutex_);
    parts_[first] = {signal, noise};
  }
  std::pair<double, double> Total() const {
    std::pair<double, double> total;
    for (const auto& [first, part] : parts_) {
      total.first += part.first;
      total.second += part.second;
    }
    return total;
  }

 private:
  std::mutex mutex_;
  std::map<int64_t, std::pair<double, double>> parts_;  // by first sample
};

std::optional<double> Decibels(double signal, double noise) {
  constexpr double kDecibelsPerDecade = 10;
  if (!(signal > 0 && noise > 0)) return std::nullopt;
  return kDecibelsPerDecade * std::log10(signal / noise);
}

double SquaredNorm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return sum;
}

// `transform`, whose change is added to `sums`.
Substitution::Transform Observed(Substitution::Transform transform, NoiseSums& sums) {
  return [transform = std::move(transform), &sums](std::span<float> values, int64_t first, int64_t count) {
    std::vector<float> change(values.begin(), values.end());
    transform(values, first, count);
    const double signal = SquaredNorm(change);
    for (size_t i = 0; i < change.size(); ++i) change[i] -= values[i];
    sums.Add(first, signal, SquaredNorm(change));
  };
}

// What one network makes of the samples.
struct Results {
  std::vector<double> losses;  // of each sample
  std::vector<int> classes;    // of each row: index of the largest output
};

class Evaluator {
 public:
  Evaluator(const Graph& graph, const Objective& objective, const Dataset& data,
            const ActivationCalibration* activations, std::span<const float> importance, uint64_t seed)
      : graph_(graph), objective_(objective), activations_(activations), importance_(importance), seed_(seed) {
    const std::string& loss = objective.loss_name();
    has_classes_ = loss.ends_with("cross_entropy") && !loss.ends_with("binary_cross_entropy");
    if (has_classes_) labels_ = std::get_if<ClassLabels>(&data.targets);
  }

  absl::StatusOr<Results> RunFloat(const RunContext& context) const { return Run(Substitution(), context); }

  // The network under a choice. Sets noise[l] if there is room for it.
  absl::StatusOr<Results> RunChoice(const Choice& choice, std::span<LayerNoise> noise,
                                    const RunContext& context) const {
    Substitution substitution;
    std::vector<std::vector<float>> weights;
    for (size_t l = 0; l < choice.size(); ++l) {
      LayerNoise unused;
      absl::StatusOr<std::vector<float>> weight =
          Quantized(static_cast<int>(l), choice[l]->option, noise.empty() ? unused : noise[l]);
      if (!weight.ok()) return WithContext(weight.status(), fmt::format("plan.layers[{}]", l));
      weights.push_back(*std::move(weight));
    }
    for (size_t l = 0; l < choice.size(); ++l) substitution.weights[static_cast<int>(l)] = weights[l];
    if (activations_ == nullptr) return Run(substitution, context);
    BITPLAN_ASSIGN_OR_RETURN(substitution.transforms, Activations(choice));
    std::vector<NoiseSums> sums(activations_->points.size());
    for (size_t p = 0; p < sums.size(); ++p) {
      const auto transform = substitution.transforms.find(activations_->points[p].value);
      if (noise.empty() || transform == substitution.transforms.end()) continue;
      transform->second = Observed(std::move(transform->second), sums[p]);
    }
    BITPLAN_ASSIGN_OR_RETURN(Results results, Run(substitution, context));
    if (!noise.empty()) SetActivationNoise(sums, noise);
    return results;
  }

  EvaluatedNetwork Summarize(std::string name, const Results& results, const Results& own) const {
    EvaluatedNetwork network{.name = std::move(name),
                             .loss = sensitivity::MeanOf(results.losses),
                             .loss_increase = sensitivity::PairedDifference(own.losses, results.losses)};
    if (labels_ != nullptr) {
      network.accuracy = ShareOfRows([&](size_t row) { return results.classes[row] == (*labels_)[row]; });
    }
    if (has_classes_) {
      network.agreement = ShareOfRows([&](size_t row) { return results.classes[row] == own.classes[row]; });
    }
    return network;
  }

 private:
  absl::StatusOr<std::vector<float>> Quantized(int layer, const Option& option, LayerNoise& noise) const {
    const auto [offset, size] = objective_.slices()[layer];
    const std::span<const float> own = objective_.weights().subspan(offset, size);
    const Layer& described = graph_.layers.layers[layer];
    noise.layer = described.name;
    noise.option = option;
    PerturbInputs inputs{.seed = seed_, .stream = static_cast<uint64_t>(layer)};
    if (!importance_.empty()) inputs.importance = importance_.subspan(offset, size);
    BITPLAN_ASSIGN_OR_RETURN(
        const QuantizedWeight quantized,
        quantization::Quantize(TensorView(own, described.weight_shape), described.output_channel_axis, option, inputs));
    std::vector<float> delta = quantization::Dequantize(quantized, described.weight_shape);
    for (int64_t i = 0; i < size; ++i) delta[i] -= own[i];
    noise.weight_sqnr_db = Decibels(SquaredNorm(own), SquaredNorm(delta));
    noise.huffman_size_bits = HuffmanSize(described, option, quantized);
    std::vector<float> weight(own.begin(), own.end());
    for (int64_t i = 0; i < size; ++i) weight[i] += delta[i];
    return weight;
  }

  static int64_t HuffmanSize(const Layer& layer, const Option& option, const QuantizedWeight& quantized) {
    const int64_t weights_per_code = std::max(quantized.vector_size, 1);
    const int64_t packed = std::ssize(quantized.codes) * weights_per_code * option.weight_bits;
    const int64_t coded = quantization::HuffmanBits(quantized.codes);
    return quantization::StorageBits(layer, option).value_or(packed) - packed + coded;
  }

  absl::StatusOr<std::map<ValueId, Substitution::Transform>> Activations(const Choice& choice) const {
    std::vector<const Option*> options;
    for (size_t l = 0; l < choice.size(); ++l) {
      options.push_back(&choice[l]->option);
      const absl::Status status = quantization::CheckActivationBits(choice[l]->option.activation_bits);
      if (!status.ok()) return WithContext(status, fmt::format("plan.layers[{}]", l));
    }
    return sensitivity::ActivationTransforms(*activations_, sensitivity::WidthsOfPoints(*activations_, options));
  }

  void SetActivationNoise(const std::vector<NoiseSums>& sums, std::span<LayerNoise> noise) const {
    std::map<int, std::pair<double, double>> of_layer;
    for (size_t p = 0; p < sums.size(); ++p) {
      auto& [signal, error] = of_layer[activations_->points[p].layers[0]];
      const auto total = sums[p].Total();
      signal += total.first;
      error += total.second;
    }
    for (const auto& [layer, total] : of_layer) {
      noise[layer].activation_sqnr_db = Decibels(total.first, total.second);
    }
  }

  absl::StatusOr<Results> Run(const Substitution& substitution, const RunContext& context) const {
    const OutputRows rows = objective_.output_rows();
    Results results{.losses = std::vector<double>(objective_.num_samples()),
                    .classes = std::vector<int>(has_classes_ ? objective_.num_samples() * rows.rows : 0)};
    const auto visit = [&](int /*k*/, int64_t first, std::span<const float> outputs, std::span<const double> losses) {
      std::ranges::copy(losses, results.losses.begin() + first);
      if (!has_classes_) return;
      for (int64_t n = 0; n < std::ssize(losses); ++n) {
        const auto sample = outputs.subspan(n * objective_.num_outputs(), objective_.num_outputs());
        for (int64_t r = 0; r < rows.rows; ++r) {
          results.classes[(first + n) * rows.rows + r] = LargestOf(sample, rows, r);
        }
      }
    };
    BITPLAN_RETURN_IF_ERROR(objective_.RunSubstituted({&substitution, 1}, visit, context));
    return results;
  }

  static int LargestOf(std::span<const float> sample, const OutputRows& rows, int64_t r) {
    int largest = 0;
    for (int k = 1; k < rows.width; ++k) {
      const int64_t offset = rows.offset(r);
      if (sample[offset + k * rows.stride] > sample[offset + largest * rows.stride]) largest = k;
    }
    return largest;
  }

  // Of each sample the share of its rows that count and hold, then the mean over samples with such rows.
  template <typename Holds>
  SampleMean ShareOfRows(Holds holds) const {
    const int64_t num_rows = objective_.output_rows().rows;
    std::vector<double> shares;
    for (int64_t n = 0; n < objective_.num_samples(); ++n) {
      int64_t counted = 0;
      int64_t held = 0;
      for (int64_t row = n * num_rows; row < (n + 1) * num_rows; ++row) {
        if (labels_ != nullptr && (*labels_)[row] == kIgnoredLabel) continue;
        ++counted;
        if (holds(row)) ++held;
      }
      if (counted > 0) shares.push_back(static_cast<double>(held) / static_cast<double>(counted));
    }
    return sensitivity::MeanOf(shares);
  }

  const Graph& graph_;
  const Objective& objective_;
  const ActivationCalibration* activations_;  // null: activations stay float
  std::span<const float> importance_;         // of all weights; empty: no option wants it
  uint64_t seed_;  // of the measurement: random roundings and codebooks are the ones it scored
  bool has_classes_ = false;
  const ClassLabels* labels_ = nullptr;  // null: none, or not classes
};

// Which widths are evaluated, and how they compare with the plan; the losses of the largest within cost.
void Compare(Evaluation& evaluation, const Results& of_plan, const std::map<int, std::vector<double>>& losses) {
  for (const EvaluatedNetwork& uniform : evaluation.uniform) {
    if (uniform.within_cost) evaluation.reference_bits = uniform.uniform_bits;
  }
  if (!evaluation.reference_bits) {
    evaluation.verdict = "no uniform plan costs as little as this plan: nothing to compare it with";
    return;
  }
  const int bits = *evaluation.reference_bits;
  const SampleMean gain = sensitivity::PairedDifference(of_plan.losses, losses.at(bits));
  evaluation.loss_below_reference = gain;
  const std::string amount = fmt::format("{:.3g} +- {:.2g}", std::abs(gain.mean), gain.standard_error);
  constexpr double kSureErrors = 2;
  const bool is_sure = std::abs(gain.mean) > kSureErrors * gain.standard_error;
  const std::string doubt = is_sure ? "" : ", less than two standard errors";
  if (gain.mean > 0) {
    evaluation.verdict = fmt::format("the plan beats uniform {} bit: its loss is lower by {}{}", bits, amount, doubt);
  } else if (gain.mean == 0) {
    evaluation.verdict = fmt::format("the plan does not beat uniform {} bit: the losses are equal", bits);
  } else {
    evaluation.verdict =
        fmt::format("the plan does not beat uniform {} bit: its loss is higher by {}{}", bits, amount, doubt);
  }
}

// Progress of network `index` of `count`.
RunContext ContextOf(const RunContext& context, size_t index, size_t count) {
  RunContext of_network = context;
  of_network.progress = [&context, index, count](const Progress& of_run) {
    context.Report({.stage = "evaluation",
                    .fraction = (static_cast<double>(index) + of_run.fraction) / static_cast<double>(count)});
  };
  return of_network;
}

absl::StatusOr<Evaluation> EvaluateWith(const Evaluator& evaluator, const Plan& plan, Evaluation evaluation,
                                        const RunContext& context) {
  std::map<int, Choice> uniform;
  for (const int bits : WidthsOf(plan)) {
    if (std::optional<Choice> choice = UniformOf(plan, bits)) uniform[bits] = *std::move(choice);
  }
  const size_t count = uniform.size() + 2;
  BITPLAN_ASSIGN_OR_RETURN(const Results own, evaluator.RunFloat(ContextOf(context, 0, count)));
  evaluation.float_network = evaluator.Summarize("float", own, own);

  const Choice chosen = ChosenOf(plan);
  evaluation.layers.resize(chosen.size());
  BITPLAN_ASSIGN_OR_RETURN(const Results of_plan,
                           evaluator.RunChoice(chosen, evaluation.layers, ContextOf(context, 1, count)));
  evaluation.plan = evaluator.Summarize("plan", of_plan, own);
  evaluation.plan.costs = TotalOf(chosen);
  evaluation.plan.within_cost = true;
  evaluation.compared = ComparedResources(plan, evaluation.plan.costs);

  std::map<int, std::vector<double>> losses;
  for (const auto& [bits, choice] : uniform) {
    BITPLAN_ASSIGN_OR_RETURN(const Results results,
                             evaluator.RunChoice(choice, {}, ContextOf(context, losses.size() + 2, count)));
    EvaluatedNetwork network = evaluator.Summarize(fmt::format("uniform {} bit", bits), results, own);
    network.uniform_bits = bits;
    network.costs = TotalOf(choice);
    network.within_cost =
        !evaluation.compared.empty() && IsWithin(network.costs, evaluation.plan.costs, evaluation.compared);
    evaluation.uniform.push_back(std::move(network));
    losses[bits] = results.losses;
  }
  Compare(evaluation, of_plan, losses);
  return evaluation;
}

// Whether an option that is run, in the plan or in a uniform one, takes the importance of each weight.
bool WantsImportance(const Plan& plan) {
  const auto wants = [](const PlanOption* option) { return sensitivity::WantsImportance(option->option.scheme); };
  if (std::ranges::any_of(ChosenOf(plan), wants)) return true;
  return std::ranges::any_of(WidthsOf(plan), [&](int bits) {
    const std::optional<Choice> uniform = UniformOf(plan, bits);
    return uniform && std::ranges::any_of(*uniform, wants);
  });
}

}  // namespace

absl::Status CheckPlan(const Graph& graph, const Plan& plan) {
  if (!plan.has_choice()) return InvalidArgument("plan: it has no choice to evaluate");
  const std::vector<Layer>& layers = graph.layers.layers;
  if (plan.layers.size() != layers.size()) {
    return InvalidArgument("plan.layers: got {}, the network has {}", plan.layers.size(), layers.size());
  }
  for (size_t l = 0; l < layers.size(); ++l) {
    const Layer& of_plan = plan.layers[l].layer;
    if (of_plan.name != layers[l].name || of_plan.num_weights != layers[l].num_weights) {
      return InvalidArgument("plan.layers[{}]: got '{}' of {} weights, the network has '{}' of {}", l, of_plan.name,
                             of_plan.num_weights, layers[l].name, layers[l].num_weights);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> ImportanceFor(const Graph& graph, const Plan& plan, const Dataset* calibration,
                                                 int64_t max_memory_bytes, const RunContext& context) {
  if (calibration == nullptr) {
    return InvalidArgument(
        "calibration: got none, but a scheme of the plan (hessian_kmeans) takes the importance of each weight, which "
        "is estimated from the data that the plan was made from");
  }
  ObjectiveOptions of_objective{.max_cache_bytes = 0, .max_memory_bytes = max_memory_bytes};
  if (!plan.provenance.loss.empty()) of_objective.loss = plan.provenance.loss;
  const auto objective = Objective::Create(graph, *calibration, of_objective);
  if (!objective.ok()) return WithContext(objective.status(), "calibration");
  return sensitivity::WeightImportance(**objective, plan.provenance.seed, context);
}

absl::StatusOr<Evaluation> EvaluatePlan(const Graph& graph, const Dataset& held_out, const Plan& plan,
                                        const Dataset* calibration, const EvaluationOptions& options,
                                        const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_RETURN_IF_ERROR(CheckPlan(graph, plan));
  ObjectiveOptions of_objective{.loss = options.loss,
                                .label_smoothing = options.label_smoothing,
                                .max_samples = options.max_samples,
                                .max_cache_bytes = 0,
                                .max_memory_bytes = options.max_memory_bytes};
  BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<Objective> objective,
                           Objective::Create(graph, held_out, of_objective));
  Evaluation evaluation{.loss = objective->loss_name(),
                        .num_samples = objective->num_samples(),
                        .plan_fingerprint = plan.fingerprint,
                        .predicted_increase = plan.objective};
  if (!objective->loss_note().empty()) evaluation.notes.push_back(objective->loss_note());
  std::optional<ActivationCalibration> activations;
  const bool is_dynamic = quantization::FindDynamicRange(options.activation_range) != nullptr;
  if (!is_dynamic && calibration == nullptr) {
    evaluation.notes.emplace_back("activations stay float: no calibration data were given for their ranges");
  } else if (!options.quantize_activations) {
    evaluation.notes.emplace_back("activations stay float, as asked for");
  } else {
    std::unique_ptr<Objective> of_calibration;
    if (!is_dynamic) {
      of_objective.max_samples = 0;
      absl::StatusOr<std::unique_ptr<Objective>> created = Objective::Create(graph, *calibration, of_objective);
      if (!created.ok()) return WithContext(created.status(), "calibration");
      of_calibration = *std::move(created);
    }
    BITPLAN_ASSIGN_OR_RETURN(activations,
                             sensitivity::CalibrateActivations(graph, is_dynamic ? *objective : *of_calibration,
                                                               options.activation_range, context));
    evaluation.quantized_activations = true;
    evaluation.activation_range = options.activation_range;
    evaluation.notes.insert(evaluation.notes.end(), activations->notes.begin(), activations->notes.end());
  }
  std::vector<float> importance;
  if (WantsImportance(plan)) {
    BITPLAN_ASSIGN_OR_RETURN(importance, ImportanceFor(graph, plan, calibration, options.max_memory_bytes, context));
    evaluation.notes.push_back(fmt::format(
        "the importance of weights is estimated from all calibration data by {}: codebooks are those that were scored "
        "only if that was done in the same way",
        plan.provenance.loss.empty() ? "the default loss" : plan.provenance.loss));
  }
  const Evaluator evaluator(graph, *objective, held_out, activations ? &*activations : nullptr, importance,
                            plan.provenance.seed);
  return EvaluateWith(evaluator, plan, std::move(evaluation), context);
}

}  // namespace evaluation
}  // namespace bitplan
