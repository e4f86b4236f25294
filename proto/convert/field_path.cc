#include "proto/convert/field_path.h"

#include "search/base/status.h"

namespace bitplan::convert {
namespace {

bool IsIdentifierStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Each Skip* returns the position after what it found at `at`, or `at` if it is not there.
size_t SkipIdentifier(std::string_view s, size_t at) {
  if (at >= s.size() || !IsIdentifierStart(s[at])) return at;
  while (at < s.size() && (IsIdentifierStart(s[at]) || IsDigit(s[at]))) ++at;
  return at;
}

size_t SkipIndex(std::string_view s, size_t at) {
  if (at >= s.size() || s[at] != '[') return at;
  const size_t close = s.find(']', at);
  return close == std::string_view::npos ? at : close + 1;
}

size_t SkipQuotedName(std::string_view s, size_t at) {
  if (!s.substr(at).starts_with(" '")) return at;
  const size_t close = s.find('\'', at + 2);
  return close == std::string_view::npos ? at : close + 1;
}

}  // namespace

std::string_view FieldPathOf(std::string_view message) {
  size_t at = 0;
  while (true) {
    const size_t name_end = SkipIdentifier(message, at);
    if (name_end == at) return {};
    at = SkipQuotedName(message, SkipIndex(message, name_end));
    if (message.substr(at).starts_with(": ")) return message.substr(0, at);
    if (at >= message.size() || message[at] != '.') return {};
    ++at;
  }
}

absl::Status AtField(std::string_view field, const absl::Status& status) {
  if (status.ok()) return status;
  const std::string message = MessageOf(status);
  const bool has_path = !FieldPathOf(message).empty();
  return absl::Status(status.code(), fmt::format("{}{}{}", field, has_path ? "." : ": ", message));
}

}  // namespace bitplan::convert
