#ifndef BITPLAN_SEARCH_BASE_TEXT_H_
#define BITPLAN_SEARCH_BASE_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace bitplan {

// True for well-formed UTF-8 (RFC 3629: shortest form, no surrogates) without control characters (below 0x20, 0x7F).
// Names from outside must pass: they come back in JSON, on the wire and on terminals.
bool IsPlainText(std::string_view text);

// `text` fit for a message: everything outside printable ASCII becomes \xNN, and what is longer than max_bytes ends in
// "...". Use it for text that has not passed IsPlainText.
std::string Printable(std::string_view text, size_t max_bytes = 80);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_BASE_TEXT_H_
