#include "search/ops/objective.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "search/base/parallel.h"
#include "search/base/status.h"
#include "search/ops/embedding.h"
#include "search/ops/executor.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/loss_input.h"
#include "search/ops/losses.h"

namespace bitplan {
namespace {

using ops::Activity;
using ops::LossBatch;
using ops::LossEntry;
using ops::LossInput;
using ops::Primals;
using ops::Program;
using ops::Tangents;

// Tensors that a Hessian product keeps for every value: value, tangent, gradient, gradient tangent.
constexpr int64_t kTensorsPerValue = 4;
// A shard takes fewer samples if one thread would need more than this.
constexpr int64_t kMaxShardBytes = int64_t{1} << 30;
// Below this no run is tried: one batch alone would not fit.
constexpr int64_t kMaxBatchBytes = int64_t{16} << 30;

// Buffers of one run at a time.
struct Workspace {
  explicit Workspace(const Program& program) : primals(program), tangents(program) {}

  Primals primals;
  Tangents tangents;
};

// A program and the workspaces that wait for its next run, so that buffers are allocated once a thread.
class Runner {
 public:
  explicit Runner(Program program);

  const Program& program() const { return program_; }
  const Shape& output_shape() const { return program_.shapes[program_.output]; }
  // Of layer i, or of all layers together.
  const Activity& active(std::optional<int> layer) const { return layer ? active_layers_[*layer] : active_; }
  // Of all layers together, the weights themselves left out: all gradients that Hessian products read.
  const Activity& active_inside() const { return active_inside_; }
  // What cached primals of one shard take.
  int64_t num_primal_bytes() const { return 2 * program_.num_elements() * static_cast<int64_t>(sizeof(float)); }

  std::unique_ptr<Workspace> Take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Workspace>(program_);
    std::unique_ptr<Workspace> workspace = std::move(idle_.back());
    idle_.pop_back();
    return workspace;
  }
  void Return(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(workspace));
  }

 private:
  Program program_;
  std::vector<Activity> active_layers_;
  Activity active_;
  Activity active_inside_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

Runner::Runner(Program program) : program_(std::move(program)) {
  std::vector<ValueId> weights;
  for (const LayerWeight& layer : program_.graph->layer_weights) {
    weights.push_back(layer.weight);
    active_layers_.push_back(ops::FindActive(program_, {&weights.back(), 1}));
  }
  active_ = ops::FindActive(program_, weights);
  active_inside_ = active_;
  for (const ValueId weight : weights) active_inside_[weight] = false;
}

// Samples begin .. begin + count - 1.
struct Shard {
  int64_t begin = 0;
  int64_t count = 0;
};

// The data as the graph reads it.
struct BoundData {
  std::vector<const Tensor*> inputs;  // as Graph::inputs
  int64_t num_samples = 0;            // used
};

bool FeedsOnlyInput(std::string_view name) { return name == "images" || name == "inputs"; }

absl::StatusOr<const Tensor*> FindInput(const Graph& graph, size_t index, const Dataset& data) {
  const std::string& wanted = graph.values[graph.inputs[index].value].name;
  std::string names;
  for (const DatasetInput& input : data.inputs) {
    if (input.name == wanted) return &input.values;
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", input.name);
  }
  for (const DatasetInput& input : data.inputs) {
    if (graph.inputs.size() == 1 && FeedsOnlyInput(input.name)) return &input.values;
  }
  return InvalidArgument("dataset.inputs: no array for network input '{}'; the dataset has {}", wanted,
                         names.empty() ? "none" : names);
}

absl::Status CheckInput(const GraphInput& input, const std::string& name, const Tensor& values, int64_t num_samples) {
  if (input.shape.empty()) return InvalidArgument("input '{}': a scalar, want a first dimension of samples", name);
  Shape wanted = input.shape;
  wanted[0] = num_samples;
  if (values.shape == wanted) return absl::OkStatus();
  return InvalidArgument("dataset.inputs['{}'].shape: got {}, want {}", name, ToString(values.shape), ToString(wanted));
}

absl::StatusOr<BoundData> BindInputs(const Graph& graph, const Dataset& data) {
  if (graph.inputs.empty()) return InvalidArgument("the network has no input");
  if (data.num_samples < 1) return InvalidArgument("dataset: no samples");
  BoundData bound{.num_samples = data.num_samples};
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    BITPLAN_ASSIGN_OR_RETURN(const Tensor* values, FindInput(graph, i, data));
    const std::string& name = graph.values[graph.inputs[i].value].name;
    BITPLAN_RETURN_IF_ERROR(CheckInput(graph.inputs[i], name, *values, data.num_samples));
    BITPLAN_RETURN_IF_ERROR(ops::CheckIntegerInput(graph, i, *values));
    bound.inputs.push_back(values);
  }
  return bound;
}

