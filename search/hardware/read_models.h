#ifndef BITPLAN_SEARCH_HARDWARE_READ_MODELS_H_
#define BITPLAN_SEARCH_HARDWARE_READ_MODELS_H_

#include <string_view>
#include <vector>

#include "search/base/json_reader.h"
#include "search/hardware/profile.h"

namespace bitplan::hardware {

// The parts of a profile document that describe models, as docs/formats/profile.md has them. Strict; what is wrong is
// recorded in the document with its path.
SizeModel ReadSize(JsonObject object);
RooflineModel ReadRoofline(JsonObject object);
EnergyModel ReadEnergy(JsonObject object);
MemoryModel ReadMemory(JsonObject object);
BoundaryModel ReadBoundary(JsonObject object);
DeviceLimits ReadLimits(JsonObject object);
SupportRule ReadSupportRule(JsonObject object);

// "w4a8" at `value`, and a list of such, none twice; `text` where the widths are a key.
Widths ReadWidths(const JsonValue& value, std::string_view text);
std::vector<Widths> ReadWidthList(const JsonValue& value);
// Records an error unless `value` is the text `wanted`.
void CheckText(const JsonValue& value, std::string_view wanted);

inline constexpr int64_t kMaxAmount = int64_t{1} << 53;  // exact in every JSON reader

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_READ_MODELS_H_
