#include "search/ops/objective.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

#include "search/base/parallel.h"
#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/ops/bind_inputs.h"
#include "search/ops/executor.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/loss_input.h"
#include "search/ops/ordered_sum.h"
#include "search/ops/runner.h"
#include "search/ops/sample_loss.h"

namespace bitplan {
namespace {

using ops::Activity;
using ops::Primals;
using ops::Program;
using ops::Runner;
using ops::SampleLoss;
using ops::Tangents;
using ops::Workspace;

// Tensors that a Hessian product keeps for every value: value, tangent, gradient, gradient tangent.
constexpr int64_t kTensorsPerValue = 4;
// A shard takes fewer samples if one thread would need more than this.
constexpr int64_t kMaxShardBytes = int64_t{1} << 30;
// Below this no run is tried: one batch alone would not fit.
constexpr int64_t kMaxBatchBytes = int64_t{16} << 30;

// Samples begin .. begin + count - 1.
struct Shard {
  int64_t begin = 0;
  int64_t count = 0;
};

// How memory is shared out.
struct MemoryPlan {
  int64_t batch = 1;        // samples of a shard
  int64_t cache_bytes = 0;  // kept between products
  int max_threads = std::numeric_limits<int>::max();
};

// What the weights take: results, kernels' copies of them for the ways forward and back, and for each thread a
// tangent's copy and the gradients.
constexpr int64_t kSharedBytesPerWeight = 16;
constexpr int64_t kThreadBytesPerWeight = 8;

// With a limit: a quarter of what the weights leave is for the cache; a shard takes at most a quarter of it, or less if
// a single batch of the smallest size needs more.
absl::StatusOr<MemoryPlan> FitMemory(MemoryPlan plan, int64_t limit, int64_t smallest, int64_t smallest_bytes,
                                     int64_t num_weights) {
  if (limit == 0) return plan;
  const int64_t available = limit - num_weights * kSharedBytesPerWeight;
  const int64_t thread_bytes = num_weights * kThreadBytesPerWeight;
  if (smallest_bytes + thread_bytes > available) {
    return ResourceExhausted("max_memory_bytes: got {}, but {} samples need {}", limit, smallest,
                             smallest_bytes + thread_bytes + limit - available);
  }
  const int64_t batches = std::max<int64_t>(1, (available / 4 - thread_bytes) / smallest_bytes);
  plan.batch = std::min(plan.batch, batches * smallest);
  const int64_t shard_bytes = plan.batch / smallest * smallest_bytes + thread_bytes;
  plan.cache_bytes = std::min({plan.cache_bytes, available / 4, available - shard_bytes});
  plan.max_threads = static_cast<int>(std::min<int64_t>(1024, (available - plan.cache_bytes) / shard_bytes));
  return plan;
}

// Samples of one shard: as asked for, fewer where memory says so, the graph's own number where that is fixed.
absl::StatusOr<MemoryPlan> PlanMemory(const Graph& graph, int64_t num_samples, const ObjectiveOptions& options) {
  const int64_t samples_per_shard = options.samples_per_shard;
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
  const int64_t wanted =
      fixed > 0 ? fixed : std::min({samples_per_shard, num_samples, std::max<int64_t>(1, kMaxShardBytes / bytes)});
  int64_t num_weights = 0;
  for (const LayerWeight& layer : graph.layer_weights) num_weights += NumElements(shapes[layer.weight]);
  return FitMemory({.batch = wanted, .cache_bytes = options.max_cache_bytes}, options.max_memory_bytes, smallest, bytes,
                   num_weights);
}

class NetworkObjective final : public Objective {
 public:
  NetworkObjective(const Graph& graph, std::vector<const Tensor*> inputs, int64_t num_samples)
      : graph_(graph),
        inputs_(std::move(inputs)),
        num_samples_(num_samples),
        activation_points_(FindActivationPoints(graph)) {
    for (size_t p = 0; p < activation_points_.size(); ++p) {
      point_of_[activation_points_[p].value] = static_cast<int>(p);
    }
    for (const LayerWeight& layer : graph.layer_weights) {
      const FloatVector& weight = std::get<Tensor>(graph.values[layer.weight].constant).data;
      slices_.push_back({.offset = static_cast<int64_t>(weights_.size()), .size = static_cast<int64_t>(weight.size())});
      weights_.insert(weights_.end(), weight.begin(), weight.end());
    }
  }

