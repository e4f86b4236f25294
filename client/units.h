#ifndef BITPLAN_CLIENT_UNITS_H_
#define BITPLAN_CLIENT_UNITS_H_

#include <cstdint>
#include <string>

#include "search/base/resource.h"

// Amounts as people read them. Exact numbers are in the JSON output.

namespace bitplan::client {

// An amount in base units: "37.5 KiB" (size: bits as bytes; memory), "1.62 GBOPs", "3.40 ms", "12.0 uJ". Three
// significant digits, but amounts below one unit step are exact.
std::string FormatAmount(Resource resource, int64_t amount);

// "1,234,567".
std::string FormatCount(int64_t count);

// "37.5 KiB" of bytes.
std::string FormatBytes(int64_t bytes);

// A price in loss a base unit, for an amount that people think in: "1.23e-05 a KiB", "1.23e-04 a us".
std::string FormatPrice(Resource resource, double price);

// "1.234e-03": loss, sensitivity.
std::string FormatLoss(double loss);

// "12.3 s", "4 min 05 s", "850 ms".
std::string FormatSeconds(double seconds);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_UNITS_H_
