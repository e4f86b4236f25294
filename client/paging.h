#ifndef BITPLAN_CLIENT_PAGING_H_
#define BITPLAN_CLIENT_PAGING_H_

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/console.h"
#include "search/base/status.h"

namespace bitplan::client {

inline constexpr int64_t kLargestPage = 1000;

// Calls list(request), a page at a time, until there are `limit` entries or no more, and returns them in one response.
// `entries` gives the repeated field of a response. Notes on the console if more exist. limit >= 1.
template <typename Response, typename Request, typename List, typename Entries>
absl::StatusOr<Response> ListUpTo(int64_t limit, Request request, Console& console, const List& list,
                                  const Entries& entries) {
  Response all;
  while (true) {
    request.set_page_size(static_cast<int32_t>(std::min(kLargestPage, limit - entries(all)->size())));
    BITPLAN_ASSIGN_OR_RETURN(Response page, list(request));
    for (auto& entry : *entries(page)) *entries(all)->Add() = std::move(entry);
    if (page.next_page_token().empty()) return all;
    if (entries(all)->size() >= limit) break;
    request.set_page_token(page.next_page_token());
  }
  console.Note(fmt::format("There are more than these {}; --limit N shows N", limit));
  return all;
}

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_PAGING_H_