  // Binds the loss and makes the programs for full shards and for the rest. kInvalidArgument if the dataset does not
  // fit the loss, or the first shard's loss is not finite at the network's own weights.
  absl::Status Compile(const MemoryPlan& memory, const ops::LossOptions& options, const Dataset& data);
  // Makes places for what Hessian products need again and again; after Compile.
  void MakeCache(int64_t max_bytes);

  int64_t num_weights() const override { return static_cast<int64_t>(weights_.size()); }
  int64_t num_samples() const override { return num_samples_; }
  const std::string& loss_name() const override { return loss_->name(); }
  const std::string& loss_note() const override { return loss_input_.note; }
  const std::vector<WeightSlice>& slices() const override { return slices_; }
  const std::vector<ActivationPoint>& activation_points() const override { return activation_points_; }
  std::span<const float> weights() const override { return weights_; }

  absl::StatusOr<double> Loss(std::span<const float> weights, const RunContext& context) const override;
  absl::StatusOr<LossAndGradient> Gradient(std::span<const float> weights, const RunContext& context) const override;
  absl::StatusOr<double> GradientInto(std::span<const float> weights, std::span<double> out,
                                      const RunContext& context) const override;
  absl::Status VectorProduct(CurvatureMatrix matrix, std::span<const float> v, std::optional<int> layer,
                             std::span<double> out, const RunContext& context) const override;
  int64_t num_outputs() const override { return NumElements(full_->output_shape()) / batch_; }
  OutputRows output_rows() const override {
    return {.rows = num_outputs() / loss_->width(), .width = loss_->width(), .stride = loss_->entry_stride()};
  }
  absl::StatusOr<std::vector<double>> OutputCurvatureTraces(const RunContext& context) const override;
  absl::Status PullBack(std::span<const OutputFactor> factors, PullBackVisitor& visitor,
                        const RunContext& context) const override;
  absl::StatusOr<Tensor> Outputs(std::span<const float> weights, const RunContext& context) const override;
  absl::Status RunSubstituted(std::span<const Substitution> substitutions, const VisitOutputs& visit,
                              const RunContext& context) const override;

 private:
  // What one shard adds to a sum over samples: its loss, and the tensors of layer weights in its workspace, if any.
  struct Term {
    double loss = 0;
    const ops::TensorSet* gradients = nullptr;
  };

  int num_shards() const { return static_cast<int>((num_samples() + batch_ - 1) / batch_); }
  Shard shard(int index) const {
    const int64_t begin = index * batch_;
    return {.begin = begin, .count = std::min(batch_, num_samples() - begin)};
  }
  Runner& runner(const Shard& shard) const { return shard.count == batch_ ? *full_ : *rest_; }

  // With as many threads as memory allows.
  RunContext Fitting(RunContext context) const {
    context.num_threads = std::min(context.num_threads, max_threads_);
    return context;
  }
  // Lets operators keep the network's own weights in the form their kernels want.
  void PinWeights(const Program& program) const;
  ops::Feed FeedOf(const Shard& shard, std::span<const float> weights) const;
  std::span<const float> SliceOf(std::span<const float> weights, int layer) const {
    return weights.subspan(slices_[layer].offset, slices_[layer].size);
  }
  absl::Status CheckWeights(std::span<const float> weights) const;
  // kInvalidArgument that names the first node that is not finite.
  absl::Status NotFinite(const Runner& run, const Shard& shard, std::span<const float> weights, Primals& primals) const;
  // Values at the given weights and the loss summed over the shard.
  absl::StatusOr<double> RunForward(const Shard& shard, std::span<const float> weights, ops::KeepValues keep,
                                    Primals& primals) const;
  // Values and the gradients that Hessian products read, at the network's own weights.
  absl::Status RunPrimals(const Shard& shard, Primals& primals) const;
  // The same from the cache where the shard has a place in it, else run into `own`.
  absl::StatusOr<const Primals*> PrimalsOf(const Shard& shard, Primals& own) const;

