#include "search/sensitivity/measured_loss.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/curvature/checkpoint.h"
#include "search/quantization/fake_quantize.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/method_checkpoint.h"
#include "search/sensitivity/paired_difference.h"

namespace bitplan::sensitivity {
namespace {

// Quantized weights that are in memory at a time, unless one layer alone needs more.
constexpr int64_t kMaxBatchBytes = int64_t{256} << 20;
// Losses kept for standard errors: 8 bytes for each sample and option.
constexpr int64_t kMaxLossBytes = int64_t{256} << 20;

// Consecutive layers that are measured in one go.
struct Batch {
  int begin = 0;
  int end = 0;
};

class Measurer {
 public:
  Measurer(const MethodInput& input, OutputResponses* responses) : input_(input), responses_(responses) {
    const size_t num_layers = input.layers.layers.size();
    scores_.score.resize(num_layers);
    scores_.standard_error.resize(num_layers);
  }

  absl::StatusOr<MethodScores> Run(const RunContext& context) {
    BITPLAN_RETURN_IF_ERROR(CheckOptions());
    const std::string key = MethodCheckpointKey(
        input_, responses_ == nullptr ? "measured" : fmt::format("changes/{}", responses_->num_samples));
    const auto num_layers = static_cast<int>(input_.layers.layers.size());
    for (Batch batch = NextBatch(0); batch.begin < num_layers; batch = NextBatch(batch.end)) {
      RunContext of_batch = context;
      of_batch.progress = [&](const Progress& of_run) {
        const double done = batch.begin + of_run.fraction * (batch.end - batch.begin);
        context.Report({.stage = "measured loss",
                        .fraction = done / num_layers,
                        .layer = static_cast<int64_t>(done),
                        .num_layers = num_layers});
      };
      const std::string batch_key = key.empty() ? "" : fmt::format("{}/{}", key, batch.begin);
      if (Load(batch, batch_key, context)) continue;
      BITPLAN_RETURN_IF_ERROR(Measure(batch, of_batch));
      Save(batch, batch_key, context);
    }
    return std::move(scores_);
  }

 private:
  int64_t NumOptions(int layer) const { return std::ssize(input_.options.options[layer]); }

  absl::Status CheckOptions() const {
    BITPLAN_RETURN_IF_ERROR(curvature::CheckChanges(input_.objective, input_.perturbations, {}));
    if (input_.perturbations.size() != input_.options.options.size()) {
      return InvalidArgument("perturbations: got {} layers, the options have {}", input_.perturbations.size(),
                             input_.options.options.size());
    }
    for (size_t l = 0; l < input_.perturbations.size(); ++l) {
      if (input_.perturbations[l].size() == input_.options.options[l].size()) continue;
      return InvalidArgument("perturbations[{}]: got {}, the layer has {} options", l, input_.perturbations[l].size(),
                             input_.options.options[l].size());
    }
    if (input_.activations == nullptr) return absl::OkStatus();
    for (size_t l = 0; l < input_.options.options.size(); ++l) {
      for (size_t o = 0; o < input_.options.options[l].size(); ++o) {
        const absl::Status status = quantization::CheckActivationBits(input_.options.options[l][o].activation_bits);
        if (!status.ok()) return WithContext(status, fmt::format("layers[{}].options[{}]", l, o));
      }
    }
    return absl::OkStatus();
  }

  Batch NextBatch(int begin) const {
    Batch batch{.begin = begin, .end = begin};
    const auto num_layers = static_cast<int>(input_.layers.layers.size());
    int64_t weight_bytes = 0;
    int64_t loss_bytes = 0;
    for (; batch.end < num_layers; ++batch.end) {
      weight_bytes += NumOptions(batch.end) * input_.objective.slices()[batch.end].size * 4;
      loss_bytes += NumOptions(batch.end) * input_.objective.num_samples() * 8;
      if (batch.end > begin && (weight_bytes > kMaxBatchBytes || loss_bytes > kMaxLossBytes)) break;
    }
    return batch;
  }

  // Entries of a column of the responses.
  int64_t NumResponses() const { return responses_ == nullptr ? 0 : responses_->num_samples * responses_->num_outputs; }

  bool Load(const Batch& batch, const std::string& key, const RunContext& context) {
    int64_t count = 0;
    for (int l = batch.begin; l < batch.end; ++l) count += (2 + NumResponses()) * NumOptions(l);
    const auto numbers = curvature::LoadNumbers(context, key, count);
    if (!numbers) return false;
    auto next = numbers->begin();
    for (int l = batch.begin; l < batch.end; ++l) {
      scores_.score[l].assign(next, next + NumOptions(l));
      next += NumOptions(l);
      scores_.standard_error[l].assign(next, next + NumOptions(l));
      next += NumOptions(l);
      ForEachResponse(l, [&](float& response) { response = static_cast<float>(*next++); });
    }
    return true;
  }

  // All changes of outputs by the options of a layer.
  template <typename Fn>
  void ForEachResponse(int layer, Fn fn) const {
    for (int64_t i = 0; i < NumResponses(); ++i) {
      for (int64_t o = 0; o < NumOptions(layer); ++o) {
        fn(responses_->values[i * responses_->num_perturbations + responses_->first[layer] + o]);
      }
    }
  }

