#include "client/rpc_error.h"

#include <fmt/format.h>

#include "google/rpc/error_details.pb.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

template <typename Detail>
std::optional<Detail> FindDetail(const google::rpc::Status& status) {
  Detail detail;
  for (const auto& any : status.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

google::rpc::Status ParseDetails(const std::string& details) {
  google::rpc::Status status;
  if (!status.ParseFromString(details)) status.Clear();
  return status;
}

// "\n  budgets[0].limit: got -1, want >= 0" for each field that the message does not name already.
std::string FieldLines(const google::rpc::Status& status, std::string_view message) {
  std::string lines;
  const auto bad_request = FindDetail<google::rpc::BadRequest>(status);
  if (!bad_request.has_value()) return lines;
  for (const auto& violation : bad_request->field_violations()) {
    if (message.find(violation.field()) != std::string_view::npos) continue;
    if (message.find(violation.description()) != std::string_view::npos) continue;  // there with the element's name
    lines += fmt::format("\n  {}: {}", violation.field(), violation.description());
  }
  return lines;
}

std::string NobodyAnswered(std::string_view server) {
  return fmt::format(
      "no server answers at {}. Is bitpland running there? --server HOST:PORT or BITPLAN_SERVER names another", server);
}

}  // namespace

absl::Status ToStatus(const google::rpc::Status& error) {
  const auto code = static_cast<absl::StatusCode>(error.code());
  return absl::Status(code, error.message() + FieldLines(error, error.message()));
}

absl::Status ToStatus(int code, std::string_view message, const std::string& details, std::string_view server) {
  if (code == 0) return absl::OkStatus();
  google::rpc::Status said = ParseDetails(details);
  const auto status_code = static_cast<absl::StatusCode>(code);
  if (said.details().empty()) {
    // Not from our services: the connection, a proxy, or gRPC itself.
    if (status_code == absl::StatusCode::kUnavailable) return absl::UnavailableError(NobodyAnswered(server));
    if (status_code == absl::StatusCode::kDeadlineExceeded) {
      return absl::DeadlineExceededError(fmt::format("the server at {} did not answer in time", server));
    }
    if (status_code == absl::StatusCode::kCancelled) return absl::CancelledError("cancelled");
    if (status_code == absl::StatusCode::kUnimplemented) {
      return absl::UnimplementedError(
          fmt::format("what answers at {} does not know this call: another program, or another version", server));
    }
    return absl::Status(status_code, fmt::format("the server at {} answered: {}", server, message));
  }
  said.set_code(code);
  said.set_message(std::string(message));
  return ToStatus(said);
}

std::optional<std::chrono::milliseconds> RetryDelay(const std::string& details) {
  const auto retry = FindDetail<google::rpc::RetryInfo>(ParseDetails(details));
  if (!retry.has_value()) return std::nullopt;
  return std::chrono::milliseconds(retry->retry_delay().seconds() * 1000 + retry->retry_delay().nanos() / 1'000'000);
}

}  // namespace bitplan::client