  // Runs work(workspace, shard) for every shard and adds the terms it returns in shard order: vectors to `sum`, laid
  // out as the weights of all layers or of one. Returns the sum of the losses.
  using ShardWork = std::function<absl::StatusOr<Term>(Workspace&, const Shard&)>;
  absl::StatusOr<double> SumOverShards(const RunContext& context, std::optional<int> layer, std::span<double> sum,
                                       const ShardWork& work) const;

  // Errors of VectorProduct's arguments.
  absl::Status CheckProduct(size_t v_size, std::optional<int> layer, size_t out_size) const;
  // The tensors of all layer weights, or of one, as parts of a flat vector.
  std::vector<ops::Piece> PiecesOf(const ops::TensorSet& tensors, std::optional<int> layer) const;

  double sample_weight() const { return 1.0 / static_cast<double>(num_samples()); }

  absl::Status CheckFactors(std::span<const OutputFactor> factors) const;
  // The program that takes as few samples as the graph allows.
  absl::StatusOr<Runner*> SmallestRunner() const;
  // The factor as a vector over the sample's outputs.
  std::vector<float> OutputVector(const OutputFactor& factor, std::span<const float> outputs) const;
  absl::Status CheckSubstitutions(std::span<const Substitution> substitutions) const;
  // All substitutions on one shard.
  absl::Status RunSubstitutedShard(const ops::SubstitutedRuns& runs, int num_runs, const Shard& shard,
                                   const VisitOutputs& visit, const RunContext& context) const;
  // Pulls back factors of one sample; the first is number first_k.
  absl::Status PullBackSample(std::span<const OutputFactor> factors, int64_t first_k, PullBackVisitor& visitor,
                              const std::vector<bool>& wants_gradient) const;

  const Graph& graph_;
  std::vector<const Tensor*> inputs_;  // as Graph::inputs
  int64_t num_samples_ = 0;            // used
  std::optional<SampleLoss> loss_;     // set by Compile
  ops::LossInput loss_input_;          // set by Compile
  std::vector<ActivationPoint> activation_points_;
  std::map<ValueId, int> point_of_;
  std::vector<WeightSlice> slices_;
  FloatVector weights_;
  int64_t batch_ = 1;
  int max_threads_ = 1;
  std::unique_ptr<Runner> full_;
  std::unique_ptr<Runner> rest_;  // null if shards come out even

  struct Smallest {
    std::once_flag once;
    absl::Status status;
    std::unique_ptr<Runner> runner;
  };
  mutable Smallest smallest_;

  // Primals of the first shards at the network's own weights: every Hessian product needs them again.
  struct CachedPrimals {
    std::once_flag once;
    absl::Status status;
    std::unique_ptr<Primals> primals;
  };
  std::vector<std::unique_ptr<CachedPrimals>> cache_;  // by shard; as many as max_cache_bytes allows
};

absl::Status NetworkObjective::Compile(const MemoryPlan& memory, const ops::LossOptions& options, const Dataset& data) {
  batch_ = memory.batch;
  max_threads_ = memory.max_threads;
  const int64_t batch = batch_;
  if (graph_.outputs.empty()) return InvalidArgument("the network has no output");
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, ops::InferShapes(graph_, batch));
  BITPLAN_ASSIGN_OR_RETURN(SampleLoss loss,
                           SampleLoss::Create(options, data, num_samples_, shapes[graph_.outputs[0]], batch));
  loss_input_ = ops::FindLossInput(graph_, shapes, loss);
  if (loss.label_free() && options.loss == "auto") {
    loss_input_.note += fmt::format("{}the dataset has neither labels nor targets; the loss is {}",
                                    loss_input_.note.empty() ? "" : "; ", loss.name());
  }
  BITPLAN_ASSIGN_OR_RETURN(Program full, Program::Compile(graph_, batch, loss_input_.value));
  PinWeights(full);
  full_ = std::make_unique<Runner>(std::move(full));
  if (const int64_t rest_samples = num_samples() % batch; rest_samples > 0) {
    BITPLAN_ASSIGN_OR_RETURN(Program rest, Program::Compile(graph_, rest_samples, loss_input_.value));
    rest_ = std::make_unique<Runner>(std::move(rest));
  }
  if (loss.label_free()) {
    BITPLAN_ASSIGN_OR_RETURN(const Tensor outputs, Outputs({}, RunContext()));
    loss.SetOwnOutputs(outputs.data);
  }
  loss_ = std::move(loss);
  const Shard first = shard(0);
  Primals primals(runner(first).program());
  return RunForward(first, weights_, ops::KeepValues::kNone, primals).status();
}

void NetworkObjective::MakeCache(int64_t max_bytes) {
  const int64_t num_cached = std::min<int64_t>(num_shards(), max_bytes / full_->num_primal_bytes());
  for (int64_t i = 0; i < num_cached; ++i) cache_.push_back(std::make_unique<CachedPrimals>());
}

void NetworkObjective::PinWeights(const Program& program) const {
  std::map<ValueId, int> layer_of;
  for (int l = 0; l < static_cast<int>(slices_.size()); ++l) layer_of[graph_.layer_weights[l].weight] = l;
  for (const Program::Step& step : program.steps) {
    const std::vector<ValueId>& inputs = graph_.nodes[step.node].inputs;
    for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
      const auto found = layer_of.find(inputs[i]);
      if (found != layer_of.end()) step.op->Pin(i, SliceOf(weights_, found->second));
    }
  }
}

