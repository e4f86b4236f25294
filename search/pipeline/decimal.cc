#include "search/pipeline/decimal.h"

#include <array>
#include <charconv>
#include <limits>

#include "search/base/check.h"

namespace bitplan::pipeline {
namespace {

using Int128 = __int128;

constexpr int64_t kDigitsEnd = 1'000'000'000'000'000'000;  // 10^18: times any int64 it stays below 2^127
constexpr int kMaxExponent = 400;                          // beyond that of any double

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads digits with at most one point into `number`; false if there is no digit or they are too many.
bool TakeMantissa(std::string_view& text, Decimal& number) {
  bool seen_digit = false;
  bool seen_point = false;
  int trailing_zeros = 0;  // not significant unless a digit follows
  for (; !text.empty(); text.remove_prefix(1)) {
    const char c = text.front();
    if (c == '.' && seen_digit && !seen_point) {
      seen_point = true;
      continue;
    }
    if (!IsDigit(c)) break;
    seen_digit = true;
    number.exponent -= seen_point ? 1 : 0;
    ++trailing_zeros;
    if (c == '0') continue;
    for (; trailing_zeros > 0; --trailing_zeros) {
      if (number.digits >= kDigitsEnd / 10) return false;
      number.digits *= 10;
    }
    number.digits += c - '0';
  }
  number.exponent = number.digits == 0 ? 0 : number.exponent + trailing_zeros;
  return seen_digit;
}

// Reads "e9", "E+9" or "e-9" if it is there; false if an e stands there without a sound exponent.
bool TakeExponent(std::string_view& text, Decimal& number) {
  if (text.empty() || (text.front() != 'e' && text.front() != 'E')) return true;
  text.remove_prefix(1);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  int exponent = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (error != std::errc() || exponent < -kMaxExponent || exponent > kMaxExponent) return false;
  text.remove_prefix(rest - text.data());
  if (number.digits != 0) number.exponent += exponent;
  return true;
}

}  // namespace

std::optional<Decimal> TakeDecimal(std::string_view& text) {
  Decimal number;
  std::string_view rest = text;
  if (!TakeMantissa(rest, number) || !TakeExponent(rest, number)) return std::nullopt;
  text = rest;
  return number;
}

Decimal ShortestDecimal(double value) {
  std::array<char, 32> buffer;
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  std::string_view text(buffer.data(), end - buffer.data());
  const std::optional<Decimal> number = TakeDecimal(text);
  BITPLAN_CHECK(error == std::errc() && number && text.empty());  // at most 17 digits and an exponent of 324
  return *number;
}

std::optional<int64_t> FloorProduct(Decimal number, int64_t factor) {
  Int128 product = Int128{number.digits} * factor;
  for (int e = number.exponent; e < 0 && product != 0; ++e) product /= 10;  // floor of floor is floor of the quotient
  for (int e = number.exponent; e > 0 && product != 0; --e) {
    if (product > std::numeric_limits<int64_t>::max()) return std::nullopt;
    product *= 10;
  }
  if (product > std::numeric_limits<int64_t>::max()) return std::nullopt;
  return static_cast<int64_t>(product);
}

}  // namespace bitplan::pipeline
