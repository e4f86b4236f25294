#ifndef BITPLAN_SEARCH_BASE_STATUS_H_
#define BITPLAN_SEARCH_BASE_STATUS_H_

// Errors travel as absl::Status and absl::StatusOr<T>. A message says where, what came, what was wanted:
//   layers[3] 'conv2'.options[1].weight_bits: got 9, want 2..8

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitplan {

// Builds a status whose message is fmt::format(format, args...).
template <typename... Args>
absl::Status InvalidArgument(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InvalidArgumentError(fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
absl::Status Unimplemented(fmt::format_string<Args...> format, Args&&... args) {
  return absl::UnimplementedError(fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
absl::Status NotFound(fmt::format_string<Args...> format, Args&&... args) {
  return absl::NotFoundError(fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
absl::Status AlreadyExists(fmt::format_string<Args...> format, Args&&... args) {
  return absl::AlreadyExistsError(fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
absl::Status FailedPrecondition(fmt::format_string<Args...> format, Args&&... args) {
  return absl::FailedPreconditionError(fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
absl::Status ResourceExhausted(fmt::format_string<Args...> format, Args&&... args) {
  return absl::ResourceExhaustedError(fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
absl::Status Internal(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InternalError(fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
absl::Status DataLoss(fmt::format_string<Args...> format, Args&&... args) {
  return absl::DataLossError(fmt::format(format, std::forward<Args>(args)...));
}

// The message as a std::string: Debian's absl::string_view does not convert to std::string_view.
inline std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

// `status` with "<where>: " in front of its message; OK stays OK.
inline absl::Status WithContext(const absl::Status& status, std::string_view where) {
  return status.ok() ? status : absl::Status(status.code(), fmt::format("{}: {}", where, MessageOf(status)));
}

}  // namespace bitplan

// Returns from the calling function if `expression`, an absl::Status, is not OK.
#define BITPLAN_RETURN_IF_ERROR(expression)                                 \
  do {                                                                      \
    if (absl::Status bitplan_status = (expression); !bitplan_status.ok()) { \
      return bitplan_status;                                                \
    }                                                                       \
  } while (false)

// BITPLAN_ASSIGN_OR_RETURN(const T x, F()): moves the value of a StatusOr into x, or returns its status.
#define BITPLAN_ASSIGN_OR_RETURN(declaration, expression) \
  BITPLAN_ASSIGN_OR_RETURN_IMPL_(BITPLAN_CONCAT_(bitplan_status_or_, __LINE__), declaration, expression)
#define BITPLAN_CONCAT_INNER_(a, b) a##b
#define BITPLAN_CONCAT_(a, b) BITPLAN_CONCAT_INNER_(a, b)
#define BITPLAN_ASSIGN_OR_RETURN_IMPL_(result, declaration, expression) \
  auto result = (expression);                                           \
  if (!result.ok()) {                                                   \
    return std::move(result).status();                                  \
  }                                                                     \
  declaration = *std::move(result)

#endif  // BITPLAN_SEARCH_BASE_STATUS_H_