  void Save(const Batch& batch, const std::string& key, const RunContext& context) const {
    std::vector<double> numbers;
    for (int l = batch.begin; l < batch.end; ++l) {
      numbers.insert(numbers.end(), scores_.score[l].begin(), scores_.score[l].end());
      numbers.insert(numbers.end(), scores_.standard_error[l].begin(), scores_.standard_error[l].end());
      ForEachResponse(l, [&](float response) { numbers.push_back(response); });
    }
    curvature::SaveNumbers(context, key, numbers);
  }

  std::vector<float> Quantized(int layer, int option) const {
    const auto [offset, size] = input_.objective.slices()[layer];
    std::vector<float> weight(input_.objective.weights().begin() + offset,
                              input_.objective.weights().begin() + offset + size);
    const std::vector<float>& delta = input_.perturbations[layer][option];
    for (int64_t i = 0; i < size; ++i) weight[i] += delta[i];
    return weight;
  }

  absl::StatusOr<std::map<ValueId, Substitution::Transform>> Activations(int layer, const Option& option) const {
    if (input_.activations == nullptr) return std::map<ValueId, Substitution::Transform>();
    std::vector<const Option*> options(input_.layers.layers.size(), nullptr);
    options[layer] = &option;
    return ActivationTransforms(*input_.activations, WidthsOfPoints(*input_.activations, options));
  }

  absl::Status Measure(const Batch& batch, const RunContext& context) {
    std::vector<std::vector<float>> weights;
    std::vector<std::pair<int, int>> measured;  // layer and option, by substitution less one
    for (int l = batch.begin; l < batch.end; ++l) {
      for (int o = 0; o < NumOptions(l); ++o) {
        weights.push_back(Quantized(l, o));
        measured.emplace_back(l, o);
      }
    }
    std::vector<Substitution> substitutions(1);  // the network itself first
    for (size_t j = 0; j < measured.size(); ++j) {
      const auto [l, o] = measured[j];
      BITPLAN_ASSIGN_OR_RETURN(auto activations, Activations(l, input_.options.options[l][o]));
      substitutions.push_back({.weights = {{l, weights[j]}}, .transforms = std::move(activations)});
    }
    const int64_t num_samples = input_.objective.num_samples();
    std::vector<std::vector<double>> losses(substitutions.size(), std::vector<double>(num_samples));
    FloatVector own_outputs(responses_ != nullptr ? num_samples * input_.objective.num_outputs() : 0);
    const auto visit = [&](int k, int64_t first, std::span<const float> outputs, std::span<const double> of_samples) {
      std::ranges::copy(of_samples, losses[k].begin() + first);
      if (responses_ == nullptr) return;
      const std::span<float> own =
          std::span<float>(own_outputs).subspan(first * input_.objective.num_outputs(), outputs.size());
      if (k == 0) {
        std::ranges::copy(outputs, own.begin());
      } else {
        const auto [l, o] = measured[k - 1];
        KeepResponse(responses_->first[l] + o, first, outputs, own);
      }
    };
    BITPLAN_RETURN_IF_ERROR(input_.objective.RunSubstituted(substitutions, visit, context));
    for (size_t j = 0; j < measured.size(); ++j) Score(measured[j].first, losses[0], losses[j + 1]);
    return absl::OkStatus();
  }

  void KeepResponse(int64_t column, int64_t first, std::span<const float> outputs, std::span<const float> own) {
    const int64_t width = responses_->num_perturbations;
    const int64_t begin = first * responses_->num_outputs;
    const int64_t count = std::min(std::ssize(outputs), NumResponses() - begin);
    for (int64_t i = 0; i < count; ++i) responses_->values[(begin + i) * width + column] = outputs[i] - own[i];
  }

  void Score(int layer, const std::vector<double>& own, const std::vector<double>& changed) {
    const SampleMean difference = PairedDifference(own, changed);
    scores_.score[layer].push_back(difference.mean);
    scores_.standard_error[layer].push_back(difference.standard_error);
  }

  const MethodInput& input_;
  OutputResponses* responses_;  // null: only scores
  MethodScores scores_;
};

}  // namespace

absl::StatusOr<MethodScores> MeasuredLoss(const MethodInput& input, const RunContext& context) {
  return Measurer(input, nullptr).Run(context);
}

absl::StatusOr<MeasuredChanges> MeasureChanges(const MethodInput& input, int64_t max_bytes, const RunContext& context) {
  MeasuredChanges changes;
  const int64_t num_samples = curvature::SamplesWithin(input.objective, input.perturbations, max_bytes);
  BITPLAN_ASSIGN_OR_RETURN(changes.responses,
                           curvature::MakeResponses(input.objective, input.perturbations, num_samples, max_bytes));
  BITPLAN_ASSIGN_OR_RETURN(changes.scores, Measurer(input, &changes.responses).Run(context));
  return changes;
}

}  // namespace bitplan::sensitivity