absl::StatusOr<const LossEntry*> ChooseLoss(const std::string& name, const Dataset& data) {
  const bool has_labels = std::holds_alternative<ClassLabels>(data.targets);
  if (name == "auto") return ops::FindLoss(has_labels ? "cross_entropy" : "mean_squared_error");
  BITPLAN_ASSIGN_OR_RETURN(const LossEntry* loss, ops::FindLoss(name));
  if (loss->takes_labels == has_labels) return loss;
  return InvalidArgument("loss: {} needs {}, but the dataset has {}", name,
                         loss->takes_labels ? "class labels" : "real targets",
                         has_labels ? "class labels" : "real targets");
}

absl::Status CheckLabels(const ClassLabels& labels, int64_t num_samples, int64_t num_classes) {
  if (static_cast<int64_t>(labels.size()) < num_samples) {
    return InvalidArgument("dataset.labels: got {}, want {}", labels.size(), num_samples);
  }
  for (int64_t n = 0; n < num_samples; ++n) {
    if (labels[n] < 0 || labels[n] >= num_classes) {
      return InvalidArgument("dataset.labels[{}]: got {}, want 0..{}", n, labels[n], num_classes - 1);
    }
  }
  return absl::OkStatus();
}

// `output` is the shape of the network's output for `batch` samples.
absl::Status CheckTargets(const Dataset& data, int64_t num_samples, const Shape& output, int64_t batch) {
  if (output.empty() || output[0] != batch) {
    return InvalidArgument("network output: shape {} for {} samples, want a first dimension of samples",
                           ToString(output), batch);
  }
  const int64_t width = NumElements(output) / batch;
  if (const auto* labels = std::get_if<ClassLabels>(&data.targets)) {
    if (output.size() < 2 || output[1] != width) {
      return InvalidArgument("network output: shape {}, want [N, classes] for class labels", ToString(output));
    }
    return CheckLabels(*labels, num_samples, width);
  }
  const Tensor& targets = std::get<Tensor>(data.targets);
  Shape wanted = output;
  wanted[0] = data.num_samples;
  if (targets.shape.empty() || targets.shape[0] != data.num_samples ||
      NumElements(targets.shape) != NumElements(wanted)) {
    const bool may_be_labels = NumElements(targets.shape) == data.num_samples;
    return InvalidArgument("dataset.targets.shape: got {}, want {}{}", ToString(targets.shape), ToString(wanted),
                           may_be_labels ? "; class labels are 'labels' of an integer type" : "");
  }
  return absl::OkStatus();
}

// Samples of one shard: as asked for, fewer where memory says so, the graph's own number where that is fixed.
absl::StatusOr<int64_t> ChooseBatch(const Graph& graph, int64_t num_samples, int64_t samples_per_shard) {
  if (samples_per_shard < 1) return InvalidArgument("samples_per_shard: got {}, want at least 1", samples_per_shard);
  BITPLAN_ASSIGN_OR_RETURN(const int64_t fixed, ops::FixedBatch(graph));
  if (fixed > 0 && num_samples % fixed != 0) {
    return InvalidArgument("dataset: {} samples, but the network takes groups of exactly {}", num_samples, fixed);
  }
  const int64_t smallest = fixed > 0 ? fixed : 1;
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, ops::InferShapes(graph, smallest));
  int64_t bytes = 0;
  for (size_t id = 0; id < shapes.size(); ++id) {
    if (!graph.values[id].is_constant()) bytes += NumElements(shapes[id]) * kTensorsPerValue * sizeof(float);
  }
  if (bytes > kMaxBatchBytes) {
    return ResourceExhausted("the network needs {} bytes for {} samples, more than {}", bytes, smallest,
                             kMaxBatchBytes);
  }
  if (fixed > 0) return fixed;
  return std::min({samples_per_shard, num_samples, std::max<int64_t>(1, kMaxShardBytes / bytes)});
}

// A partial result may be empty: nothing to add.
void AddTo(std::span<double> sum, const std::vector<float>& partial) {
  for (size_t i = 0; i < partial.size(); ++i) sum[i] += partial[i];
}

