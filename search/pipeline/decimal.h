#ifndef BITPLAN_SEARCH_PIPELINE_DECIMAL_H_
#define BITPLAN_SEARCH_PIPELINE_DECIMAL_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace bitplan::pipeline {

// digits * 10^exponent, exactly; 0 <= digits < 10^18.
struct Decimal {
  int64_t digits = 0;
  int exponent = 0;
};

// Takes a number such as "12", "0.25" or "1.5e9" from the front of `text`. nullopt (and `text` as it was) if there is
// none, it has a sign, more than 18 significant digits or an exponent beyond +-400.
std::optional<Decimal> TakeDecimal(std::string_view& text);

// The shortest decimal that reads back as `value`: 0.7, not 0.6999999999999999556. `value` is finite and >= 0.
Decimal ShortestDecimal(double value);

// floor(number * factor), or nullopt if it does not fit in int64. factor >= 0.
std::optional<int64_t> FloorProduct(Decimal number, int64_t factor);

}  // namespace bitplan::pipeline

#endif  // BITPLAN_SEARCH_PIPELINE_DECIMAL_H_