ops::Feed NetworkObjective::FeedOf(const Shard& shard, std::span<const float> weights) const {
  ops::Feed feed;
  for (const Tensor* values : inputs_) {
    const int64_t size = static_cast<int64_t>(values->data.size()) / values->shape[0];
    feed.inputs.push_back(std::span<const float>(values->data).subspan(shard.begin * size, shard.count * size));
  }
  for (int i = 0; i < static_cast<int>(slices_.size()); ++i) feed.weights.push_back(SliceOf(weights, i));
  return feed;
}

std::vector<ops::Piece> NetworkObjective::PiecesOf(const ops::TensorSet& tensors, std::optional<int> layer) const {
  std::vector<ops::Piece> pieces;
  for (int i = 0; i < static_cast<int>(slices_.size()); ++i) {
    if (layer && *layer != i) continue;
    const std::span<const float> tensor = tensors.view(graph_.layer_weights[i].weight);
    if (!tensor.empty()) pieces.push_back({.offset = layer ? 0 : slices_[i].offset, .values = tensor});
  }
  return pieces;
}

absl::Status NetworkObjective::CheckWeights(std::span<const float> weights) const {
  if (weights.empty() || weights.size() == weights_.size()) return absl::OkStatus();
  return InvalidArgument("weights: got {} entries, want {}", weights.size(), weights_.size());
}

absl::Status NetworkObjective::NotFinite(const Runner& run, const Shard& shard, std::span<const float> weights,
                                         Primals& primals) const {
  ops::Forward(run.program(), FeedOf(shard, weights), ops::KeepValues::kAll, primals);
  const std::string where = ops::FirstNonFinite(run.program(), primals).value_or("loss");
  return InvalidArgument("{}: the output is not finite for samples {}..{}", where, shard.begin,
                         shard.begin + shard.count - 1);
}

absl::StatusOr<double> NetworkObjective::RunForward(const Shard& shard, std::span<const float> weights,
                                                    ops::KeepValues keep, Primals& primals) const {
  const Program& program = runner(shard).program();
  ops::Forward(program, FeedOf(shard, weights), keep, primals);
  const double loss = loss_->Value(shard.begin, primals.values.view(program.output));
  if (!std::isfinite(loss)) return NotFinite(runner(shard), shard, weights, primals);
  return loss;
}

absl::Status NetworkObjective::RunPrimals(const Shard& shard, Primals& primals) const {
  BITPLAN_RETURN_IF_ERROR(RunForward(shard, weights_, ops::KeepValues::kForDerivatives, primals).status());
  const Program& program = runner(shard).program();
  loss_->Gradient(shard.begin, primals.values.view(program.output), sample_weight(),
                  primals.gradients.Claim(program.output));
  ops::BackwardForTangents(program, runner(shard).active_inside(), primals);
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
    cached.primals->values.pool().Drop();
  });
  BITPLAN_RETURN_IF_ERROR(cached.status);
  return cached.primals.get();
}

