#ifndef BITPLAN_PROTO_CONVERT_FIELD_PATH_H_
#define BITPLAN_PROTO_CONVERT_FIELD_PATH_H_

#include <string_view>

#include "absl/status/status.h"

// Error messages begin with the path of the field they speak of, as a client spells it: "config.budgets[0].limit: got
// -1".

namespace bitplan::convert {

// "budgets[0].limit" of "budgets[0].limit: got -1, want >= 0"; empty if the message does not begin with a field path.
// A path is identifiers joined by dots, each with an optional [index] and 'name' after it.
std::string_view FieldPathOf(std::string_view message);

// `status` seen from the message that holds `field`: "limit: got -1" becomes "budgets[0].limit: got -1", a message
// without a path of its own gets "budgets[0]: " in front. OK stays OK; payloads are dropped.
absl::Status AtField(std::string_view field, const absl::Status& status);

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_FIELD_PATH_H_
