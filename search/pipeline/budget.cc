#include "search/pipeline/budget.h"

#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "search/base/status.h"
#include "search/layer/uniform.h"
#include "search/pipeline/decimal.h"

namespace bitplan::pipeline {
namespace {

constexpr double kMaxFactor = 16;  // 128 bit weights: above any plan
constexpr int kMinUniformBits = 2;
constexpr int kMaxUniformBits = 8;
constexpr int kReferenceBits = 8;  // what a RelativeLimit is relative to
constexpr int64_t kBitsPerByte = 8;
constexpr std::string_view kDevice = "device";  // an amount: what the device has
constexpr int64_t kKilo = 1000;
constexpr int64_t kKibi = 1024;

struct Unit {
  Resource resource;
  std::string_view name;
  int64_t factor;  // base units in one of it
};

// The first unit of a resource is its base unit; FormatBudget writes it.
constexpr auto kUnits = std::to_array<Unit>({
    {Resource::kSize, "bit", 1},
    {Resource::kSize, "kbit", kKilo},
    {Resource::kSize, "Mbit", kKilo* kKilo},
    {Resource::kSize, "Gbit", kKilo* kKilo* kKilo},
    {Resource::kSize, "B", 8},
    {Resource::kSize, "kB", 8 * kKilo},
    {Resource::kSize, "MB", 8 * kKilo* kKilo},
    {Resource::kSize, "GB", 8 * kKilo* kKilo* kKilo},
    {Resource::kSize, "KiB", 8 * kKibi},
    {Resource::kSize, "MiB", 8 * kKibi* kKibi},
    {Resource::kSize, "GiB", 8 * kKibi* kKibi* kKibi},
    {Resource::kBops, "", 1},
    {Resource::kBops, "k", kKilo},
    {Resource::kBops, "M", kKilo* kKilo},
    {Resource::kBops, "G", kKilo* kKilo* kKilo},
    {Resource::kBops, "T", kKilo* kKilo* kKilo* kKilo},
    {Resource::kBops, "P", kKilo* kKilo* kKilo* kKilo* kKilo},
    {Resource::kLatency, "ns", 1},
    {Resource::kLatency, "us", kKilo},
    {Resource::kLatency, "ms", kKilo* kKilo},
    {Resource::kLatency, "s", kKilo* kKilo* kKilo},
    {Resource::kMemory, "B", 1},
    {Resource::kMemory, "kB", kKilo},
    {Resource::kMemory, "MB", kKilo* kKilo},
    {Resource::kMemory, "GB", kKilo* kKilo* kKilo},
    {Resource::kMemory, "KiB", kKibi},
    {Resource::kMemory, "MiB", kKibi* kKibi},
    {Resource::kMemory, "GiB", kKibi* kKibi* kKibi},
    {Resource::kEnergy, "pJ", 1},
    {Resource::kEnergy, "nJ", kKilo},
    {Resource::kEnergy, "uJ", kKilo* kKilo},
    {Resource::kEnergy, "mJ", kKilo* kKilo* kKilo},
    {Resource::kEnergy, "J", kKilo* kKilo* kKilo* kKilo},
    {Resource::kTraffic, "B", 1},
    {Resource::kTraffic, "kB", kKilo},
    {Resource::kTraffic, "MB", kKilo* kKilo},
    {Resource::kTraffic, "GB", kKilo* kKilo* kKilo},
    {Resource::kTraffic, "KiB", kKibi},
    {Resource::kTraffic, "MiB", kKibi* kKibi},
    {Resource::kTraffic, "GiB", kKibi* kKibi* kKibi},
});

const Unit* FindUnit(Resource resource, std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.resource == resource && unit.name == name) return &unit;
  }
  return nullptr;
}

std::string_view BaseUnitText(Resource resource) {
  for (const Unit& unit : kUnits) {
    if (unit.resource == resource) return unit.name;
  }
  return "";
}

