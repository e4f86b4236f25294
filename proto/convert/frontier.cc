#include "proto/convert/frontier.h"

#include <cmath>
#include <utility>

#include "proto/convert/field_path.h"
#include "proto/convert/options.h"
#include "proto/convert/plan.h"
#include "search/base/status.h"

namespace bitplan::convert {

absl::StatusOr<FrontierSearch> ToFrontierSearch(const v1::ComputeFrontierRequest& message,
                                                double default_time_limit_s) {
  FrontierSearch request;
  auto search = ToSearchRequest(message.config(), default_time_limit_s);
  if (!search.ok()) return AtField("config", search.status());
  request.search = *std::move(search);
  if (!message.resource().empty()) {
    BITPLAN_ASSIGN_OR_RETURN(request.resource, ParseResource(message.resource()));
  }
  if (message.num_points() != 0) request.num_points = message.num_points();
  for (int i = 0; i < message.limits_size(); ++i) {
    const auto limit = ToBudget(message.limits(i));
    if (!limit.ok()) return AtField(fmt::format("limits[{}]", i), limit.status());
    request.limits.push_back(*limit);
  }
  request.complete = message.complete();
  return request;
}

v1::FrontierTerms FrontierMessages::FromTerms(const FrontierTerms& terms) {
  v1::FrontierTerms message;
  message.set_resource(std::string(ToString(terms.resource)));
  message.set_predictor(terms.predictor);
  resources_ = terms.resources;
  index_.clear();
  std::map<std::string, int> known;
  for (size_t i = 0; i < terms.layers.size(); ++i) {
    message.add_layers(terms.layers[i]);
    std::vector<int>& index = index_.emplace_back();
    for (const Option& option : terms.options[i]) {
      const auto [at, is_new] = known.emplace(Label(option), message.options_size());
      if (is_new) *message.add_options() = FromOption(option);
      index.push_back(at->second);
    }
  }
  return message;
}

v1::FrontierPoint FrontierMessages::FromPoint(const FrontierPoint& point, size_t index, size_t count) const {
  v1::FrontierPoint message;
  message.set_index(static_cast<int32_t>(index));
  message.set_count(static_cast<int32_t>(count));
  message.set_limit(point.limit);
  message.set_termination(FromTermination(point.termination));
  if (point.choice.empty()) return message;
  Costs totals;
  for (size_t r = 0; r < resources_.size(); ++r) totals[resources_[r]] = point.totals[r];
  FromCosts(totals, message.mutable_totals());
  message.set_objective(point.objective);
  message.set_bound(point.bound);
  message.set_gap(point.gap);
  message.set_optimality_tolerance(point.optimality_tolerance);
  if (point.multiplier.has_value()) message.set_multiplier(*point.multiplier);
  message.set_supported(point.supported);
  for (size_t i = 0; i < point.choice.size(); ++i) message.add_options(index_[i][point.choice[i]]);
  return message;
}

v1::FrontierSummary FromSummary(const Frontier& frontier) {
  v1::FrontierSummary message;
  message.set_complete(frontier.complete);
  message.set_note(frontier.note);
  message.set_nodes(frontier.nodes);
  return message;
}

void FrontierGatherer::Add(v1::FrontierUpdate update) {
  switch (update.update_case()) {
    case v1::FrontierUpdate::kTerms:
      frontier_.mutable_terms()->Swap(update.mutable_terms());
      break;
    case v1::FrontierUpdate::kPoint:
      points_[update.point().index()].Swap(update.mutable_point());
      break;
    case v1::FrontierUpdate::kSummary:
      frontier_.mutable_summary()->Swap(update.mutable_summary());
      break;
    case v1::FrontierUpdate::UPDATE_NOT_SET:
      break;
  }
}

v1::Frontier FrontierGatherer::Take() {
  for (auto& [index, point] : points_) frontier_.add_points()->Swap(&point);
  points_.clear();
  return std::move(frontier_);
}

}  // namespace bitplan::convert
