#include "search/hardware/read_models.h"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

#include "search/base/status.h"

namespace bitplan::hardware {
namespace {

constexpr IntegerRange kPositive = {.least = 1, .most = kMaxAmount};
constexpr IntegerRange kNotNegative = {.least = 0, .most = kMaxAmount};

int64_t Optional(JsonObject& object, std::string_view key, int64_t otherwise, IntegerRange range) {
  return object.Has(key) ? object.Integer(key, range) : otherwise;
}

std::optional<int64_t> Maybe(JsonObject& object, std::string_view key, IntegerRange range) {
  if (!object.Has(key)) return std::nullopt;
  return object.Integer(key, range);
}

LayerKind ReadKind(const JsonValue& value) {
  const absl::StatusOr<LayerKind> kind = ParseLayerKind(value.String());
  value.Check(kind.status());
  return kind.value_or(LayerKind::kOther);
}

Granularity ReadGranularity(const JsonValue& value) {
  const absl::StatusOr<Granularity> granularity = ParseGranularity(value.String());
  value.Check(granularity.status());
  return granularity.value_or(Granularity::kPerChannel);
}

std::string ReadText(const JsonValue& value) {
  std::string text = value.String();
  if (text.empty()) value.Fail("got an empty text, want one");
  return text;
}

// The elements of `object`'s list `key`, read one by one; at least one, none twice. Empty where there is no such list.
template <typename Read>
auto ReadList(JsonObject& object, std::string_view key, Read read) {
  std::vector<decltype(read(std::declval<const JsonValue&>()))> list;
  if (!object.Has(key)) return list;
  for (const JsonValue& element : object.Array(key)) {
    auto value = read(element);
    if (std::ranges::find(list, value) != list.end()) element.Fail("comes twice");
    list.push_back(std::move(value));
  }
  if (list.empty()) object.At(key).Fail("is empty, want at least one or no list");
  return list;
}

ComputeRate ReadRate(JsonObject object) {
  ComputeRate rate;
  if (object.Has("kind")) rate.kind = ReadKind(object.At("kind"));
  const JsonValue widths = object.At("widths");
  rate.widths = ReadWidths(widths, widths.String());
  rate.macs_per_second = object.Integer("macs_per_second", kPositive);
  object.RefuseUnknownKeys();
  return rate;
}

}  // namespace

void CheckText(const JsonValue& value, std::string_view wanted) {
  if (const std::string text = value.String(); text != wanted) {
    value.Fail(fmt::format("got '{}', want '{}'", text, wanted));
  }
}

Widths ReadWidths(const JsonValue& value, std::string_view text) {
  const absl::StatusOr<Widths> widths = ParseWidths(text);
  value.Check(widths.status());
  return widths.value_or(Widths{});
}

std::vector<Widths> ReadWidthList(const JsonValue& value) {
  std::vector<Widths> list;
  for (const JsonValue& element : value.Array()) {
    const Widths widths = ReadWidths(element, element.String());
    if (std::ranges::find(list, widths) != list.end()) element.Fail("comes twice");
    list.push_back(widths);
  }
  return list;
}

SizeModel ReadSize(JsonObject object) {
  CheckText(object.At("unit"), BaseUnit(Resource::kSize));
  constexpr IntegerRange kBits = {.least = 0, .most = 2 * kMaxOptionBits};
  SizeModel size{.scale_bits = static_cast<int>(object.Integer("scale_bits", kBits))};
  if (object.Has("zero_point_bits")) {
    size.zero_point_bits = static_cast<int>(object.Integer("zero_point_bits", kBits));
  }
  size.code_widths = ReadList(object, "code_widths", [](const JsonValue& value) {
    return static_cast<int>(value.Integer({.least = 1, .most = kMaxOptionBits}));
  });
  if (!std::ranges::is_sorted(size.code_widths)) object.At("code_widths").Fail("want ascending widths");
  size.row_alignment_bytes = Optional(object, "row_alignment_bytes", 0, {.least = 1, .most = 1 << 20});
  object.RefuseUnknownKeys();
  return size;
}

RooflineModel ReadRoofline(JsonObject object) {
  CheckText(object.At("unit"), BaseUnit(Resource::kLatency));
  RooflineModel model{.batch_size = object.Integer("batch_size", kPositive),
                      .bytes_per_second = Maybe(object, "bytes_per_second", kPositive),
                      .launch_overhead_ns = Optional(object, "launch_overhead_ns", 0, kNotNegative),
                      .rates = {},
                      .bit_macs_per_second = Maybe(object, "bit_macs_per_second", kPositive)};
  std::set<std::pair<std::optional<LayerKind>, Widths>> seen;
  if (object.Has("rates")) {
    for (const JsonValue& element : object.Array("rates")) {
      model.rates.push_back(ReadRate(element.Object()));
      if (!seen.emplace(model.rates.back().kind, model.rates.back().widths).second) element.Fail("comes twice");
    }
  }
  if (model.rates.empty() && !model.bit_macs_per_second) {
    object.At("rates").Fail("got none, want at least one or bit_macs_per_second");
  }
  object.RefuseUnknownKeys();
  return model;
}

EnergyModel ReadEnergy(JsonObject object) {
  CheckText(object.At("unit"), BaseUnit(Resource::kEnergy));
  EnergyModel model{.batch_size = object.Integer("batch_size", kPositive),
                    .femtojoules_per_byte = Optional(object, "femtojoules_per_byte", 0, kNotNegative),
                    .macs = {},
                    .femtojoules_per_bit_mac = Maybe(object, "femtojoules_per_bit_mac", kPositive)};
  if (object.Has("femtojoules_per_mac")) {
    JsonObject macs = object.Object("femtojoules_per_mac");
    for (const std::string& key : macs.Keys()) {
      const JsonValue value = macs.At(key);
      model.macs.push_back({ReadWidths(value, key), value.Integer(kPositive)});
    }
  }
  if (model.macs.empty() && !model.femtojoules_per_bit_mac) {
    object.At("femtojoules_per_mac").Fail("got none, want at least one or femtojoules_per_bit_mac");
  }
  object.RefuseUnknownKeys();
  return model;
}

MemoryModel ReadMemory(JsonObject object) {
  CheckText(object.At("unit"), BaseUnit(Resource::kMemory));
  constexpr int kBitsOfByte = 8;
  MemoryModel memory{.min_activation_bits = static_cast<int>(
                         Optional(object, "min_activation_bits", kBitsOfByte, {.least = 1, .most = kMaxOptionBits})),
                     .alignment_bytes = Optional(object, "alignment_bytes", 1, {.least = 1, .most = 1 << 20}),
                     .weights_resident = object.Has("weights_resident") && object.Bool("weights_resident")};
  if (!std::has_single_bit(static_cast<unsigned>(memory.min_activation_bits))) {
    object.At("min_activation_bits").Fail(fmt::format("got {}, want a power of two", memory.min_activation_bits));
  }
  object.RefuseUnknownKeys();
  return memory;
}

BoundaryModel ReadBoundary(JsonObject object) {
  BoundaryModel boundary{.overhead_ns = Optional(object, "overhead_ns", 0, kNotNegative),
                         .bytes_per_second = Optional(object, "bytes_per_second", 0, kPositive),
                         .femtojoules_per_byte = Optional(object, "femtojoules_per_byte", 0, kPositive)};
  if (boundary.overhead_ns == 0 && boundary.bytes_per_second == 0 && boundary.femtojoules_per_byte == 0) {
    object.At("overhead_ns")
        .Fail(
            "the boundary costs nothing, want overhead_ns, bytes_per_second or "
            "femtojoules_per_byte");
  }
  object.RefuseUnknownKeys();
  return boundary;
}

DeviceLimits ReadLimits(JsonObject object) {
  DeviceLimits limits{.flash_bytes = Maybe(object, "flash_bytes", kPositive),
                      .sram_bytes = Maybe(object, "sram_bytes", kPositive)};
  if (!limits.flash_bytes && !limits.sram_bytes) object.At("sram_bytes").Fail("got no limit, want one");
  object.RefuseUnknownKeys();
  return limits;
}

SupportRule ReadSupportRule(JsonObject object) {
  const auto widths = [](const JsonValue& value) { return ReadWidths(value, value.String()); };
  SupportRule rule{.kinds = ReadList(object, "kinds", ReadKind),
                   .of_widths = ReadList(object, "of_widths", widths),
                   .widths = ReadList(object, "widths", widths),
                   .schemes = ReadList(object, "schemes", ReadText),
                   .granularities = ReadList(object, "granularities", ReadGranularity),
                   .group_sizes = ReadList(
                       object, "group_sizes",
                       [](const JsonValue& value) { return value.Integer({.least = 1, .most = kMaxGroupSize}); }),
                   .reason = ReadText(object.At("reason"))};
  if (rule.widths.empty() && rule.schemes.empty() && rule.granularities.empty() && rule.group_sizes.empty()) {
    object.At("reason").Fail("the rule allows everything, want widths, schemes, granularities or group_sizes");
  }
  object.RefuseUnknownKeys();
  return rule;
}

}  // namespace bitplan::hardware
