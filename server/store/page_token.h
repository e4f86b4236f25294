#ifndef BITPLAN_SERVER_STORE_PAGE_TOKEN_H_
#define BITPLAN_SERVER_STORE_PAGE_TOKEN_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bitplan::store {

// A page token says after which row the next page begins, and is bound to one list by a digest of `list_identity` (the
// collection, project, filter and order). Opaque to clients; not a secret: it grants nothing.
std::string MakePageToken(std::string_view list_identity, int64_t last_row);

// The row in `token`. kInvalidArgument: damaged, or made for another list.
absl::StatusOr<int64_t> ParsePageToken(std::string_view list_identity, std::string_view token);

// options.page_size with its default and limit applied. kInvalidArgument: negative.
absl::StatusOr<int64_t> EffectivePageSize(int64_t page_size);

}  // namespace bitplan::store

#endif  // BITPLAN_SERVER_STORE_PAGE_TOKEN_H_
