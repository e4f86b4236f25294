#include "search/hardware/profile.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "search/base/digest.h"
#include "search/base/json_reader.h"
#include "search/base/status.h"
#include "search/hardware/read_models.h"

namespace bitplan::hardware {
namespace {

constexpr int kMaxBits = 32;           // of an Option
constexpr size_t kMaxNameLength = 63;  // that of a resource name on the wire

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsProfileName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameLength && IsLowerOrDigit(name.front()) &&
         std::ranges::all_of(name, [](char c) { return IsLowerOrDigit(c) || c == '-'; });
}

// "YYYY", "YYYY-MM" or "YYYY-MM-DD", digits only; whether the day exists is not asked.
bool IsDate(std::string_view text) {
  constexpr std::string_view kPattern = "dddd-dd-dd";
  if (text.size() != 4 && text.size() != 7 && text.size() != 10) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (kPattern[i] == 'd' ? !is_digit : text[i] != '-') return false;
  }
  return true;
}

std::string NonEmptyString(const JsonValue& value) {
  std::string text = value.String();
  if (text.empty()) value.Fail("got an empty text, want one");
  return text;
}

std::string ReadName(const JsonValue& value) {
  std::string name = value.String();
  if (!IsProfileName(name)) {
    value.Fail(fmt::format("got '{}', want lower-case letters, digits and '-', at most {}", name, kMaxNameLength));
  }
  return name;
}

ProfileProvenance ReadProvenance(JsonObject object) {
  ProfileProvenance provenance{.source = NonEmptyString(object.At("source")),
                               .date = object.String("date"),
                               .citation = NonEmptyString(object.At("citation")),
                               .notes = object.Has("notes") ? object.String("notes") : ""};
  if (!IsDate(provenance.date)) {
    object.At("date").Fail(fmt::format("got '{}', want YYYY, YYYY-MM or YYYY-MM-DD", provenance.date));
  }
  object.RefuseUnknownKeys();
  return provenance;
}

std::optional<std::vector<Widths>> ReadSupported(const JsonValue& value) {
  if (value.IsString()) {
    CheckText(value, "any");
    return std::nullopt;
  }
  std::vector<Widths> supported = ReadWidthList(value);
  if (supported.empty()) value.Fail("got no widths, want 'any' or at least one such as 'w8a8'");
  return supported;
}

BopsModel ReadBops(JsonObject object) {
  CheckText(object.At("unit"), BaseUnit(Resource::kBops));
  object.RefuseUnknownKeys();
  return {};
}

TrafficModel ReadTraffic(JsonObject object) {
  CheckText(object.At("unit"), BaseUnit(Resource::kTraffic));
  object.RefuseUnknownKeys();
  return {};
}

std::map<Widths, int64_t> ReadAmounts(JsonObject object) {
  std::map<Widths, int64_t> amounts;
  for (const std::string& key : object.Keys()) {
    const JsonValue value = object.At(key);
    if (!amounts.emplace(ReadWidths(value, key), value.Integer({.least = 1, .most = kMaxAmount})).second) {
      value.Fail("these widths come twice");
    }
  }
  return amounts;
}

// By signature: kind, weight_shape, macs. The number of weights follows from the shape and is not compared again.
void ReadSignature(JsonObject& object, MeasuredLayer& layer) {
  const absl::StatusOr<LayerKind> kind = ParseLayerKind(object.String("kind"));
  object.At("kind").Check(kind.status());
  layer.kind = kind.value_or(LayerKind::kOther);
  for (const JsonValue& size : object.Array("weight_shape")) {
    layer.weight_shape.push_back(size.Integer({.least = 1, .most = kMaxAmount}));
  }
}

MeasuredLayer ReadMeasuredLayer(JsonObject object) {
  MeasuredLayer layer;
  if (object.Has("layer")) {
    layer.layer = NonEmptyString(object.At("layer"));
    layer.num_weights = object.Integer("num_weights", {.least = 1, .most = kMaxAmount});
  } else {
    ReadSignature(object, layer);
  }
  layer.macs = object.Integer("macs", {.least = 1, .most = kMaxAmount});
  layer.amounts = ReadAmounts(object.Object("amounts"));
  if (layer.amounts.empty()) object.At("amounts").Fail("got no amount, want at least one such as \"w8a8\": 1000");
  object.RefuseUnknownKeys();
  return layer;
}

Resource ReadResource(const JsonValue& value) {
  const absl::StatusOr<Resource> resource = ParseResource(value.String());
  value.Check(resource.status());
  return resource.value_or(Resource::kLatency);
}

// What makes two entries the same; the reader refuses the second.
std::string KeyOf(const MeasuredLayer& layer) {
  if (!layer.layer.empty()) return layer.layer;
  return fmt::format("{} [{}] {}", ToString(*layer.kind), fmt::join(layer.weight_shape, ","), layer.macs);
}

Interpolation ReadInterpolation(JsonObject& object) {
  if (!object.Has("interpolation")) return Interpolation::kNone;
  const JsonValue value = object.At("interpolation");
  const std::string name = value.String();
  if (name != "widths" && name != "none") value.Fail(fmt::format("got '{}', want 'widths' or 'none'", name));
  return name == "widths" ? Interpolation::kWidths : Interpolation::kNone;
}

