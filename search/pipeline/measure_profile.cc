#include "search/pipeline/measure_profile.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "search/base/digest.h"
#include "search/base/status.h"
#include "search/onnx/parse_model.h"
#include "search/ops/infer_shapes.h"
#include "search/pipeline/version.h"

namespace bitplan::pipeline {
namespace {

using Json = nlohmann::ordered_json;
using ops::KernelTiming;

constexpr int64_t kPreemptionsShare = 4;  // a note where there is more than one in so many repeats

// A layer's kernels as text.
std::string KeyOf(const std::vector<ops::KernelShape>& kernels) {
  std::string key;
  for (const ops::KernelShape& shape : kernels) key += (key.empty() ? "" : "; ") + ops::Describe(shape);
  return key;
}

// Layers that run the same kernels for the same signature.
struct Job {
  ProfileRow row;
  std::vector<ops::KernelShape> kernels;
  bool by_name = false;  // another job has the signature, too
};

std::vector<Job> JobsOf(const Graph& graph, const std::vector<ops::LayerKernels>& kernels) {
  using Signature = std::tuple<LayerKind, std::vector<int64_t>, int64_t>;
  std::map<Signature, std::map<std::string, size_t>> job_of;
  std::vector<Job> jobs;
  for (size_t l = 0; l < kernels.size(); ++l) {
    const Layer& layer = graph.layers.layers[l];
    auto& of_signature = job_of[{layer.kind, layer.weight_shape, layer.macs}];
    const std::string key = kernels[l].unsupported.empty() ? KeyOf(kernels[l].kernels) : "";
    const auto [found, is_new] = of_signature.try_emplace(key, jobs.size());
    if (is_new) {
      jobs.push_back({.row = {.layer = layer, .kernels = key}, .kernels = kernels[l].kernels});
      if (key.empty()) jobs.back().row.notes.push_back(kernels[l].unsupported);
    }
    jobs[found->second].row.layers.push_back(layer.name);
  }
  for (const auto& [unused, of_signature] : job_of) {
    for (const auto& [key, job] : of_signature) jobs[job].by_name = of_signature.size() > 1;
  }
  return jobs;
}

// The kernels one after another; nullopt, and a note, where one has no optimised implementation.
absl::StatusOr<std::optional<KernelTiming>> TimeAll(const Job& job, ops::KernelType type,
                                                    const ops::TimingOptions& options, const RunContext& context,
                                                    std::vector<std::string>& notes) {
  const std::string_view widths = type == ops::KernelType::kInt8 ? "w8a8" : "w32a32";
  KernelTiming sum;
  for (const ops::KernelShape& shape : job.kernels) {
    const absl::StatusOr<KernelTiming> timing = ops::TimeKernel(shape, type, options, context);
    if (timing.status().code() == absl::StatusCode::kUnimplemented) {
      notes.push_back(fmt::format("{}: {}", widths, MessageOf(timing.status())));
      return std::nullopt;
    }
    if (!timing.ok()) return timing.status();
    if (timing->is_reference) {
      notes.push_back(fmt::format("{}: oneDNN has only its reference implementation ({}), which is not timed", widths,
                                  timing->implementation));
      return std::nullopt;
    }
    const bool is_first = sum.repeats == 0;
    sum.median_ns += timing->median_ns;
    sum.standard_error_ns = std::hypot(sum.standard_error_ns, timing->standard_error_ns);
    sum.interquartile_ns = std::hypot(sum.interquartile_ns, timing->interquartile_ns);
    sum.repeats = is_first ? timing->repeats : std::min(sum.repeats, timing->repeats);
    sum.preemptions += timing->preemptions;
    sum.implementation += (is_first ? "" : "; ") + timing->implementation;
  }
  // A few leave the median alone; with several threads, all wait for the one that was taken off.
  if (sum.preemptions * kPreemptionsShare > sum.repeats) {
    notes.push_back(fmt::format("{}: preempted {} times in {} repeats, the machine was busy: time it again", widths,
                                sum.preemptions, sum.repeats));
  }
  return std::optional(std::move(sum));
}

absl::Status TimeJobs(const ProfileRequest& request, const RunContext& context, std::vector<Job>& jobs) {
  for (size_t j = 0; j < jobs.size(); ++j) {
    Job& job = jobs[j];
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    context.Report({.stage = "time kernels",
                    .fraction = static_cast<double>(j) / static_cast<double>(jobs.size()),
                    .layer = static_cast<int64_t>(j) + 1,
                    .num_layers = std::ssize(jobs),
                    .layer_name = job.row.layers.front()});
    if (job.kernels.empty()) continue;
    BITPLAN_ASSIGN_OR_RETURN(job.row.int8,
                             TimeAll(job, ops::KernelType::kInt8, request.timing, context, job.row.notes));
    BITPLAN_ASSIGN_OR_RETURN(job.row.float32,
                             TimeAll(job, ops::KernelType::kFloat, request.timing, context, job.row.notes));
  }
  return absl::OkStatus();
}

int64_t Amount(const KernelTiming& timing) { return std::max<int64_t>(1, std::llround(timing.median_ns)); }

void AddEntries(const Job& job, Json& layers) {
  const ProfileRow& row = job.row;
  Json amounts = Json::object();
  if (row.int8) amounts["w8a8"] = Amount(*row.int8);
  if (row.float32) amounts["w32a32"] = Amount(*row.float32);
  if (amounts.empty() || row.layer.macs == 0) return;
  if (!job.by_name) {
    layers.push_back({{"kind", ToString(row.layer.kind)},
                      {"weight_shape", row.layer.weight_shape},
                      {"macs", row.layer.macs},
                      {"amounts", amounts}});
    return;
  }
  for (const std::string& name : row.layers) {
    layers.push_back(
        {{"layer", name}, {"num_weights", row.layer.num_weights}, {"macs", row.layer.macs}, {"amounts", amounts}});
  }
}

// "medians of 11..40 repeats, standard errors up to 0.9 % of them, interquartile ranges up to 4.0 %"
std::string SpreadOf(const std::vector<Job>& jobs) {
  int least = 0;
  int most = 0;
  double error = 0;
  double range = 0;
  for (const Job& job : jobs) {
    for (const std::optional<KernelTiming>* timing : {&job.row.int8, &job.row.float32}) {
      if (!timing->has_value()) continue;
      const KernelTiming& t = **timing;
      least = least == 0 ? t.repeats : std::min(least, t.repeats);
      most = std::max(most, t.repeats);
      error = std::max(error, t.standard_error_ns / t.median_ns);
      range = std::max(range, t.interquartile_ns / t.median_ns);
    }
  }
  const std::string repeats = least == most ? fmt::format("{}", least) : fmt::format("{}..{}", least, most);
  return fmt::format(
      "medians of {} repeats, standard errors up to {:.1f} % of them, interquartile ranges up to {:.1f} %", repeats,
      100 * error, 100 * range);
}

std::string NotesOf(const std::vector<Job>& jobs, int num_threads) {
  std::string notes = fmt::format(
      "{}. {} thread{}; w8a8 is u8 data, s8 weights and u8 results, w32a32 is f32; data and weights in the layouts "
      "that "
      "the kernels like best, so reordering is not counted, nor is what runs between the layers.",
      SpreadOf(jobs), num_threads, num_threads == 1 ? "" : "s");
  for (const Job& job : jobs) {
    for (const std::string& note : job.row.notes) {
      notes += fmt::format(" {}: {}.", fmt::join(job.row.layers, ", "), note);
    }
  }
  return notes;
}

Json DocumentOf(const ProfileRequest& request, const std::vector<Job>& jobs, int64_t batch, int num_threads) {
  Json layers = Json::array();
  for (const Job& job : jobs) AddEntries(job, layers);
  return {{"format", "bitplan.profile/1"},
          {"name", request.name},
          {"description", fmt::format("{}: int8 and float kernels of {}", request.machine, ops::KernelLibrary())},
          {"provenance",
           {{"source", fmt::format("bitplan {} profile measure on {}", BitplanVersion(), request.machine)},
            {"date", request.date},
            {"citation",
             fmt::format("Own measurement: {}, {} thread{}, batch {}, network {} (SHA-256 {})", ops::KernelLibrary(),
                         num_threads, num_threads == 1 ? "" : "s", batch, request.network, Sha256Hex(request.onnx))},
            {"notes", NotesOf(jobs, num_threads)}}},
          {"supported", {"w8a8", "w32a32"}},
          {"size", {{"unit", "bits"}, {"scale_bits", 32}}},
          {"bops", {{"unit", "operations"}}},
          {"measured", Json::array({{{"resource", "latency"},
                                     {"unit", "ns"},
                                     {"batch_size", batch},
                                     {"network", request.network},
                                     {"layers", layers}}})}};
}

absl::StatusOr<int64_t> BatchOf(const Graph& graph, int64_t wanted) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t fixed, ops::FixedBatch(graph));
  if (wanted < 0) return InvalidArgument("batch: got {}, want at least 1", wanted);
  if (fixed != 0 && wanted != 0 && fixed != wanted) {
    return InvalidArgument("batch: got {}, but the model takes {} samples at a time", wanted, fixed);
  }
  return fixed != 0 ? fixed : std::max<int64_t>(1, wanted);
}

}  // namespace

absl::StatusOr<MeasuredProfile> MeasureProfile(const ProfileRequest& request, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(ops::Validate(request.timing));
  BITPLAN_ASSIGN_OR_RETURN(const Graph graph, onnx::ParseModel(request.onnx, request.model_limits));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t batch, BatchOf(graph, request.batch));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<ops::LayerKernels> kernels, ops::FindKernels(graph, batch));
  std::vector<Job> jobs = JobsOf(graph, kernels);
  BITPLAN_RETURN_IF_ERROR(TimeJobs(request, context, jobs));
  const Json document = DocumentOf(request, jobs, batch, context.num_threads);
  if (document["measured"][0]["layers"].empty()) {
    return Unimplemented("no layer of the network can be timed. {}", NotesOf(jobs, context.num_threads));
  }
  MeasuredProfile measured{.json = document.dump(2) + "\n"};
  BITPLAN_ASSIGN_OR_RETURN(measured.profile, hardware::ParseProfile(measured.json));
  for (Job& job : jobs) measured.rows.push_back(std::move(job.row));
  return measured;
}

}  // namespace bitplan::pipeline
