// Counts the Hessian products that each estimator needs on a real network:
//
//   estimator_bench model.onnx data.npz [seeds [layer ...]]
//
// For the whole network and the blocks of the named layers: products until a trace is known to 5 %, and an eigenvalue
// to a residual of 1 %, mean over seeds 1, 2, ..; then what the traces of all layers to 10 % cost by either kind of
// probes, in products with the whole Hessian, and the CPU time of block products beside those of the whole.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/block_hutchinson.h"
#include "search/curvature/estimator_table.h"
#include "search/curvature/hessian.h"
#include "search/curvature/lanczos.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"

namespace {

using bitplan::BlockedOperator;
using bitplan::CurvatureEstimate;
using bitplan::CurvatureQuantity;
using bitplan::EstimatorEntry;
using bitplan::HessianOperator;
using bitplan::LinearOperator;
using bitplan::Objective;
using bitplan::ProbeOptions;
using bitplan::ProbeScope;
using bitplan::RunContext;
using bitplan::ScopedTraces;

const RunContext kContext{.num_threads = 2};

std::string ReadAll(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

double ErrorWanted(CurvatureQuantity quantity) {
  switch (quantity) {
    case CurvatureQuantity::kTrace:
      return 0.05;
    case CurvatureQuantity::kTopEigenvalue:
    case CurvatureQuantity::kTopEigenvalues:
    case CurvatureQuantity::kExtremeEigenvalues:
      return 0.01;
    case CurvatureQuantity::kSpectralDensity:
      return 0.3;
  }
  return 0;
}

absl::Status CompareEstimators(const LinearOperator& A, std::string_view what, int num_seeds) {
  fmt::print("{} ({} weights)\n", what, A.dimension());
  for (const EstimatorEntry& entry : bitplan::curvature::Estimators()) {
    fmt::print("  {:<20}", entry.name);
    double products = 0;
    // A density costs many products, all of one size: one seed tells.
    const int seeds_here = entry.quantity == CurvatureQuantity::kSpectralDensity ? 1 : num_seeds;
    for (int seed = 1; seed <= seeds_here; ++seed) {
      BITPLAN_ASSIGN_OR_RETURN(const CurvatureEstimate estimate,
                               entry.estimate(A,
                                              {.seed = static_cast<uint64_t>(seed),
                                               .relative_error = ErrorWanted(entry.quantity),
                                               .max_products = 3000,
                                               .num_eigenvalues = 1},
                                              kContext));
      fmt::print(" {:.3f}+-{:.3f}{}", estimate.value, estimate.error, estimate.converged ? "" : "(not converged)");
      products += static_cast<double>(estimate.num_products);
    }
    fmt::print("  products {:.0f}\n", products / seeds_here);
  }
  return absl::OkStatus();
}

absl::StatusOr<double> CpuMillis(const LinearOperator& A) {
  constexpr int kRepeat = 3;
  std::vector<float> v(A.dimension());
  std::vector<double> out(A.dimension());
  bitplan::Rng(1, 0).FillRademacher(v);
  double best = 1e30;
  for (int i = 0; i < kRepeat; ++i) {
    const std::clock_t start = std::clock();
    BITPLAN_RETURN_IF_ERROR(A.Apply(v, out, kContext));
    best = std::min(best, static_cast<double>(std::clock() - start) * 1e3 / CLOCKS_PER_SEC);
  }
  return best;
}

absl::Status CompareScopes(const Objective& objective) {
  const HessianOperator whole = HessianOperator::OfNetwork(objective);
  std::vector<HessianOperator> blocks;
  for (int l = 0; l < std::ssize(objective.slices()); ++l) blocks.push_back(HessianOperator::OfLayer(objective, l));
  BlockedOperator A{.whole = &whole, .slices = objective.slices()};
  BITPLAN_ASSIGN_OR_RETURN(const double whole_ms, CpuMillis(whole));
  for (const HessianOperator& block : blocks) {
    A.diagonal.push_back(&block);
    BITPLAN_ASSIGN_OR_RETURN(const double block_ms, CpuMillis(block));
    A.block_costs.push_back(block_ms / whole_ms);
    fmt::print("block {}: {:.2f} of a product\n", A.diagonal.size() - 1, A.block_costs.back());
  }
  const ProbeOptions options{.seed = 1, .max_probes = 3000};
  for (const ProbeScope scope : {ProbeScope::kOneBlock, ProbeScope::kAllBlocks, ProbeScope::kCheaper}) {
    BITPLAN_ASSIGN_OR_RETURN(const ScopedTraces traces,
                             bitplan::curvature::HutchinsonScopedTraces(A, scope, options, kContext));
    int64_t fewest = options.max_probes;
    int64_t most = 0;
    for (const auto& trace : traces.traces) {
      fewest = std::min(fewest, trace.num_probes);
      most = std::max(most, trace.num_probes);
    }
    fmt::print("all traces to 10 %, {}: cost {:.0f} products, {} to {} probes a layer\n",
               traces.scope == ProbeScope::kAllBlocks ? "all at once" : "one at a time", traces.cost, fewest, most);
  }
  return absl::OkStatus();
}

absl::Status Run(int argc, char** argv) {
  if (argc < 3) return bitplan::InvalidArgument("usage: estimator_bench model.onnx data.npz [seeds [layer ...]]");
  BITPLAN_ASSIGN_OR_RETURN(const bitplan::Graph graph, bitplan::onnx::ParseModel(ReadAll(argv[1])));
  BITPLAN_ASSIGN_OR_RETURN(const bitplan::Dataset data, bitplan::data::ParseNpz(ReadAll(argv[2])));
  BITPLAN_ASSIGN_OR_RETURN(const auto objective, Objective::Create(graph, data, {}));
  const int num_seeds = argc > 3 ? std::atoi(argv[3]) : 3;
  BITPLAN_RETURN_IF_ERROR(CompareEstimators(HessianOperator::OfNetwork(*objective), "network", num_seeds));
  for (int i = 4; i < argc; ++i) {
    for (int l = 0; l < std::ssize(graph.layers.layers); ++l) {
      if (graph.layers.layers[l].name != argv[i]) continue;
      BITPLAN_RETURN_IF_ERROR(CompareEstimators(HessianOperator::OfLayer(*objective, l), argv[i], num_seeds));
    }
  }
  return CompareScopes(*objective);
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const absl::Status status = Run(argc, argv);
  if (!status.ok()) fmt::print(stderr, "{}\n", bitplan::MessageOf(status));
  return status.ok() ? 0 : 1;
}
