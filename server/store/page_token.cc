#include "server/store/page_token.h"

#include <algorithm>
#include <charconv>

#include "search/base/digest.h"
#include "search/base/status.h"
#include "server/store/store.h"

namespace bitplan::store {
namespace {

constexpr size_t kRowDigits = 16;    // int64 in hexadecimal
constexpr size_t kCheckDigits = 16;  // 64 bits of SHA-256: enough against mix-ups, and nothing is protected by it

std::string Check(std::string_view list_identity, std::string_view row) {
  return Sha256Hex(fmt::format("page token 1|{}|{}", row, list_identity)).substr(0, kCheckDigits);
}

}  // namespace

std::string MakePageToken(std::string_view list_identity, int64_t last_row) {
  const std::string row = fmt::format("{:0{}x}", last_row, kRowDigits);
  return row + Check(list_identity, row);
}

absl::StatusOr<int64_t> ParsePageToken(std::string_view list_identity, std::string_view token) {
  const std::string_view row = token.substr(0, kRowDigits);
  int64_t last_row = 0;
  const auto parsed = std::from_chars(row.data(), row.data() + row.size(), last_row, 16);
  const bool whole = token.size() == kRowDigits + kCheckDigits && parsed.ec == std::errc() && parsed.ptr == row.end();
  if (!whole || token.substr(kRowDigits) != Check(list_identity, row)) {
    return InvalidArgument(
        "page_token: it does not belong to this list; use the one of the page before, with the same parent, filter and "
        "order, or leave it empty");
  }
  return last_row;
}

absl::StatusOr<int64_t> EffectivePageSize(int64_t page_size) {
  if (page_size < 0)
    return InvalidArgument("page_size: got {}, want 0 (default {}) or more", page_size, kDefaultPageSize);
  return page_size == 0 ? kDefaultPageSize : std::min(page_size, kMaxPageSize);
}

}  // namespace bitplan::store