class NetworkObjective final : public Objective {
 public:
  NetworkObjective(const Graph& graph, const Dataset& data, BoundData bound, const LossEntry& loss)
      : graph_(graph), data_(data), bound_(std::move(bound)), loss_(loss), loss_name_(loss.name) {
    for (const LayerWeight& layer : graph.layer_weights) {
      const FloatVector& weight = std::get<Tensor>(graph.values[layer.weight].constant).data;
      slices_.push_back({.offset = static_cast<int64_t>(weights_.size()), .size = static_cast<int64_t>(weight.size())});
      weights_.insert(weights_.end(), weight.begin(), weight.end());
    }
  }

  // Makes the programs for full shards and for the rest.
  absl::Status Compile(int64_t batch, int64_t max_cache_bytes);
  // Of the network's output for a full shard; the loss may read another value of as many elements.
  const Shape& network_output_shape() const { return network_output_shape_; }
  // kInvalidArgument if the first shard's loss is not finite at the network's own weights.
  absl::Status CheckFirstShard() const;

  int64_t num_weights() const override { return static_cast<int64_t>(weights_.size()); }
  int64_t num_samples() const override { return bound_.num_samples; }
  const std::string& loss_name() const override { return loss_name_; }
  const std::string& loss_note() const override { return loss_input_.note; }
  const std::vector<WeightSlice>& slices() const override { return slices_; }
  std::span<const float> weights() const override { return weights_; }

  absl::StatusOr<double> Loss(std::span<const float> weights, const RunContext& context) const override;
  absl::StatusOr<LossAndGradient> Gradient(std::span<const float> weights, const RunContext& context) const override;
  absl::Status HessianVectorProduct(std::span<const float> v, std::optional<int> layer, std::span<double> out,
                                    const RunContext& context) const override;
  absl::StatusOr<Tensor> Outputs(std::span<const float> weights, const RunContext& context) const override;

 private:
  // What one shard adds to a sum over samples.
  struct Partial {
    double loss = 0;
    std::vector<float> vector;
  };

  int num_shards() const { return static_cast<int>((num_samples() + batch_ - 1) / batch_); }
  Shard shard(int index) const {
    const int64_t begin = index * batch_;
    return {.begin = begin, .count = std::min(batch_, num_samples() - begin)};
  }
  Runner& runner(const Shard& shard) const { return shard.count == batch_ ? *full_ : *rest_; }

  ops::Feed FeedOf(const Shard& shard, std::span<const float> weights) const;
  LossBatch LossBatchOf(const Shard& shard, std::span<const float> outputs) const;
  std::span<const float> SliceOf(std::span<const float> weights, int layer) const {
    return weights.subspan(slices_[layer].offset, slices_[layer].size);
  }
  absl::Status CheckWeights(std::span<const float> weights) const;
  // kInvalidArgument, naming the first node that is not finite, unless `loss` is finite.
  absl::Status CheckFinite(double loss, const Primals& primals, const Shard& shard) const;
  // Values at the given weights and the loss summed over the shard.
  absl::StatusOr<double> RunForward(const Shard& shard, std::span<const float> weights, Primals& primals) const;
  // Values and the gradients that Hessian products read, at the network's own weights.
  absl::Status RunPrimals(const Shard& shard, Primals& primals) const;
  // The same from the cache where the shard has a place in it, else run into `own`.
  absl::StatusOr<const Primals*> PrimalsOf(const Shard& shard, Primals& own) const;

  // Runs work(workspace, shard, partial) for every shard and add(partial) in shard order. Few partial results exist at
  // a time; how many does not change the order of additions.
  using ShardWork = std::function<absl::Status(Workspace&, const Shard&, Partial&)>;
  absl::Status SumOverShards(const RunContext& context, const ShardWork& work,
                             const std::function<void(const Partial&)>& add) const;

  // Errors of HessianVectorProduct's arguments.
  absl::Status CheckProduct(size_t v_size, std::optional<int> layer, size_t out_size) const;
  // The tensors of all layer weights, or of one, as a flat vector; zero where there is none.
  std::vector<float> Flatten(const ops::TensorSet& tensors, std::optional<int> layer) const;

  double sample_weight() const { return 1.0 / static_cast<double>(num_samples()); }