absl::StatusOr<double> NetworkObjective::SumOverShards(const RunContext& context, std::optional<int> layer,
                                                       std::span<double> sum, const ShardWork& work) const {
  ops::OrderedSum terms(sum);
  constexpr int kShardsPerThread = 8;  // bounds the terms that wait for a slow one
  const RunContext fitting = Fitting(context);
  const int wave = std::max(1, fitting.num_threads) * kShardsPerThread;
  for (int begin = 0; begin < num_shards(); begin += wave) {
    BITPLAN_RETURN_IF_ERROR(ParallelShards(fitting, std::min(wave, num_shards() - begin), [&](int i) -> absl::Status {
      const Shard current = shard(begin + i);
      std::unique_ptr<Workspace> workspace = runner(current).Take();
      BITPLAN_ASSIGN_OR_RETURN(const Term term, work(*workspace, current));
      terms.Add(begin + i, term.loss, term.gradients ? PiecesOf(*term.gradients, layer) : std::vector<ops::Piece>());
      runner(current).Return(std::move(workspace));
      return absl::OkStatus();
    }));
  }
  return terms.number();
}

absl::StatusOr<double> NetworkObjective::Loss(std::span<const float> weights, const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckWeights(weights));
  const std::span<const float> at = weights.empty() ? std::span<const float>(weights_) : weights;
  const ShardWork work = [&](Workspace& workspace, const Shard& shard) -> absl::StatusOr<Term> {
    BITPLAN_ASSIGN_OR_RETURN(const double loss, RunForward(shard, at, ops::KeepValues::kNone, workspace.primals));
    return Term{.loss = loss};
  };
  BITPLAN_ASSIGN_OR_RETURN(const double sum, SumOverShards(context, std::nullopt, {}, work));
  return sum * sample_weight();
}

absl::StatusOr<LossAndGradient> NetworkObjective::Gradient(std::span<const float> weights,
                                                           const RunContext& context) const {
  LossAndGradient result{.gradient = std::vector<double>(weights_.size())};
  BITPLAN_ASSIGN_OR_RETURN(result.loss, GradientInto(weights, result.gradient, context));
  return result;
}

absl::StatusOr<double> NetworkObjective::GradientInto(std::span<const float> weights, std::span<double> out,
                                                      const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckWeights(weights));
  if (out.size() != weights_.size()) {
    return InvalidArgument("out: got {} entries, want {}", out.size(), weights_.size());
  }
  const std::span<const float> at = weights.empty() ? std::span<const float>(weights_) : weights;
  const ShardWork work = [&](Workspace& workspace, const Shard& shard) -> absl::StatusOr<Term> {
    Primals& primals = workspace.primals;
    BITPLAN_ASSIGN_OR_RETURN(const double loss, RunForward(shard, at, ops::KeepValues::kForDerivatives, primals));
    const Runner& run = runner(shard);
    const ValueId output = run.program().output;
    loss_->Gradient(shard.begin, primals.values.view(output), sample_weight(), primals.gradients.Claim(output));
    ops::BackwardLast(run.program(), run.active(std::nullopt), primals);
    return Term{.loss = loss, .gradients = &primals.gradients};
  };
  BITPLAN_ASSIGN_OR_RETURN(const double sum, SumOverShards(context, std::nullopt, out, work));
  return sum * sample_weight();
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

