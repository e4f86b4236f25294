#include "search/plan/rebind.h"

#include <algorithm>
#include <utility>

#include "search/allocation/solution.h"
#include "search/base/status.h"
#include "search/plan/verifier.h"

namespace bitplan {

std::string_view ToString(RebindWay way) {
  switch (way) {
    case RebindWay::kGiven:
      return "given";
    case RebindWay::kName:
      return "name";
    case RebindWay::kStructure:
      return "structure";
  }
  return "";
}

namespace plan {
namespace {

constexpr size_t kMostProblems = 20;
constexpr int kNone = -1;

bool IsSameWeight(const Layer& a, const Layer& b) {
  return a.kind == b.kind && a.weight_shape == b.weight_shape && a.output_channel_axis == b.output_channel_axis &&
         a.num_weights == b.num_weights;
}

bool IsSameLayer(const Layer& a, const Layer& b) { return IsSameWeight(a, b) && a.macs == b.macs; }

std::string Describe(const Layer& layer) {
  return fmt::format("'{}' ({} [{}], {} MACs)", layer.name, bitplan::ToString(layer.kind),
                     fmt::join(layer.weight_shape, ","), layer.macs);
}

// Indices of layers of the model; a layer lies between them.
struct Place {
  int first = kNone;
  int last = kNone;

  bool operator==(const Place&) const = default;
};

// Finds for each layer of a plan its counterpart in a model.
class Matcher {
 public:
  Matcher(const Plan& plan, const LayerTable& model)
      : plan_(plan),
        model_(model),
        to_(plan.layers.size(), kNone),
        way_(plan.layers.size()),
        from_(model.layers.size(), kNone) {}

  absl::Status MatchGiven(const std::map<std::string, std::string>& given) {
    for (const auto& [old_name, new_name] : given) {
      const int i = OldIndex(old_name);
      const int j = NewIndex(new_name);
      if (i == kNone) return NotFound("map: the plan has no layer '{}'", old_name);
      if (j == kNone) return NotFound("map: the model has no layer '{}'", new_name);
      if (from_[j] != kNone) return InvalidArgument("map: '{}' is given twice", new_name);
      if (!IsSameWeight(Old(i), New(j))) {
        return InvalidArgument("map: {} is no counterpart of {}: kind, shape and axis must be equal", Describe(New(j)),
                               Describe(Old(i)));
      }
      Match(i, j, RebindWay::kGiven);
    }
    return absl::OkStatus();
  }

  void MatchNames() {
    for (int i = 0; i < num_old(); ++i) {
      const int j = NewIndex(Old(i).name);
      if (to_[i] == kNone && j != kNone && from_[j] == kNone && IsSameWeight(Old(i), New(j))) {
        Match(i, j, RebindWay::kName);
      }
    }
  }

  // Layers of one structure in one place: matched if there are as many of them on both sides. A matched layer is in a
  // place of its own.
  void MatchStructures() {
    const std::vector<Place> places = Places();
    for (int i = 0; i < num_old(); ++i) {
      if (to_[i] != kNone) continue;
      std::vector<int> alike;
      for (int k = i; k < num_old() && places[k] == places[i]; ++k) {
        if (IsSameLayer(Old(k), Old(i))) alike.push_back(k);
      }
      const std::vector<int> candidates = CandidatesOf(i, places[i]);
      if (candidates.size() != alike.size()) continue;
      for (size_t k = 0; k < alike.size(); ++k) Match(alike[k], candidates[k], RebindWay::kStructure);
    }
  }

  absl::Status CheckComplete() const {
    std::vector<std::string> problems;
    for (int i = 0; i < num_old(); ++i) {
      if (to_[i] != kNone) continue;
      std::vector<std::string> names;
      for (int j = 0; j < num_new(); ++j) {
        if (from_[j] == kNone && IsSameWeight(Old(i), New(j))) names.push_back(fmt::format("'{}'", New(j).name));
      }
      problems.push_back(names.empty() ? fmt::format("{} has no counterpart", Describe(Old(i)))
                                       : fmt::format("{} could be {}", Describe(Old(i)), fmt::join(names, " or ")));
    }
    for (int j = 0; j < num_new(); ++j) {
      if (from_[j] == kNone) problems.push_back(fmt::format("{} of the model is in no plan", Describe(New(j))));
    }
    if (problems.empty()) return absl::OkStatus();
    const size_t left_out = problems.size() - std::min(problems.size(), kMostProblems);
    problems.resize(problems.size() - left_out);
    return InvalidArgument("the plan cannot be bound to this model: {}{}", fmt::join(problems, "; "),
                           left_out == 0 ? "" : fmt::format("; and {} more", left_out));
  }

  int old_of(int new_index) const { return from_[new_index]; }
  RebindWay way_of(int old_index) const { return way_[old_index]; }

 private:
  int num_old() const { return static_cast<int>(plan_.layers.size()); }
  int num_new() const { return static_cast<int>(model_.layers.size()); }
  const Layer& Old(int i) const { return plan_.layers[i].layer; }
  const Layer& New(int j) const { return model_.layers[j]; }