  const Graph& graph_;
  const Dataset& data_;
  BoundData bound_;
  const LossEntry& loss_;
  std::string loss_name_;
  LossInput loss_input_;        // set by Compile
  Shape network_output_shape_;  // set by Compile
  std::vector<WeightSlice> slices_;
  FloatVector weights_;
  int64_t batch_ = 1;
  std::unique_ptr<Runner> full_;
  std::unique_ptr<Runner> rest_;  // null if shards come out even

  // Primals of the first shards at the network's own weights: every Hessian product needs them again.
  struct CachedPrimals {
    std::once_flag once;
    absl::Status status;
    std::unique_ptr<Primals> primals;
  };
  std::vector<std::unique_ptr<CachedPrimals>> cache_;  // by shard; as many as max_cache_bytes allows
};

absl::Status NetworkObjective::Compile(int64_t batch, int64_t max_cache_bytes) {
  batch_ = batch;
  if (graph_.outputs.empty()) return InvalidArgument("the network has no output");
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, ops::InferShapes(graph_, batch));
  loss_input_ = ops::FindLossInput(graph_, shapes, loss_);
  network_output_shape_ = shapes[graph_.outputs[0]];
  BITPLAN_ASSIGN_OR_RETURN(Program full, Program::Compile(graph_, batch, loss_input_.value));
  full_ = std::make_unique<Runner>(std::move(full));
  if (const int64_t rest_samples = num_samples() % batch; rest_samples > 0) {
    BITPLAN_ASSIGN_OR_RETURN(Program rest, Program::Compile(graph_, rest_samples, loss_input_.value));
    rest_ = std::make_unique<Runner>(std::move(rest));
  }
  const int64_t num_cached = std::min<int64_t>(num_shards(), max_cache_bytes / full_->num_primal_bytes());
  for (int64_t i = 0; i < num_cached; ++i) cache_.push_back(std::make_unique<CachedPrimals>());
  return absl::OkStatus();
}

absl::Status NetworkObjective::CheckFirstShard() const {
  const Shard first = shard(0);
  Primals primals(runner(first).program());
  return RunForward(first, weights_, primals).status();
}

ops::Feed NetworkObjective::FeedOf(const Shard& shard, std::span<const float> weights) const {
  ops::Feed feed;
  for (const Tensor* values : bound_.inputs) {
    const int64_t size = static_cast<int64_t>(values->data.size()) / values->shape[0];
    feed.inputs.push_back(std::span<const float>(values->data).subspan(shard.begin * size, shard.count * size));
  }
  for (int i = 0; i < static_cast<int>(slices_.size()); ++i) feed.weights.push_back(SliceOf(weights, i));
  return feed;
}

LossBatch NetworkObjective::LossBatchOf(const Shard& shard, std::span<const float> outputs) const {
  const int64_t width = static_cast<int64_t>(outputs.size()) / shard.count;
  LossBatch batch{.outputs = outputs, .num_samples = shard.count, .width = width};
  if (const auto* labels = std::get_if<ClassLabels>(&data_.targets)) {
    batch.labels = std::span<const int64_t>(*labels).subspan(shard.begin, shard.count);
  } else {
    const FloatVector& targets = std::get<Tensor>(data_.targets).data;
    batch.targets = std::span<const float>(targets).subspan(shard.begin * width, shard.count * width);
  }
  return batch;
}

std::vector<float> NetworkObjective::Flatten(const ops::TensorSet& tensors, std::optional<int> layer) const {
  std::vector<float> flat;
  for (int i = 0; i < static_cast<int>(slices_.size()); ++i) {
    if (layer && *layer != i) continue;
    const std::span<const float> tensor = tensors.view(graph_.layer_weights[i].weight);
    flat.insert(flat.end(), tensor.begin(), tensor.end());
    if (tensor.empty()) flat.resize(flat.size() + slices_[i].size, 0.0F);
  }
  return flat;
}

absl::Status NetworkObjective::CheckWeights(std::span<const float> weights) const {
  if (weights.empty() || weights.size() == weights_.size()) return absl::OkStatus();
  return InvalidArgument("weights: got {} entries, want {}", weights.size(), weights_.size());
}

absl::Status NetworkObjective::CheckFinite(double loss, const Primals& primals, const Shard& shard) const {
  if (std::isfinite(loss)) return absl::OkStatus();
  const std::string where = ops::FirstNonFinite(runner(shard).program(), primals).value_or("loss");
  return InvalidArgument("{}: the output is not finite for samples {}..{}", where, shard.begin,
                         shard.begin + shard.count - 1);
}

