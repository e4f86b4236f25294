#include "client/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>
#include <string_view>

namespace bitplan::client {
namespace {

// Three significant digits of a number in 1..1000, and of 1000..1024 four: "1.00", "37.5", "512", "1023".
std::string ThreeDigits(double value) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string Scaled(double amount, double step, std::span<const std::string_view> units) {
  size_t unit = 0;
  while (unit + 1 < units.size() && std::abs(amount) >= step) {
    amount /= step;
    ++unit;
  }
  const std::string number =
      unit == 0 ? fmt::format("{:.0f}", amount) : (amount < 0 ? "-" : "") + ThreeDigits(std::abs(amount));
  return fmt::format("{} {}", number, units[unit]);
}

constexpr double kMostShownBits = 1024;  // odd sizes below are shown in bits, others rounded to bytes

constexpr std::array<std::string_view, 5> kBytes = {"B", "KiB", "MiB", "GiB", "TiB"};
constexpr std::array<std::string_view, 6> kOperations = {"BOPs", "kBOPs", "MBOPs", "GBOPs", "TBOPs", "PBOPs"};
constexpr std::array<std::string_view, 4> kTimes = {"ns", "us", "ms", "s"};
constexpr std::array<std::string_view, 5> kEnergies = {"pJ", "nJ", "uJ", "mJ", "J"};

}  // namespace

std::string FormatAmount(Resource resource, int64_t amount) {
  const auto value = static_cast<double>(amount);
  switch (resource) {
    case Resource::kSize:
      return amount % 8 != 0 && std::abs(value) < kMostShownBits ? fmt::format("{} bits", amount)
                                                                 : Scaled(value / 8, 1024, kBytes);
    case Resource::kBops:
      return Scaled(value, 1000, kOperations);
    case Resource::kLatency:
      return Scaled(value, 1000, kTimes);
    case Resource::kMemory:
    case Resource::kTraffic:
      return Scaled(value, 1024, kBytes);
    case Resource::kEnergy:
      return Scaled(value, 1000, kEnergies);
  }
  return "";
}

std::string FormatCount(int64_t count) {
  std::string digits = fmt::format("{}", count);
  const int64_t first = count < 0 ? 1 : 0;
  for (auto place = static_cast<int64_t>(digits.size()) - 3; place > first; place -= 3) digits.insert(place, ",");
  return digits;
}

std::string FormatBytes(int64_t bytes) { return Scaled(static_cast<double>(bytes), 1024, kBytes); }

std::string FormatPrice(Resource resource, double price) {
  switch (resource) {
    case Resource::kSize:
      return fmt::format("{:.2e} a KiB", price * 8 * 1024);
    case Resource::kBops:
      return fmt::format("{:.2e} a MBOP", price * 1e6);
    case Resource::kLatency:
      return fmt::format("{:.2e} a us", price * 1e3);
    case Resource::kMemory:
    case Resource::kTraffic:
      return fmt::format("{:.2e} a KiB", price * 1024);
    case Resource::kEnergy:
      return fmt::format("{:.2e} a uJ", price * 1e6);
  }
  return "";
}

std::string FormatLoss(double loss) { return fmt::format("{:.3e}", loss); }

std::string FormatSeconds(double seconds) {
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 100) return fmt::format("{} s", whole);
  if (whole < 6000) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace bitplan::client