  int OldIndex(std::string_view name) const {
    for (int i = 0; i < num_old(); ++i) {
      if (Old(i).name == name) return i;
    }
    return kNone;
  }
  int NewIndex(std::string_view name) const {
    const auto found = std::ranges::find(model_.layers, name, &Layer::name);
    return found == model_.layers.end() ? kNone : static_cast<int>(found - model_.layers.begin());
  }

  void Match(int i, int j, RebindWay way) {
    to_[i] = j;
    from_[j] = i;
    way_[i] = way;
  }

  // By layer: the counterparts of the nearest matched layers before and behind it, which its own lies between.
  std::vector<Place> Places() const {
    std::vector<Place> places(num_old());
    for (int i = 0, first = kNone; i < num_old(); ++i) {
      if (to_[i] != kNone) first = to_[i];
      places[i].first = first;
    }
    for (int i = num_old() - 1, last = num_new(); i >= 0; --i) {
      if (to_[i] != kNone) last = to_[i];
      places[i].last = last;
    }
    return places;
  }

  // Unmatched layers of the model like layer i, in its place.
  std::vector<int> CandidatesOf(int i, Place place) const {
    std::vector<int> candidates;
    for (int j = place.first + 1; j < place.last; ++j) {
      if (from_[j] == kNone && IsSameLayer(Old(i), New(j))) candidates.push_back(j);
    }
    return candidates;
  }

  const Plan& plan_;
  const LayerTable& model_;
  std::vector<int> to_;  // by layer of the plan: its counterpart, or kNone
  std::vector<RebindWay> way_;
  std::vector<int> from_;  // by layer of the model, likewise
};

void Rename(const std::map<std::string, std::string>& names, std::vector<std::string>& layers) {
  for (std::string& name : layers) name = names.at(name);
}

void Rename(const std::map<std::string, std::string>& names, std::vector<std::vector<std::string>>& groups) {
  for (std::vector<std::string>& group : groups) Rename(names, group);
}

// Everything but the layers in the names of the new model.
void RenameAll(const std::vector<RebindMatch>& matches, Plan& plan) {
  std::map<std::string, std::string> names;
  for (const RebindMatch& match : matches) names.emplace(match.old_name, match.new_name);
  Rename(names, plan.ties);
  Rename(names, plan.activation_ties);
  if (plan.runtime) {
    for (RuntimeGroup& group : plan.runtime->groups) Rename(names, group.layers);
  }
  for (WidthRule& rule : plan.rules) {
    if (const auto found = names.find(rule.layer); found != names.end()) rule.layer = found->second;
  }
}

// The objective is a sum in layer order.
void AddObjectiveAgain(Plan& plan) {
  if (!plan.has_choice() || !plan.predictor.empty()) return;
  plan.objective = 0;
  for (const PlanLayer& layer : plan.layers) plan.objective += layer.chosen->sensitivity;
  plan.gap = allocation::RelativeGap(plan.objective, plan.bound);
}

void SayThatItIsRebound(const RebindRequest& request, const std::vector<RebindMatch>& matches, Plan& plan) {
  constexpr size_t kShort = 12;
  const std::string old_model = request.plan.provenance.model_digest;
  plan.provenance.origin["rebound_from_plan"] = request.plan.fingerprint;
  plan.provenance.origin["rebound_from_model"] = old_model;
  plan.provenance.model_digest = request.model_digest;
  plan.warnings.push_back(fmt::format(
      "rebound from plan {}: sensitivities and proof are those of {}", request.plan.fingerprint.substr(0, kShort),
      old_model.empty() ? "the model that it was made of" : "model " + old_model.substr(0, kShort)));
  const auto moved = std::ranges::count_if(matches, [](const RebindMatch& m) { return m.old_macs != m.new_macs; });
  if (moved > 0) {
    plan.warnings.push_back(
        fmt::format("{} layers have other MACs in this model: their costs are those of the old one", moved));
  }
}

}  // namespace

absl::StatusOr<Rebound> Rebind(const RebindRequest& request) {
  Matcher matcher(request.plan, request.model);
  BITPLAN_RETURN_IF_ERROR(matcher.MatchGiven(request.given));
  matcher.MatchNames();
  matcher.MatchStructures();
  BITPLAN_RETURN_IF_ERROR(matcher.CheckComplete());
  Rebound rebound{.plan = request.plan, .matches = {}};
  rebound.plan.layers.clear();
  for (size_t j = 0; j < request.model.layers.size(); ++j) {
    const Layer& layer = request.model.layers[j];
    const int i = matcher.old_of(static_cast<int>(j));
    const PlanLayer& planned = request.plan.layers[i];
    rebound.matches.push_back({.old_name = planned.layer.name,
                               .new_name = layer.name,
                               .way = matcher.way_of(i),
                               .old_macs = planned.layer.macs,
                               .new_macs = layer.macs});
    rebound.plan.layers.push_back(planned);
    rebound.plan.layers.back().layer = layer;
  }
  RenameAll(rebound.matches, rebound.plan);
  AddObjectiveAgain(rebound.plan);
  SayThatItIsRebound(request, rebound.matches, rebound.plan);
  rebound.plan.created = request.created;
  rebound.plan.fingerprint = Fingerprint(rebound.plan);
  BITPLAN_RETURN_IF_ERROR(Verify(rebound.plan));
  return rebound;
}

}  // namespace plan
}  // namespace bitplan