std::string DescribeUnits(Resource resource) {
  std::vector<std::string> names;
  for (const Unit& unit : kUnits) {
    if (unit.resource == resource) names.emplace_back(unit.name.empty() ? "no unit" : unit.name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

absl::Status BadAmount(Resource resource, std::string_view amount) {
  return InvalidArgument(
      "budget '{0}={1}': got '{1}', want a number >= 0 with a unit ({2}), a part of uniform 8 bit such as 0.5x, or a "
      "fraction such as 0.25@w4:w8",
      ToString(resource), amount, DescribeUnits(resource));
}

// A whole text that is one decimal, as a double; nullopt for anything else.
std::optional<double> ParseFraction(std::string_view text) {
  std::string_view rest = text;
  if (!TakeDecimal(rest) || !rest.empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "w4"
std::optional<int> ParseWeightBits(std::string_view text) {
  int bits = 0;
  if (!text.starts_with('w')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), bits);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return bits;
}

absl::StatusOr<BudgetSpec> ParseRelative(Resource resource, std::string_view amount) {
  const std::optional<double> factor = ParseFraction(amount.substr(0, amount.size() - 1));
  if (!factor) return BadAmount(resource, amount);
  BudgetSpec spec{.resource = resource, .amount = RelativeLimit{*factor}};
  BITPLAN_RETURN_IF_ERROR(ValidateBudget(spec));
  return spec;
}

// "<fraction>@w<low>:w<high>", `at` is where the @ stands.
absl::StatusOr<BudgetSpec> ParseInterpolated(Resource resource, std::string_view amount, size_t at) {
  const std::string_view widths = amount.substr(at + 1);
  const size_t colon = widths.find(':');
  const std::optional<double> fraction = ParseFraction(amount.substr(0, at));
  const std::optional<int> low = ParseWeightBits(widths.substr(0, colon));
  const std::optional<int> high =
      colon == std::string_view::npos ? std::nullopt : ParseWeightBits(widths.substr(colon + 1));
  if (!fraction || !low || !high) return BadAmount(resource, amount);
  BudgetSpec spec{.resource = resource, .amount = InterpolatedLimit{*fraction, *low, *high}};
  BITPLAN_RETURN_IF_ERROR(ValidateBudget(spec));
  return spec;
}

absl::StatusOr<BudgetSpec> ParseAbsolute(Resource resource, std::string_view amount) {
  std::string_view unit_text = amount;
  const std::optional<Decimal> number = TakeDecimal(unit_text);
  const Unit* unit = number ? FindUnit(resource, unit_text) : nullptr;
  if (unit == nullptr) return BadAmount(resource, amount);
  const std::optional<int64_t> limit = FloorProduct(*number, unit->factor);
  if (!limit) {
    return InvalidArgument("budget '{}={}': more than 2^63 {}", ToString(resource), amount, BaseUnit(resource));
  }
  return BudgetSpec{.resource = resource, .amount = AbsoluteLimit{*limit}};
}

absl::StatusOr<BudgetSpec> ParseAmount(Resource resource, std::string_view amount) {
  if (amount == kDevice) {
    BudgetSpec spec{.resource = resource, .amount = DeviceLimit{}};
    BITPLAN_RETURN_IF_ERROR(ValidateBudget(spec));
    return spec;
  }
  if (amount.ends_with('x')) return ParseRelative(resource, amount);
  if (const size_t at = amount.find('@'); at != std::string_view::npos) return ParseInterpolated(resource, amount, at);
  return ParseAbsolute(resource, amount);
}

std::string FormatAmount(Resource resource, const AbsoluteLimit& amount) {
  return fmt::format("{}{}", amount.limit, BaseUnitText(resource));
}
std::string FormatAmount(Resource /*resource*/, const RelativeLimit& amount) {
  return fmt::format("{}x", amount.factor);
}
std::string FormatAmount(Resource /*resource*/, const InterpolatedLimit& amount) {
  return fmt::format("{}@w{}:w{}", amount.fraction, amount.low_bits, amount.high_bits);
}

std::string FormatAmount(Resource /*resource*/, const DeviceLimit& /*amount*/) { return std::string(kDevice); }

absl::Status ValidateAmount(const AbsoluteLimit& amount) {
  if (amount.limit >= 0) return absl::OkStatus();
  return InvalidArgument("got {}, want a limit >= 0", amount.limit);
}
absl::Status ValidateAmount(const RelativeLimit& amount) {
  if (amount.factor > 0 && amount.factor <= kMaxFactor) return absl::OkStatus();  // false for NaN
  return InvalidArgument("got a factor of {}, want more than 0 and at most {}", amount.factor, kMaxFactor);
}
absl::Status ValidateAmount(const InterpolatedLimit& amount) {
  if (!(amount.fraction >= 0 && amount.fraction <= 1)) {
    return InvalidArgument("got a fraction of {}, want 0..1", amount.fraction);
  }
  if (amount.low_bits >= kMinUniformBits && amount.low_bits < amount.high_bits && amount.high_bits <= kMaxUniformBits) {
    return absl::OkStatus();
  }
  return InvalidArgument("got w{}:w{}, want two widths in {}..{}, the smaller first", amount.low_bits, amount.high_bits,
                         kMinUniformBits, kMaxUniformBits);
}

absl::Status ValidateAmount(const DeviceLimit& /*amount*/) { return absl::OkStatus(); }

// Of size and memory.
absl::Status CheckDeviceHas(const BudgetSpec& spec) {
  if (!std::holds_alternative<DeviceLimit>(spec.amount)) return absl::OkStatus();
  if (spec.resource == Resource::kSize || spec.resource == Resource::kMemory) return absl::OkStatus();
  return InvalidArgument("a device has a limit of size (flash) and of memory (SRAM), not of {}",
                         ToString(spec.resource));
}

struct Resolver {
  const LayerTable& layers;
  const OptionTable& options;
  const CostTable& costs;
  Resource resource;

  absl::StatusOr<int64_t> Uniform(int bits) const { return UniformTotal(layers, options, costs, resource, bits); }

  absl::StatusOr<int64_t> operator()(const AbsoluteLimit& amount) const { return amount.limit; }

  absl::StatusOr<int64_t> operator()(const RelativeLimit& amount) const {
    BITPLAN_ASSIGN_OR_RETURN(const int64_t total, Uniform(kReferenceBits));
    const std::optional<int64_t> limit = FloorProduct(ShortestDecimal(amount.factor), total);
    if (!limit) return InvalidArgument("{} times {} does not fit in 63 bits", amount.factor, total);
    return *limit;
  }

  absl::StatusOr<int64_t> operator()(const InterpolatedLimit& amount) const {
    BITPLAN_ASSIGN_OR_RETURN(const int64_t low, Uniform(amount.low_bits));
    BITPLAN_ASSIGN_OR_RETURN(const int64_t high, Uniform(amount.high_bits));
    if (high < low) {
      return InvalidArgument("uniform {} bit uses {}, more than uniform {} bit ({}): nothing to interpolate",
                             amount.low_bits, low, amount.high_bits, high);
    }
    // A fraction of at most 1 cannot leave [low, high].
    return low + FloorProduct(ShortestDecimal(amount.fraction), high - low).value_or(0);
  }

  absl::StatusOr<int64_t> operator()(const DeviceLimit& /*amount*/) const {
    const bool is_size = resource == Resource::kSize;
    const std::optional<int64_t> bytes = is_size ? costs.limits.flash_bytes : costs.limits.sram_bytes;
    if (!bytes) {
      return InvalidArgument("profile '{}' does not say how much {} the device has", costs.profile,
                             is_size ? "flash" : "SRAM");
    }
    const std::optional<int64_t> limit = is_size ? CheckedMultiply(*bytes, kBitsPerByte) : bytes;
    if (!limit) return InvalidArgument("{} bytes do not fit in 63 bits", *bytes);
    return *limit;
  }
};

absl::Status NoUniform(Resource resource, int bits, const std::vector<std::string>& missing) {
  return InvalidArgument("no {} of uniform {} bit: no option of that width with a known cost in layers {}",
                         ToString(resource), bits, fmt::join(missing, ", "));
}

absl::StatusOr<int64_t> UniformPeak(const LayerTable& layers, const OptionTable& options, const CostTable& costs,
                                    int bits) {
  std::vector<MemoryCandidates> candidates;
  std::vector<std::string> missing;
  for (size_t i = 0; i < layers.layers.size(); ++i) {
    MemoryCandidates& layer = candidates.emplace_back();
    layer.layer = layers.layers[i].name;
    for (const int k : OptionsOfWidth(options.options[i], bits)) {
      const auto size = costs.costs[i][k].find(Resource::kSize);
      layer.options.push_back(options.options[i][k]);
      layer.size_bits.push_back(size == costs.costs[i][k].end() ? std::nullopt : std::optional(size->second));
    }
    if (layer.options.empty()) missing.push_back(fmt::format("'{}'", layer.layer));
  }
  if (!missing.empty()) return NoUniform(Resource::kMemory, bits, missing);
  const std::optional<int64_t> peak = PeakBytes(*costs.peak_memory, candidates);
  if (!peak) return InvalidArgument("no memory of uniform {} bit: a size is not known or too large", bits);
  return *peak;
}

absl::Status CheckPriced(const CostTable& costs, Resource resource) {
  std::vector<std::string_view> priced;
  for (const PricedResource& row : costs.resources) {
    if (row.resource == resource) return absl::OkStatus();
    priced.push_back(ToString(row.resource));
  }
  return InvalidArgument("profile '{}' has no {} for these layers, only {}. It knows {}", costs.profile,
                         ToString(resource), fmt::join(priced, ", "), costs.coverage);
}

}  // namespace

absl::StatusOr<BudgetSpec> ParseBudget(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return InvalidArgument("budget '{}': want <resource>=<amount> such as size=0.5x", text);
  }
  // "size=1MiB" and "size<=1MiB" are upper limits, "size>=1MiB" is a lower one.
  const bool has_sign = equals > 0 && (text[equals - 1] == '<' || text[equals - 1] == '>');
  const bool is_lower = has_sign && text[equals - 1] == '>';
  const BudgetSense sense = is_lower ? BudgetSense::kAtLeast : BudgetSense::kAtMost;
  const absl::StatusOr<Resource> resource = ParseResource(text.substr(0, has_sign ? equals - 1 : equals));
  if (!resource.ok()) return WithContext(resource.status(), fmt::format("budget '{}'", text));
  const std::string_view amount = text.substr(equals + 1);
  absl::StatusOr<BudgetSpec> spec = ParseAmount(*resource, amount);
  if (spec.ok()) spec->sense = sense;
  return spec;
}

std::string FormatBudget(const BudgetSpec& spec) {
  const std::string amount =
      std::visit([&](const auto& kind) { return FormatAmount(spec.resource, kind); }, spec.amount);
  const std::string_view sign = spec.sense == BudgetSense::kAtLeast ? ">=" : "=";
  return fmt::format("{}{}{}", ToString(spec.resource), sign, amount);
}

absl::Status ValidateBudget(const BudgetSpec& spec) {
  absl::Status status = std::visit([](const auto& kind) { return ValidateAmount(kind); }, spec.amount);
  if (status.ok()) status = CheckDeviceHas(spec);
  return status.ok() ? status : WithContext(status, fmt::format("budget '{}'", FormatBudget(spec)));
}

bool IsPeak(const CostTable& costs, Resource resource) {
  return resource == Resource::kMemory && costs.peak_memory.has_value();
}

absl::StatusOr<int64_t> UniformTotal(const LayerTable& layers, const OptionTable& options, const CostTable& costs,
                                     Resource resource, int bits) {
  if (IsPeak(costs, resource)) return UniformPeak(layers, options, costs, bits);
  std::vector<int64_t> amounts;
  std::vector<std::string> missing;
  for (size_t i = 0; i < layers.layers.size(); ++i) {
    const std::optional<int64_t> cheapest = CheapestOfWidth(options.options[i], costs.costs[i], resource, bits);
    if (cheapest) amounts.push_back(*cheapest);
    if (!cheapest) missing.push_back(fmt::format("'{}'", layers.layers[i].name));
  }
  if (!missing.empty()) return NoUniform(resource, bits, missing);
  const std::optional<int64_t> total = hardware::CheckedSum(amounts);
  if (!total) return InvalidArgument("the {} of uniform {} bit does not fit in 63 bits", ToString(resource), bits);
  return *total;
}

absl::StatusOr<int64_t> ResolveBudget(const BudgetSpec& spec, const LayerTable& layers, const OptionTable& options,
                                      const CostTable& costs) {
  BITPLAN_RETURN_IF_ERROR(ValidateBudget(spec));
  const std::string where = fmt::format("budget '{}'", FormatBudget(spec));
  BITPLAN_RETURN_IF_ERROR(WithContext(CheckPriced(costs, spec.resource), where));
  absl::StatusOr<int64_t> limit = std::visit(Resolver{layers, options, costs, spec.resource}, spec.amount);
  if (!limit.ok()) return WithContext(limit.status(), where);
  return limit;
}

}  // namespace bitplan::pipeline