absl::StatusOr<double> NetworkObjective::RunForward(const Shard& shard, std::span<const float> weights,
                                                    Primals& primals) const {
  const Program& program = runner(shard).program();
  ops::Forward(program, FeedOf(shard, weights), primals);
  const double loss = loss_.value(LossBatchOf(shard, primals.values.view(program.output)));
  BITPLAN_RETURN_IF_ERROR(CheckFinite(loss, primals, shard));
  return loss;
}

absl::Status NetworkObjective::RunPrimals(const Shard& shard, Primals& primals) const {
  BITPLAN_RETURN_IF_ERROR(RunForward(shard, weights_, primals).status());
  const Program& program = runner(shard).program();
  const LossBatch batch = LossBatchOf(shard, primals.values.view(program.output));
  loss_.gradient(batch, sample_weight(), primals.gradients.Claim(program.output));
  ops::Backward(program, runner(shard).active_inside(), primals);
  return absl::OkStatus();
}

absl::StatusOr<const Primals*> NetworkObjective::PrimalsOf(const Shard& shard, Primals& own) const {
  const int64_t index = shard.begin / batch_;
  if (index >= static_cast<int64_t>(cache_.size())) {
    BITPLAN_RETURN_IF_ERROR(RunPrimals(shard, own));
    return &own;
  }
  CachedPrimals& cached = *cache_[index];
  std::call_once(cached.once, [&] {
    cached.primals = std::make_unique<Primals>(runner(shard).program());
    cached.status = RunPrimals(shard, *cached.primals);
  });
  BITPLAN_RETURN_IF_ERROR(cached.status);
  return cached.primals.get();
}

absl::Status NetworkObjective::SumOverShards(const RunContext& context, const ShardWork& work,
                                             const std::function<void(const Partial&)>& add) const {
  constexpr int kShardsPerThread = 4;  // enough to keep threads busy to the end of a wave
  const int wave = std::max(1, context.num_threads) * kShardsPerThread;
  for (int begin = 0; begin < num_shards(); begin += wave) {
    std::vector<Partial> partials(std::min(wave, num_shards() - begin));
    BITPLAN_RETURN_IF_ERROR(ParallelShards(context, static_cast<int>(partials.size()), [&](int i) {
      const Shard current = shard(begin + i);
      std::unique_ptr<Workspace> workspace = runner(current).Take();
      BITPLAN_RETURN_IF_ERROR(work(*workspace, current, partials[i]));
      runner(current).Return(std::move(workspace));
      return absl::OkStatus();
    }));
    for (const Partial& partial : partials) add(partial);
  }
  return absl::OkStatus();
}

absl::StatusOr<double> NetworkObjective::Loss(std::span<const float> weights, const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckWeights(weights));
  const std::span<const float> at = weights.empty() ? std::span<const float>(weights_) : weights;
  double sum = 0;
  const ShardWork work = [&](Workspace& workspace, const Shard& shard, Partial& partial) -> absl::Status {
    BITPLAN_ASSIGN_OR_RETURN(partial.loss, RunForward(shard, at, workspace.primals));
    return absl::OkStatus();
  };
  BITPLAN_RETURN_IF_ERROR(SumOverShards(context, work, [&](const Partial& partial) { sum += partial.loss; }));
  return sum * sample_weight();
}

absl::StatusOr<LossAndGradient> NetworkObjective::Gradient(std::span<const float> weights,
                                                           const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckWeights(weights));
  const std::span<const float> at = weights.empty() ? std::span<const float>(weights_) : weights;
  const ShardWork work = [&](Workspace& workspace, const Shard& shard, Partial& partial) -> absl::Status {
    Primals& primals = workspace.primals;
    BITPLAN_ASSIGN_OR_RETURN(partial.loss, RunForward(shard, at, primals));
    const Runner& run = runner(shard);
    const ValueId output = run.program().output;
    loss_.gradient(LossBatchOf(shard, primals.values.view(output)), sample_weight(), primals.gradients.Claim(output));
    ops::Backward(run.program(), run.active(std::nullopt), primals);
    partial.vector = Flatten(primals.gradients, std::nullopt);
    return absl::OkStatus();
  };
  LossAndGradient result{.gradient = std::vector<double>(weights_.size(), 0.0)};
  const auto add = [&](const Partial& partial) {
    result.loss += partial.loss;
    AddTo(result.gradient, partial.vector);
  };
  BITPLAN_RETURN_IF_ERROR(SumOverShards(context, work, add));
  result.loss *= sample_weight();
  return result;
}