absl::Status NetworkObjective::VectorProduct(CurvatureMatrix matrix, std::span<const float> v, std::optional<int> layer,
                                             std::span<double> out, const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckProduct(v.size(), layer, out.size()));
  std::vector<std::span<const float>> directions(slices_.size());
  for (int i = 0; i < static_cast<int>(slices_.size()); ++i) {
    if (!layer) directions[i] = SliceOf(v, i);
  }
  if (layer) directions[*layer] = v;
  const ShardWork work = [&](Workspace& workspace, const Shard& shard) -> absl::StatusOr<Term> {
    BITPLAN_ASSIGN_OR_RETURN(const Primals* primals, PrimalsOf(shard, workspace.primals));
    const Runner& run = runner(shard);
    const ValueId output = run.program().output;
    if (!run.active(layer)[output]) return Term();  // the loss does not depend on the layer
    Tangents& tangents = workspace.tangents;
    ops::ForwardTangent(run.program(), run.active(layer), directions, *primals, tangents);
    const std::span<float> z_bar_dot = tangents.gradients.Claim(output);
    if (matrix == CurvatureMatrix::kRemainder) {
      std::ranges::fill(z_bar_dot, 0.0F);
    } else {
      loss_->Curvature(shard.begin, primals->values.view(output), tangents.values.view(output), sample_weight(),
                       z_bar_dot);
    }
    if (matrix == CurvatureMatrix::kGaussNewton) {
      tangents.values.Clear();
      ops::Backward(run.program(), run.active(layer), primals->values, tangents.gradients);
    } else {
      ops::BackwardTangent(run.program(), run.active(layer), *primals, tangents);
    }
    return Term{.gradients = &tangents.gradients};
  };
  return SumOverShards(context, layer, out, work).status();
}

absl::StatusOr<std::vector<double>> NetworkObjective::OutputCurvatureTraces(const RunContext& context) const {
  BITPLAN_ASSIGN_OR_RETURN(const Tensor outputs, Outputs({}, context));
  std::vector<double> traces(num_samples());
  loss_->CurvatureTrace(0, outputs.data, traces);
  return traces;
}

