#include "search/layer/option_json.h"

namespace bitplan {
namespace {

template <typename Parse>
auto ReadNamed(const JsonValue& value, Parse parse) {
  const auto parsed = parse(value.String());
  value.Check(parsed.status());
  return parsed.ok() ? *parsed : typename std::decay_t<decltype(parsed)>::value_type{};
}

int ReadBits(const JsonValue& value) { return static_cast<int>(value.Integer({.least = 1, .most = kMaxOptionBits})); }

}  // namespace

Option ReadOptionFields(JsonObject& object) {
  Option option{.weight_bits = ReadBits(object.At("weight_bits")),
                .activation_bits = ReadBits(object.At("activation_bits")),
                .scheme = object.String("scheme"),
                .granularity = ReadNamed(object.At("granularity"), &ParseGranularity)};
  if (object.Has("group_size")) option.group_size = object.Integer("group_size", {.least = 1, .most = kMaxGroupSize});
  if (object.Has("range")) option.range = object.String("range");
  if (object.Has("rounding")) option.rounding = ReadNamed(object.At("rounding"), &ParseRounding);
  const bool has_size = option.group_size != 0;
  const bool wants_size =
      option.granularity == Granularity::kPerGroup || option.granularity == Granularity::kPerChannelGroup;
  if (has_size && !wants_size) object.At("group_size").Fail("only per_group and per_channel_group have one");
  if (wants_size && !has_size) object.At("group_size");  // says that it is missing
  return option;
}

}  // namespace bitplan
