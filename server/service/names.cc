#include "server/service/names.h"

#include <algorithm>

#include "search/base/status.h"
#include "server/service/status_map.h"

namespace bitplan::service {
namespace {

constexpr size_t kMaxIdBytes = 63;  // a DNS label, as AIP-122 recommends
constexpr size_t kMaxDisplayNameBytes = 128;
constexpr size_t kMaxRequestIdBytes = 64;
constexpr size_t kContentIdDigits = 24;

bool IsIdCharacter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

bool IsId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdBytes && id.front() != '-' &&
         std::all_of(id.begin(), id.end(), IsIdCharacter);
}

// Takes "<word>/" off the front of `rest` and gives what follows up to the next '/'.
bool TakeSegment(std::string_view& rest, std::string_view word, std::string_view& id) {
  if (!rest.starts_with(word) || rest.substr(word.size(), 1) != "/") return false;
  rest.remove_prefix(word.size() + 1);
  id = rest.substr(0, rest.find('/'));
  rest.remove_prefix(std::min(rest.size(), id.size() + 1));
  return IsId(id);
}

std::string Quoted(std::string_view text) { return fmt::format("'{}'", CleanText(text, 100)); }

absl::Status CheckText(std::string_view field, std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes)
    return InvalidArgument("{}: got {} bytes, want at most {}", field, text.size(), max_bytes);
  if (CleanText(text, max_bytes) != text) return InvalidArgument("{}: got control characters or invalid UTF-8", field);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ParseParent(std::string_view field, std::string_view parent) {
  std::string_view rest = parent;
  std::string_view project;
  if (!TakeSegment(rest, "projects", project) || parent.size() != project.size() + sizeof("projects")) {
    return InvalidArgument("{}: got {}, want projects/{{project}}", field, Quoted(parent));
  }
  return std::string(project);
}

absl::StatusOr<store::ResourceKey> ParseName(std::string_view field, std::string_view name,
                                             std::string_view collection) {
  std::string_view rest = name;
  std::string_view project;
  std::string_view id;
  const bool parsed = TakeSegment(rest, "projects", project) && TakeSegment(rest, collection, id);
  if (!parsed || name != fmt::format("projects/{}/{}/{}", project, collection, id)) {
    return InvalidArgument("{}: got {}, want projects/{{project}}/{}/{{id}}", field, Quoted(name), collection);
  }
  return store::ResourceKey{
      .project = std::string(project), .collection = std::string(collection), .id = std::string(id)};
}

absl::StatusOr<store::JobKey> ParseJobName(std::string_view field, std::string_view name) {
  BITPLAN_ASSIGN_OR_RETURN(store::ResourceKey key, ParseName(field, name, "jobs"));
  return store::JobKey{.project = std::move(key.project), .id = std::move(key.id)};
}

std::string IdOfDigest(std::string_view digest) { return std::string(digest.substr(0, kContentIdDigits)); }

absl::Status CheckDisplayName(std::string_view field, std::string_view text) {
  return CheckText(field, text, kMaxDisplayNameBytes);
}
absl::Status CheckRequestId(std::string_view field, std::string_view text) {
  return CheckText(field, text, kMaxRequestIdBytes);
}

}  // namespace bitplan::service