absl::Status NetworkObjective::CheckFactors(std::span<const OutputFactor> factors) const {
  for (size_t k = 0; k < factors.size(); ++k) {
    const auto& [sample, kind, index, seed] = factors[k];
    if (sample < 0 || sample >= num_samples()) {
      return InvalidArgument("factors[{}].sample: got {}, want 0..{}", k, sample, num_samples() - 1);
    }
    if (kind != OutputFactor::Kind::kLossSigns && index >= static_cast<uint64_t>(num_outputs())) {
      return InvalidArgument("factors[{}].index: got {}, want 0..{}", k, index, num_outputs() - 1);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Runner*> NetworkObjective::SmallestRunner() const {
  std::call_once(smallest_.once, [&] {
    const auto compile = [&]() -> absl::StatusOr<std::unique_ptr<Runner>> {
      BITPLAN_ASSIGN_OR_RETURN(const int64_t fixed, ops::FixedBatch(graph_));
      BITPLAN_ASSIGN_OR_RETURN(Program program,
                               Program::Compile(graph_, std::max<int64_t>(fixed, 1), loss_input_.value));
      PinWeights(program);
      std::vector<ValueId> points;
      points.reserve(activation_points_.size());
      for (const ActivationPoint& point : activation_points_) points.push_back(point.value);
      return std::make_unique<Runner>(std::move(program), points);
    };
    absl::StatusOr<std::unique_ptr<Runner>> compiled = compile();
    smallest_.status = compiled.status();
    if (compiled.ok()) smallest_.runner = *std::move(compiled);
  });
  BITPLAN_RETURN_IF_ERROR(smallest_.status);
  return smallest_.runner.get();
}

std::vector<float> NetworkObjective::OutputVector(const OutputFactor& factor, std::span<const float> outputs) const {
  std::vector<float> r(outputs.size(), 0.0F);
  if (factor.kind == OutputFactor::Kind::kLossSigns) {
    Rng(factor.seed, factor.index).FillRademacher(r);
  } else {
    r[factor.index] = 1;
  }
  if (factor.kind == OutputFactor::Kind::kOutputColumn) return r;
  std::vector<float> s(outputs.size());
  loss_->Factor(factor.sample, outputs, r, s);
  return s;
}

absl::Status NetworkObjective::PullBackSample(std::span<const OutputFactor> factors, int64_t first_k,
                                              PullBackVisitor& visitor, const std::vector<bool>& wants_gradient) const {
  BITPLAN_ASSIGN_OR_RETURN(Runner * run, SmallestRunner());
  const Program& program = run->program();
  const int64_t batch = run->output_shape()[0];
  const int64_t row = factors[0].sample % batch;  // of the sample among those the graph takes together
  const Shard samples{.begin = factors[0].sample - row, .count = batch};
  std::unique_ptr<Workspace> workspace = run->Take();
  Primals& primals = workspace->primals;
  ops::Forward(program, FeedOf(samples, weights_), ops::KeepValues::kForDerivatives, primals);
  const std::span<const float> outputs =
      primals.values.view(program.output).subspan(row * num_outputs(), num_outputs());
  if (!std::ranges::all_of(outputs, [](float z) { return std::isfinite(z); })) {
    return NotFinite(*run, samples, weights_, primals);
  }
  for (size_t i = 0; i < factors.size(); ++i) {
    const std::vector<float> s = OutputVector(factors[i], outputs);
    const std::span<float> z_bar = primals.gradients.Claim(program.output);
    std::ranges::fill(z_bar, 0.0F);
    std::ranges::copy(s, z_bar.begin() + row * num_outputs());
    const int64_t k = first_k + static_cast<int64_t>(i);
    const ops::VisitLayer visit_layer = [&](int layer, std::span<const float> gradient, double squared_norm) {
      visitor.Visit(k, layer, gradient, squared_norm);
    };
    ops::VisitValue visit_value;
    if (visitor.wants_activations()) {
      visit_value = [&](ValueId id, std::span<const float> gradient) {
        const auto point = point_of_.find(id);
        if (point == point_of_.end()) return;
        visitor.VisitActivation(k, point->second, primals.values.view(id), gradient);
      };
    }
    ops::BackwardByLayer(program, visitor.wants_activations() ? run->active_with_points() : run->active_by_layer(),
                         run->layer_reads(), primals.values, primals.gradients,
                         {.wants_gradient = wants_gradient, .visit_layer = visit_layer, .visit_value = visit_value});
  }
  run->Return(std::move(workspace));
  return absl::OkStatus();
}

absl::Status NetworkObjective::PullBack(std::span<const OutputFactor> factors, PullBackVisitor& visitor,
                                        const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckFactors(factors));
  std::vector<bool> wants_gradient;
  wants_gradient.reserve(slices_.size());
  for (int l = 0; l < static_cast<int>(slices_.size()); ++l) wants_gradient.push_back(visitor.wants_gradient(l));
  std::vector<size_t> begins;  // of runs of one sample
  for (size_t k = 0; k < factors.size(); ++k) {
    if (k == 0 || factors[k].sample != factors[k - 1].sample) begins.push_back(k);
  }
  begins.push_back(factors.size());
  return ParallelShards(Fitting(context), static_cast<int>(begins.size()) - 1, [&](int i) {
    return PullBackSample(factors.subspan(begins[i], begins[i + 1] - begins[i]), static_cast<int64_t>(begins[i]),
                          visitor, wants_gradient);
  });
}

absl::StatusOr<Tensor> NetworkObjective::Outputs(std::span<const float> weights, const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckWeights(weights));
  const std::span<const float> at = weights.empty() ? std::span<const float>(weights_) : weights;
  Tensor result{.shape = full_->output_shape()};
  result.shape[0] = num_samples();
  result.data.resize(NumElements(result.shape));
  const ShardWork work = [&](Workspace& workspace, const Shard& shard) -> absl::StatusOr<Term> {
    const Program& program = runner(shard).program();
    ops::Forward(program, FeedOf(shard, at), ops::KeepValues::kNone, workspace.primals);
    std::ranges::copy(workspace.primals.values.view(program.output), &result.data[shard.begin * num_outputs()]);
    return Term();
  };
  BITPLAN_RETURN_IF_ERROR(SumOverShards(context, std::nullopt, {}, work).status());
  return result;
}

absl::Status NetworkObjective::CheckSubstitutions(std::span<const Substitution> substitutions) const {
  const int num_layers = static_cast<int>(slices_.size());
  for (size_t k = 0; k < substitutions.size(); ++k) {
    for (const auto& [layer, weight] : substitutions[k].weights) {
      if (layer < 0 || layer >= num_layers) {
        return InvalidArgument("substitutions[{}].weights: got layer {}, want 0..{}", k, layer, num_layers - 1);
      }
      if (std::cmp_not_equal(weight.size(), slices_[layer].size)) {
        return InvalidArgument("substitutions[{}].weights: got {} entries for layer {}, want {}", k, weight.size(),
                               layer, slices_[layer].size);
      }
    }
    for (const auto& [value, transform] : substitutions[k].transforms) {
      const bool known = value >= 0 && std::cmp_less(value, graph_.values.size());
      if (!known || graph_.values[value].is_constant()) {
        return InvalidArgument("substitutions[{}].transforms: value {} is not computed at run time", k, value);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status NetworkObjective::RunSubstitutedShard(const ops::SubstitutedRuns& runs, int num_runs, const Shard& shard,
                                                   const VisitOutputs& visit, const RunContext& context) const {
  std::unique_ptr<Workspace> workspace = runner(shard).Take();
  ops::TensorSet& shared = workspace->primals.values;
  ops::TensorSet& own = workspace->tangents.values;
  runs.RunShared(FeedOf(shard, weights_), shared);
  std::vector<double> losses(shard.count);
  for (int k = 0; k < num_runs; ++k) {
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    const std::span<const float> outputs = runs.Run(k, shared, shard.begin, own);
    loss_->Values(shard.begin, outputs, losses);
    if (!std::ranges::all_of(losses, [](double loss) { return std::isfinite(loss); })) {
      return InvalidArgument("substitutions[{}]: the output is not finite for samples {}..{}", k, shard.begin,
                             shard.begin + shard.count - 1);
    }
    visit(k, shard.begin, outputs, losses);
  }
  own.Clear();
  shared.Clear();
  runner(shard).Return(std::move(workspace));
  return absl::OkStatus();
}

absl::Status NetworkObjective::RunSubstituted(std::span<const Substitution> substitutions, const VisitOutputs& visit,
                                              const RunContext& context) const {
  BITPLAN_RETURN_IF_ERROR(CheckSubstitutions(substitutions));
  const ops::SubstitutedRuns full(full_->program(), substitutions);
  std::optional<ops::SubstitutedRuns> rest;
  if (rest_) rest.emplace(rest_->program(), substitutions);
  const RunContext fitting = Fitting(context);
  const int wave = std::max(1, fitting.num_threads);  // shards between reports
  for (int begin = 0; begin < num_shards(); begin += wave) {
    const int end = std::min(begin + wave, num_shards());
    BITPLAN_RETURN_IF_ERROR(ParallelShards(fitting, end - begin, [&](int i) {
      const Shard current = shard(begin + i);
      return RunSubstitutedShard(current.count == batch_ ? full : *rest, static_cast<int>(substitutions.size()),
                                 current, visit, fitting);
    }));
    context.Report({.stage = "forward", .fraction = static_cast<double>(end) / num_shards()});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Objective>> Objective::Create(const Graph& graph, const Dataset& data,
                                                             const ObjectiveOptions& options) {
  BITPLAN_ASSIGN_OR_RETURN(std::vector<const Tensor*> inputs, ops::BindInputs(graph, data));
  if (options.max_cache_bytes < 0) return InvalidArgument("max_cache_bytes: got {}", options.max_cache_bytes);
  if (options.max_samples < 0) return InvalidArgument("max_samples: got {}, want at least 0", options.max_samples);
  const int64_t num_samples =
      options.max_samples > 0 ? std::min(data.num_samples, options.max_samples) : data.num_samples;
  if (options.max_memory_bytes < 0) return InvalidArgument("max_memory_bytes: got {}", options.max_memory_bytes);
  BITPLAN_ASSIGN_OR_RETURN(const MemoryPlan memory, PlanMemory(graph, num_samples, options));
  auto objective = std::make_unique<NetworkObjective>(graph, std::move(inputs), num_samples);
  BITPLAN_RETURN_IF_ERROR(
      objective->Compile(memory, {.loss = options.loss, .label_smoothing = options.label_smoothing}, data));
  objective->MakeCache(memory.cache_bytes);
  return objective;
}

}  // namespace bitplan