absl::Status NetworkObjective::CheckProduct(size_t v_size, std::optional<int> layer, size_t out_size) const {
  const int num_layers = static_cast<int>(slices_.size());
  if (layer && (*layer < 0 || *layer >= num_layers)) {
    return InvalidArgument("layer: got {}, want 0..{}", *layer, num_layers - 1);
  }
  const size_t wanted = layer ? slices_[*layer].size : weights_.size();
  if (v_size == wanted && out_size == wanted) return absl::OkStatus();
  return InvalidArgument("v and out: got {} and {} entries, want {}", v_size, out_size, wanted);
}

absl::Status NetworkObjective::HessianVectorProduct(std::span<const float> v, std::optional<int> layer,
                                                    std::span<double> out, const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckProduct(v.size(), layer, out.size()));
  std::vector<std::span<const float>> directions(slices_.size());
  for (int i = 0; i < static_cast<int>(slices_.size()); ++i) {
    if (!layer) directions[i] = SliceOf(v, i);
  }
  if (layer) directions[*layer] = v;
  const ShardWork work = [&](Workspace& workspace, const Shard& shard, Partial& partial) -> absl::Status {
    BITPLAN_ASSIGN_OR_RETURN(const Primals* primals, PrimalsOf(shard, workspace.primals));
    const Runner& run = runner(shard);
    const ValueId output = run.program().output;
    if (!run.active(layer)[output]) return absl::OkStatus();  // the loss does not depend on the layer
    Tangents& tangents = workspace.tangents;
    ops::ForwardTangent(run.program(), run.active(layer), directions, *primals, tangents);
    loss_.curvature(LossBatchOf(shard, primals->values.view(output)), tangents.values.view(output), sample_weight(),
                    tangents.gradients.Claim(output));
    ops::BackwardTangent(run.program(), run.active(layer), *primals, tangents);
    partial.vector = Flatten(tangents.gradients, layer);
    return absl::OkStatus();
  };
  std::ranges::fill(out, 0.0);
  return SumOverShards(context, work, [&](const Partial& partial) { AddTo(out, partial.vector); });
}

absl::StatusOr<Tensor> NetworkObjective::Outputs(std::span<const float> weights, const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckWeights(weights));
  const std::span<const float> at = weights.empty() ? std::span<const float>(weights_) : weights;
  Tensor result{.shape = full_->output_shape()};
  result.shape[0] = num_samples();
  const ShardWork work = [&](Workspace& workspace, const Shard& shard, Partial& partial) {
    const Program& program = runner(shard).program();
    ops::Forward(program, FeedOf(shard, at), workspace.primals);
    const std::span<const float> output = workspace.primals.values.view(program.output);
    partial.vector.assign(output.begin(), output.end());
    return absl::OkStatus();
  };
  BITPLAN_RETURN_IF_ERROR(SumOverShards(context, work, [&](const Partial& partial) {
    result.data.insert(result.data.end(), partial.vector.begin(), partial.vector.end());
  }));
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Objective>> Objective::Create(const Graph& graph, const Dataset& data,
                                                             const ObjectiveOptions& options) {
  BITPLAN_ASSIGN_OR_RETURN(BoundData bound, BindInputs(graph, data));
  if (options.max_cache_bytes < 0) return InvalidArgument("max_cache_bytes: got {}", options.max_cache_bytes);
  if (options.max_samples < 0) return InvalidArgument("max_samples: got {}, want at least 0", options.max_samples);
  if (options.max_samples > 0) bound.num_samples = std::min(bound.num_samples, options.max_samples);
  BITPLAN_ASSIGN_OR_RETURN(const LossEntry* loss, ChooseLoss(options.loss, data));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t batch, ChooseBatch(graph, bound.num_samples, options.samples_per_shard));
  const int64_t num_samples = bound.num_samples;
  auto objective = std::make_unique<NetworkObjective>(graph, data, std::move(bound), *loss);
  BITPLAN_RETURN_IF_ERROR(objective->Compile(batch, options.max_cache_bytes));
  BITPLAN_RETURN_IF_ERROR(CheckTargets(data, num_samples, objective->network_output_shape(), batch));
  BITPLAN_RETURN_IF_ERROR(objective->CheckFirstShard());
  return objective;
}

}  // namespace bitplan