MeasuredTable ReadMeasuredTable(JsonObject object) {
  MeasuredTable table{.resource = ReadResource(object.At("resource")),
                      .interpolation = ReadInterpolation(object),
                      .batch_size = object.Integer("batch_size", {.least = 1, .most = kMaxAmount}),
                      .network = object.Has("network") ? object.String("network") : "",
                      .layers = {}};
  CheckText(object.At("unit"), BaseUnit(table.resource));
  std::set<std::string> seen;
  for (const JsonValue& element : object.Array("layers")) {
    table.layers.push_back(ReadMeasuredLayer(element.Object()));
    const MeasuredLayer& layer = table.layers.back();
    if ((layer.kind || !layer.layer.empty()) && !seen.insert(KeyOf(layer)).second) element.Fail("comes twice");
  }
  if (table.layers.empty()) object.At("layers").Fail("got no layer, want at least one");
  object.RefuseUnknownKeys();
  return table;
}

// Measured and estimated amounts stand in one sum, so they are of one batch; interpolation needs the estimate.
void CheckAgainstEstimate(const JsonValue& element, const MeasuredTable& table, const HardwareProfile& profile) {
  std::optional<int64_t> batch_size;
  if (table.resource == Resource::kLatency && profile.roofline) batch_size = profile.roofline->batch_size;
  if (table.resource == Resource::kEnergy && profile.energy) batch_size = profile.energy->batch_size;
  if (batch_size && *batch_size != table.batch_size) {
    element.Fail(fmt::format("batch_size {} differs from that of the profile's estimate, {}: amounts of both are added",
                             table.batch_size, *batch_size));
  }
  if (table.interpolation != Interpolation::kNone && !batch_size) {
    element.Fail(fmt::format("interpolation of {} needs the profile's {}", ToString(table.resource),
                             table.resource == Resource::kEnergy ? "energy model"
                                                                 : "roofline, and is of latency or "
                                                                   "energy only"));
  }
}

void ReadMeasured(JsonObject& root, HardwareProfile& profile) {
  std::set<Resource> priced;
  if (profile.size) priced.insert(Resource::kSize);
  if (profile.bops) priced.insert(Resource::kBops);
  if (profile.traffic) priced.insert(Resource::kTraffic);
  for (const JsonValue& element : root.Array("measured")) {
    profile.measured.push_back(ReadMeasuredTable(element.Object()));
    CheckAgainstEstimate(element, profile.measured.back(), profile);
    const Resource resource = profile.measured.back().resource;
    if (!priced.insert(resource).second) {
      element.Fail(fmt::format("{} is priced already, want one model or table a resource", ToString(resource)));
    }
  }
  if (PricedResources(profile).empty()) {
    root.At("measured").Fail("the profile prices nothing, want size, bops, an estimate or a measured table");
  }
}

// One of the numbers in "w4a8".
bool TakeBits(std::string_view& text, char letter, int& bits) {
  if (text.empty() || text.front() != letter) return false;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + 1, end, bits);
  const bool canonical = error == std::errc() && text[1] != '0' && bits >= 1 && bits <= kMaxBits;
  text = std::string_view(rest, end - rest);
  return canonical;
}

}  // namespace

std::string ToString(Widths widths) { return fmt::format("w{}a{}", widths.weight_bits, widths.activation_bits); }

absl::StatusOr<Widths> ParseWidths(std::string_view text) {
  Widths widths;
  std::string_view rest = text;
  if (TakeBits(rest, 'w', widths.weight_bits) && TakeBits(rest, 'a', widths.activation_bits) && rest.empty()) {
    return widths;
  }
  return InvalidArgument("got '{}', want widths such as 'w8a8', 1..{} each", text, kMaxBits);
}

absl::StatusOr<HardwareProfile> ParseProfile(std::string_view json) {
  BITPLAN_ASSIGN_OR_RETURN(const JsonDocument document,
                           JsonDocument::Parse(json, {.what = "profile", .max_bytes = kMaxProfileBytes}));
  JsonObject root = document.Root();
  CheckText(root.At("format"), kProfileFormat);
  HardwareProfile profile{.name = ReadName(root.At("name")),
                          .description = NonEmptyString(root.At("description")),
                          .provenance = ReadProvenance(root.Object("provenance")),
                          .supported = ReadSupported(root.At("supported"))};
  if (root.Has("size")) profile.size = ReadSize(root.Object("size"));
  if (root.Has("bops")) profile.bops = ReadBops(root.Object("bops"));
  if (root.Has("traffic")) profile.traffic = ReadTraffic(root.Object("traffic"));
  if (root.Has("rules")) {
    for (const JsonValue& rule : root.Array("rules")) profile.rules.push_back(ReadSupportRule(rule.Object()));
  }
  if (root.Has("roofline")) profile.roofline = ReadRoofline(root.Object("roofline"));
  if (root.Has("energy")) profile.energy = ReadEnergy(root.Object("energy"));
  if (root.Has("memory")) profile.memory = ReadMemory(root.Object("memory"));
  if (root.Has("boundary")) profile.boundary = ReadBoundary(root.Object("boundary"));
  if (root.Has("limits")) profile.limits = ReadLimits(root.Object("limits"));
  ReadMeasured(root, profile);
  root.RefuseUnknownKeys();
  BITPLAN_RETURN_IF_ERROR(document.status());
  profile.digest = Sha256Hex(json);
  return profile;
}

std::vector<Resource> PricedResources(const HardwareProfile& profile) {
  std::set<Resource> priced;
  if (profile.size) priced.insert(Resource::kSize);
  if (profile.bops) priced.insert(Resource::kBops);
  if (profile.traffic) priced.insert(Resource::kTraffic);
  if (profile.roofline) priced.insert(Resource::kLatency);
  if (profile.energy) priced.insert(Resource::kEnergy);
  if (profile.memory) priced.insert(Resource::kMemory);
  for (const MeasuredTable& table : profile.measured) priced.insert(table.resource);
  return {priced.begin(), priced.end()};
}

}  // namespace bitplan::hardware
