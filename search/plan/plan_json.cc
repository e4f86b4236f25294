#include "search/plan/plan_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "search/base/digest.h"
#include "search/base/json_reader.h"
#include "search/base/status.h"
#include "search/layer/option_json.h"

namespace bitplan::plan {
namespace {

using Json = nlohmann::ordered_json;

// Value of "sense" of a lower budget; an upper one has none.
constexpr std::string_view kAtLeast = "at_least";
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kMaxCount = std::numeric_limits<int64_t>::max();
constexpr size_t kDigestLength = 64;

// ---- Writing ----

Json ToJsonValue(const PlanLayer& layer);
Json ToJsonValue(const PlanBudget& budget);
Json ToJsonValue(const PlanShortage& shortage);
Json ToJsonValue(const WidthRule& rule);
Json ToJsonValue(const RuntimeGroup& group);
Json ToJsonValue(const BoundaryCost& boundary);

Json ToJsonValue(const Costs& costs) {
  Json json = Json::object();
  for (const auto& [resource, amount] : costs) json[std::string(ResourceKey(resource))] = amount;
  return json;
}

Json ToJsonValue(const PlanOption& option) {
  const Option& how = option.option;
  Json json = {{"weight_bits", how.weight_bits},
               {"activation_bits", how.activation_bits},
               {"scheme", how.scheme},
               {"granularity", ToString(how.granularity)}};
  // Only what is not the default, so that plans without it keep their text and fingerprint.
  if (how.group_size != 0) json["group_size"] = how.group_size;
  if (how.range != Option{}.range) json["range"] = how.range;
  if (how.rounding != Option{}.rounding) json["rounding"] = ToString(how.rounding);
  json["sensitivity"] = option.sensitivity;
  json["standard_error"] = option.standard_error;
  json["costs"] = ToJsonValue(option.costs);
  if (!option.cost_sources.empty()) {
    for (const auto& [resource, source] : option.cost_sources) {
      json["cost_sources"][std::string(ToString(resource))] = ToString(source);
    }
  }
  return json;
}

template <typename T>
Json ToJsonArray(const std::vector<T>& values) {
  Json json = Json::array();
  for (const T& value : values) json.push_back(ToJsonValue(value));
  return json;
}

Json ToJsonValue(const PlanLayer& layer) {
  Json json = {{"name", layer.layer.name},
               {"kind", ToString(layer.layer.kind)},
               {"weight_shape", layer.layer.weight_shape},
               {"output_channel_axis", layer.layer.output_channel_axis},
               {"num_weights", layer.layer.num_weights},
               {"macs", layer.layer.macs}};
  if (layer.layer.input_elements != 0) json["input_elements"] = layer.layer.input_elements;
  if (layer.layer.output_elements != 0) json["output_elements"] = layer.layer.output_elements;
  if (layer.chosen) json["chosen"] = ToJsonValue(*layer.chosen);
  json["alternatives"] = ToJsonArray(layer.alternatives);
  if (layer.keep_probability) json["keep_probability"] = *layer.keep_probability;
  if (layer.value_of_information) json["value_of_information"] = *layer.value_of_information;
  return json;
}

Json ToJsonValue(const PlanBudget& budget) {
  Json json = {{"resource", ToString(budget.resource)},       {"spec", budget.spec}, {"limit", budget.limit},
               {"least_achievable", budget.least_achievable}, {"used", budget.used}, {"slack", budget.slack}};
  if (budget.multiplier) json["multiplier"] = *budget.multiplier;
  if (budget.sense == BudgetSense::kAtLeast) {
    json["sense"] = kAtLeast;
    json["most_achievable"] = budget.most_achievable;
  }
  return json;
}

Json ToJsonValue(const PlanShortage& shortage) {
  Json json = {{"resource", ToString(shortage.resource)}};
  if (shortage.least_achievable) json["least_achievable"] = *shortage.least_achievable;
  if (shortage.short_by) json["short_by"] = *shortage.short_by;
  if (shortage.sense == BudgetSense::kAtLeast) json["sense"] = kAtLeast;
  return json;
}

Json ToJsonValue(const WidthRule& rule) {
  Json json = {{"kind", ToString(rule.kind)}, {"layer", rule.layer}};
  if (rule.weight_bits) json["weight_bits"] = *rule.weight_bits;
  if (rule.activation_bits) json["activation_bits"] = *rule.activation_bits;
  json["reason"] = rule.reason;
  return json;
}

Json ToJsonValue(const RuntimeGroup& group) {
  Json json = {{"rule", group.rule}, {"agree", Json::array()}, {"layers", group.layers}};
  for (const Agreement agreement : group.agree) json["agree"].push_back(ToString(agreement));
  return json;
}

Json ToJsonValue(const PlanRuntime& runtime) {
  Json json = {{"name", runtime.name},
               {"version", runtime.version},
               {"digest", runtime.digest},
               {"groups", ToJsonArray(runtime.groups)}};
  if (!runtime.unseen.empty()) json["unseen"] = runtime.unseen;
  return json;
}

Json ToJsonValue(const PeakMemory& peak) {
  Json steps = Json::array();
  for (const MemoryStep& step : peak.steps) {
    Json terms = Json::array();
    for (const MemoryTerm& term : step.terms) {
      Json bytes = Json::object();
      for (const auto& [bits, amount] : term.bytes) bytes[fmt::format("a{}", bits)] = amount;
      terms.push_back({{"layer", term.layer}, {"bytes", std::move(bytes)}});
    }
    steps.push_back({{"name", step.name}, {"fixed_bytes", step.fixed_bytes}, {"terms", std::move(terms)}});
  }
  return {{"weights_resident", peak.weights_resident}, {"steps", std::move(steps)}};
}

Json ToJsonValue(const BoundaryCost& boundary) {
  Json costs = Json::object();
  for (const auto& [widths, amounts] : boundary.costs) {
    costs[fmt::format("a{}-a{}", widths.first, widths.second)] = ToJsonValue(amounts);
  }
  return {{"from", boundary.from}, {"to", boundary.to}, {"costs", std::move(costs)}};
}

Json ResultToJson(const Plan& plan) {
  Json json = {{"termination", allocation::TerminationName(plan.termination)}, {"objective", plan.objective}};
  if (!plan.predictor.empty()) {
    json["predictor"] = plan.predictor;
    json["objective_standard_error"] = plan.objective_standard_error;
  }
  if (std::isfinite(plan.bound)) json["bound"] = plan.bound;
  if (std::isfinite(plan.gap)) json["gap"] = plan.gap;
  json["optimality_tolerance"] = plan.optimality_tolerance;
  if (plan.mean_regret) json["mean_regret"] = *plan.mean_regret;
  json["solver"] = plan.solver;
  json["solver_nodes"] = plan.solver_nodes;
  if (plan.infeasibility) {
    json["infeasibility"] = {{"joint", plan.infeasibility->joint},
                             {"shortages", ToJsonArray(plan.infeasibility->shortages)}};
    if (plan.infeasibility->rules_conflict) json["infeasibility"]["rules_conflict"] = true;
  }
  json["diagnosis"] = plan.diagnosis;
  json["warnings"] = plan.warnings;
  return json;
}

Json UniformToJson(const std::map<int, Costs>& uniform) {
  Json json = Json::object();
  for (const auto& [bits, costs] : uniform) json[fmt::format("w{}", bits)] = ToJsonValue(costs);
  return json;
}

Json ToJsonValue(const PlanProvenance& provenance) {
  Json sources = Json::object();
  for (const auto& [resource, source] : provenance.cost_sources) sources[std::string(ToString(resource))] = source;
  Json json = {{"model_digest", provenance.model_digest},
               {"dataset_digest", provenance.dataset_digest},
               {"measurement_digest", provenance.measurement_digest},
               {"method", provenance.method}};
  if (!provenance.loss.empty()) json["loss"] = provenance.loss;
  if (provenance.activations_scored) json["activations_scored"] = *provenance.activations_scored;
  json["profile"] = provenance.profile;
  json["profile_digest"] = provenance.profile_digest;
  json["cost_sources"] = sources;
  json["seed"] = provenance.seed;
  json["bitplan_version"] = provenance.bitplan_version;
  json["versions"] = provenance.versions;
  json["origin"] = provenance.origin;
  return json;
}

// All of the plan but `created` and `fingerprint`.
Json ContentToJson(const Plan& plan) {
  Json json = {{"result", ResultToJson(plan)},
               {"budgets", ToJsonArray(plan.budgets)},
               {"totals", ToJsonValue(plan.totals)},
               {"uniform", UniformToJson(plan.uniform)},
               {"ties", plan.ties}};
  if (!plan.activation_ties.empty()) json["activation_ties"] = plan.activation_ties;
  if (plan.runtime) json["runtime"] = ToJsonValue(*plan.runtime);
  if (plan.peak_memory) json["peak_memory"] = ToJsonValue(*plan.peak_memory);
  if (!plan.boundaries.empty()) json["boundaries"] = ToJsonArray(plan.boundaries);
  if (!plan.rules.empty()) json["rules"] = ToJsonArray(plan.rules);
  json["layers"] = ToJsonArray(plan.layers);
  json["provenance"] = ToJsonValue(plan.provenance);
  return json;
}

// Levels of containers: 0 for a number or text, 1 for a list of those, ...
int Levels(const Json& json) {
  if (!json.is_structured()) return 0;
  int inner = 0;
  for (const Json& element : json) inner = std::max(inner, Levels(element));
  return inner + 1;
}

std::string Inline(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Lists of numbers or texts and objects of two levels (an option with its costs) take one line, the rest a line an
// entry; members of the root always do. Keeps a plan of 20 layers and 24 options at 700 lines rather than 7,000.
void Write(const Json& json, int depth, std::string& out) {
  const int levels = Levels(json);
  if (levels == 0 || json.empty() || (depth > 1 && levels <= (json.is_object() ? 2 : 1))) {
    out += Inline(json);
    return;
  }
  const std::string indent(2 * (depth + 1), ' ');
  out += json.is_object() ? "{" : "[";
  std::string_view separator = "\n";
  for (const auto& [key, value] : json.items()) {
    out += separator;
    out += indent;
    if (json.is_object()) out += Inline(Json(key)) + ": ";
    Write(value, depth + 1, out);
    separator = ",\n";
  }
  out += fmt::format("\n{}{}", std::string(2 * depth, ' '), json.is_object() ? "}" : "]");
}

// ---- Reading ----

template <typename Parse>
auto ReadNamed(const JsonValue& value, Parse parse) {
  const auto parsed = parse(value.String());
  value.Check(parsed.status());
  return parsed.ok() ? *parsed : typename std::decay_t<decltype(parsed)>::value_type{};
}

int64_t ReadCount(const JsonValue& value) { return value.Integer({.least = 0, .most = kMaxCount}); }

Costs ReadCosts(JsonObject object) {
  Costs costs;
  for (const std::string& key : object.Keys()) {
    const absl::StatusOr<Resource> resource = ParseResourceKey(key);
    object.At(key).Check(resource.status());
    if (resource.ok()) costs[*resource] = ReadCount(object.At(key));
  }
  return costs;
}

CostSources ReadSourcesOfCosts(JsonObject object) {
  CostSources sources;
  for (const std::string& key : object.Keys()) {
    const absl::StatusOr<Resource> resource = ParseResource(key);
    object.At(key).Check(resource.status());
    const CostSource source = ReadNamed(object.At(key), &ParseCostSource);
    if (resource.ok()) sources[*resource] = source;
  }
  return sources;
}

PlanOption ReadOption(JsonObject object) {
  PlanOption option{.option = ReadOptionFields(object),
                    .sensitivity = object.Number("sensitivity"),
                    .standard_error = object.Number("standard_error"),
                    .costs = ReadCosts(object.Object("costs"))};
  if (object.Has("cost_sources")) option.cost_sources = ReadSourcesOfCosts(object.Object("cost_sources"));
  object.RefuseUnknownKeys();
  return option;
}

PlanLayer ReadLayer(JsonObject object) {
  PlanLayer layer;
  layer.layer.name = object.String("name");
  layer.layer.kind = ReadNamed(object.At("kind"), &ParseLayerKind);
  for (const JsonValue& size : object.Array("weight_shape")) layer.layer.weight_shape.push_back(ReadCount(size));
  const int64_t last_axis = std::max<int64_t>(0, std::ssize(layer.layer.weight_shape) - 1);
  layer.layer.output_channel_axis =
      static_cast<int>(object.Integer("output_channel_axis", {.least = 0, .most = last_axis}));
  layer.layer.num_weights = ReadCount(object.At("num_weights"));
  layer.layer.macs = ReadCount(object.At("macs"));
  if (object.Has("input_elements")) layer.layer.input_elements = ReadCount(object.At("input_elements"));
  if (object.Has("output_elements")) layer.layer.output_elements = ReadCount(object.At("output_elements"));
  if (object.Has("chosen")) layer.chosen = ReadOption(object.Object("chosen"));
  for (const JsonValue& option : object.Array("alternatives"))
    layer.alternatives.push_back(ReadOption(option.Object()));
  if (object.Has("keep_probability")) layer.keep_probability = object.Number("keep_probability");
  if (object.Has("value_of_information")) layer.value_of_information = object.Number("value_of_information");
  object.RefuseUnknownKeys();
  return layer;
}

// Absent: kAtMost.
BudgetSense ReadSense(JsonObject& object) {
  if (!object.Has("sense")) return BudgetSense::kAtMost;
  const JsonValue sense = object.At("sense");
  if (sense.String() != kAtLeast) sense.Fail(fmt::format("got '{}', want '{}' or nothing", sense.String(), kAtLeast));
  return BudgetSense::kAtLeast;
}

std::optional<int> ReadBits(JsonObject& object, const std::string& key) {
  if (!object.Has(key)) return std::nullopt;
  return static_cast<int>(object.Integer(key, {.least = 1, .most = kMaxOptionBits}));
}

WidthRule ReadRule(JsonObject object) {
  WidthRule rule{.layer = object.String("layer"),
                 .weight_bits = ReadBits(object, "weight_bits"),
                 .activation_bits = ReadBits(object, "activation_bits"),
                 .reason = object.String("reason")};
  const JsonValue kind = object.At("kind");
  const std::optional<WidthRuleKind> known = ParseWidthRuleKind(kind.String());
  if (!known) kind.Fail(fmt::format("got '{}', want pin or forbid", kind.String()));
  rule.kind = known.value_or(WidthRuleKind::kPin);
  kind.Check(Validate(rule));
  object.RefuseUnknownKeys();
  return rule;
}

PlanBudget ReadBudget(JsonObject object) {
  PlanBudget budget{.resource = ReadNamed(object.At("resource"), &ParseResource),
                    .spec = object.String("spec"),
                    .limit = ReadCount(object.At("limit")),
                    .least_achievable = ReadCount(object.At("least_achievable")),
                    .used = ReadCount(object.At("used")),
                    .slack = ReadCount(object.At("slack"))};
  if (object.Has("multiplier")) budget.multiplier = object.Number("multiplier");
  budget.sense = ReadSense(object);
  if (budget.sense == BudgetSense::kAtLeast) budget.most_achievable = ReadCount(object.At("most_achievable"));
  object.RefuseUnknownKeys();
  return budget;
}

Termination ReadTermination(const JsonValue& value) {
  const std::optional<Termination> termination = allocation::ParseTermination(value.String());
  if (!termination) {
    value.Fail(fmt::format("got '{}', want optimal, feasible, infeasible, time_limit or cancelled", value.String()));
  }
  return termination.value_or(Termination::kCancelled);
}

PlanShortage ReadShortage(JsonObject object) {
  PlanShortage shortage{.resource = ReadNamed(object.At("resource"), &ParseResource)};
  if (object.Has("least_achievable")) shortage.least_achievable = ReadCount(object.At("least_achievable"));
  if (object.Has("short_by")) shortage.short_by = ReadCount(object.At("short_by"));
  shortage.sense = ReadSense(object);
  object.RefuseUnknownKeys();
  return shortage;
}

PlanInfeasibility ReadInfeasibility(JsonObject object) {
  PlanInfeasibility why{.joint = object.Bool("joint")};
  for (const JsonValue& shortage : object.Array("shortages")) why.shortages.push_back(ReadShortage(shortage.Object()));
  if (object.Has("rules_conflict")) why.rules_conflict = object.Bool("rules_conflict");
  object.RefuseUnknownKeys();
  return why;
}

std::vector<std::string> ReadStrings(const JsonValue& value) {
  std::vector<std::string> texts;
  for (const JsonValue& text : value.Array()) texts.push_back(text.String());
  return texts;
}

std::string ReadDigest(const JsonValue& value) {
  std::string digest = value.String();
  const bool is_hex =
      std::ranges::all_of(digest, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!digest.empty() && (digest.size() != kDigestLength || !is_hex)) {
    value.Fail(fmt::format("got '{}', want {} lower-case hexadecimal digits or nothing", digest, kDigestLength));
  }
  return digest;
}

RuntimeGroup ReadRuntimeGroup(JsonObject object) {
  RuntimeGroup group{.rule = object.String("rule")};
  const JsonValue agree = object.At("agree");
  for (const JsonValue& name : agree.Array()) group.agree.push_back(ReadNamed(name, &ParseAgreement));
  agree.Check(ValidateAgreement(group.agree));
  group.layers = ReadStrings(object.At("layers"));
  object.RefuseUnknownKeys();
  return group;
}

PlanRuntime ReadRuntime(JsonObject object) {
  PlanRuntime runtime{
      .name = object.String("name"), .version = object.String("version"), .digest = ReadDigest(object.At("digest"))};
  for (const JsonValue& group : object.Array("groups")) runtime.groups.push_back(ReadRuntimeGroup(group.Object()));
  if (object.Has("unseen")) runtime.unseen = ReadStrings(object.At("unseen"));
  object.RefuseUnknownKeys();
  return runtime;
}

void ReadResult(JsonObject object, Plan& plan) {
  plan.termination = ReadTermination(object.At("termination"));
  plan.objective = object.Number("objective");
  if (object.Has("predictor")) {
    plan.predictor = object.String("predictor");
    plan.objective_standard_error = object.Number("objective_standard_error");
  }
  plan.bound = object.Has("bound") ? object.Number("bound") : -kInfinity;
  plan.gap = object.Has("gap") ? object.Number("gap") : kInfinity;
  plan.optimality_tolerance = object.Number("optimality_tolerance");
  if (object.Has("mean_regret")) plan.mean_regret = object.Number("mean_regret");
  plan.solver = object.String("solver");
  plan.solver_nodes = ReadCount(object.At("solver_nodes"));
  if (object.Has("infeasibility")) plan.infeasibility = ReadInfeasibility(object.Object("infeasibility"));
  plan.diagnosis = object.String("diagnosis");
  plan.warnings = ReadStrings(object.At("warnings"));
  object.RefuseUnknownKeys();
}

std::map<int, Costs> ReadUniform(JsonObject object) {
  std::map<int, Costs> uniform;
  for (const int bits : {4, 8}) {
    const std::string key = fmt::format("w{}", bits);
    if (object.Has(key)) uniform[bits] = ReadCosts(object.Object(key));
  }
  object.RefuseUnknownKeys();
  return uniform;
}

std::map<std::string, std::string> ReadTexts(JsonObject object) {
  std::map<std::string, std::string> texts;
  for (const std::string& key : object.Keys()) texts[key] = object.String(key);
  return texts;
}

std::map<Resource, std::string> ReadCostSources(JsonObject object) {
  std::map<Resource, std::string> sources;
  for (const Resource resource : kResources) {
    if (object.Has(ToString(resource))) sources[resource] = object.String(ToString(resource));
  }
  object.RefuseUnknownKeys();
  return sources;
}

// The bits of "a4"; nullopt: it is nothing of that form.
std::optional<int> ReadActivationWidth(std::string_view text) {
  int bits = 0;
  const auto [end, error] =
      std::from_chars(text.data() + std::min<size_t>(text.size(), 1), text.data() + text.size(), bits);
  const bool reads = error == std::errc() && fmt::format("a{}", bits) == text && bits >= 1 && bits <= kMaxOptionBits;
  return reads ? std::optional(bits) : std::nullopt;
}

// "a4", "a8" and so on, each once.
std::map<int, int64_t> ReadBytesByWidth(JsonObject object) {
  std::map<int, int64_t> bytes;
  for (const std::string& key : object.Keys()) {
    const std::optional<int> bits = ReadActivationWidth(key);
    if (!bits) object.At(key).Fail(fmt::format("got the key '{}', want a1..a{}", key, kMaxOptionBits));
    bytes[bits.value_or(0)] = object.At(key).Integer({.least = 0, .most = kMaxCount});
  }
  return bytes;
}

// Costs by "a4-a8" and so on.
BoundaryCost ReadBoundary(JsonObject object) {
  BoundaryCost boundary{.from = object.String("from"), .to = object.String("to")};
  JsonObject costs = object.Object("costs");
  for (const std::string& key : costs.Keys()) {
    const std::string_view text = key;
    const size_t dash = std::min(text.find('-'), text.size());
    const std::optional<int> from = ReadActivationWidth(text.substr(0, dash));
    const std::optional<int> to = ReadActivationWidth(text.substr(std::min(dash + 1, text.size())));
    if (!from || !to) costs.At(key).Fail(fmt::format("got the key '{}', want two widths such as a4-a8", key));
    boundary.costs[{from.value_or(0), to.value_or(0)}] = ReadCosts(costs.Object(key));
  }
  object.RefuseUnknownKeys();
  return boundary;
}

PeakMemory ReadPeakMemory(JsonObject object) {
  PeakMemory peak{.weights_resident = object.Bool("weights_resident")};
  for (const JsonValue& value : object.Array("steps")) {
    JsonObject of_step = value.Object();
    MemoryStep& step = peak.steps.emplace_back();
    step.name = of_step.String("name");
    step.fixed_bytes = of_step.At("fixed_bytes").Integer({.least = 0, .most = kMaxCount});
    for (const JsonValue& entry : of_step.Array("terms")) {
      JsonObject term = entry.Object();
      step.terms.push_back({.layer = term.String("layer"), .bytes = ReadBytesByWidth(term.Object("bytes"))});
      term.RefuseUnknownKeys();
    }
    of_step.RefuseUnknownKeys();
  }
  object.RefuseUnknownKeys();
  return peak;
}

PlanProvenance ReadProvenance(JsonObject object) {
  PlanProvenance provenance{.model_digest = ReadDigest(object.At("model_digest")),
                            .dataset_digest = ReadDigest(object.At("dataset_digest")),
                            .measurement_digest = ReadDigest(object.At("measurement_digest")),
                            .method = object.String("method"),
                            .loss = object.Has("loss") ? object.String("loss") : "",
                            .profile = object.String("profile"),
                            .profile_digest = ReadDigest(object.At("profile_digest")),
                            .cost_sources = ReadCostSources(object.Object("cost_sources")),
                            .seed = object.At("seed").Unsigned(),
                            .bitplan_version = object.String("bitplan_version"),
                            .versions = ReadTexts(object.Object("versions")),
                            .origin = ReadTexts(object.Object("origin"))};
  if (object.Has("activations_scored")) provenance.activations_scored = object.Bool("activations_scored");
  object.RefuseUnknownKeys();
  return provenance;
}

Plan ReadPlan(JsonObject& root) {
  Plan plan;
  plan.created = root.String("created");
  plan.fingerprint = ReadDigest(root.At("fingerprint"));
  ReadResult(root.Object("result"), plan);
  for (const JsonValue& budget : root.Array("budgets")) plan.budgets.push_back(ReadBudget(budget.Object()));
  plan.totals = ReadCosts(root.Object("totals"));
  plan.uniform = ReadUniform(root.Object("uniform"));
  for (const JsonValue& tie : root.Array("ties")) plan.ties.push_back(ReadStrings(tie));
  if (root.Has("peak_memory")) plan.peak_memory = ReadPeakMemory(root.Object("peak_memory"));
  if (root.Has("boundaries")) {
    for (const JsonValue& boundary : root.Array("boundaries"))
      plan.boundaries.push_back(ReadBoundary(boundary.Object()));
  }
  if (root.Has("activation_ties")) {
    for (const JsonValue& tie : root.Array("activation_ties")) plan.activation_ties.push_back(ReadStrings(tie));
  }
  if (root.Has("runtime")) plan.runtime = ReadRuntime(root.Object("runtime"));
  if (root.Has("rules")) {
    for (const JsonValue& rule : root.Array("rules")) plan.rules.push_back(ReadRule(rule.Object()));
  }
  for (const JsonValue& layer : root.Array("layers")) plan.layers.push_back(ReadLayer(layer.Object()));
  plan.provenance = ReadProvenance(root.Object("provenance"));
  root.RefuseUnknownKeys();
  return plan;
}

}  // namespace

std::string Fingerprint(const Plan& plan) { return Sha256Hex(Inline(ContentToJson(plan))); }

std::string ToJson(const Plan& plan) {
  Json json = {{"format", kPlanFormat}, {"created", plan.created}, {"fingerprint", plan.fingerprint}};
  json.update(ContentToJson(plan));
  std::string text;
  Write(json, 0, text);
  return text + "\n";
}

absl::StatusOr<Plan> ParsePlan(std::string_view json) {
  BITPLAN_ASSIGN_OR_RETURN(const JsonDocument document,
                           JsonDocument::Parse(json, {.what = "plan", .max_bytes = kMaxPlanBytes}));
  JsonObject root = document.Root();
  if (const JsonValue format = root.At("format"); document.status().ok() && format.String() != kPlanFormat) {
    return InvalidArgument("plan.format: got '{}', want '{}'", format.String(), kPlanFormat);
  }
  Plan plan = ReadPlan(root);
  BITPLAN_RETURN_IF_ERROR(document.status());
  return plan;
}

}  // namespace bitplan::plan
