#include "server/service/status_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "proto/convert/field_path.h"
#include "search/base/status.h"
#include "server/jobs/job_manager.h"
#include "server/service/log.h"

namespace bitplan::service {
namespace {

constexpr std::chrono::milliseconds kDefaultRetryDelay{1000};
constexpr char kFieldPayload[] = "bitplan/field";

bool IsOurFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kDataLoss ||
         code == absl::StatusCode::kUnknown;
}

// Length of the UTF-8 character at the front of `s`; 0 if there is none (overlong and surrogate forms included).
size_t CharacterLength(std::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const auto is_tail = [&](size_t i) { return i < s.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return is_tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead < 0xF0) {
    if (!is_tail(1) || !is_tail(2)) return 0;
    const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xF0 && lead < 0xF5) {
    if (!is_tail(1) || !is_tail(2) || !is_tail(3)) return 0;
    const bool overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool too_large = lead == 0xF4 && byte(1) >= 0x90;
    return overlong || too_large ? 0 : 4;
  }
  return 0;
}

bool IsControl(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F; }

std::string RandomId() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

void AddErrorInfo(absl::StatusCode code, std::string_view log_id, google::rpc::Status& status) {
  google::rpc::ErrorInfo info;
  info.set_reason(absl::StatusCodeToString(code));
  info.set_domain("bitplan");
  if (!log_id.empty()) (*info.mutable_metadata())["log_id"] = std::string(log_id);
  status.add_details()->PackFrom(info);
}

// False: the same request can pass another time, so no field of it is bad.
bool RequestIsAtFault(absl::StatusCode code) {
  return code != absl::StatusCode::kResourceExhausted && code != absl::StatusCode::kUnavailable &&
         code != absl::StatusCode::kCancelled && code != absl::StatusCode::kDeadlineExceeded &&
         code != absl::StatusCode::kAborted;
}

// "layers[3] 'conv2'.kind" -> "layers[3].kind"
std::string WithoutNames(std::string_view path) {
  std::string out;
  bool quoted = false;
  for (const char c : path) {
    if (c == '\'') quoted = !quoted;
    if (!quoted && c != '\'' && c != ' ') out += c;
  }
  return out;
}

void AddBadRequest(const absl::Status& from, google::rpc::Status& status) {
  if (!RequestIsAtFault(from.code())) return;
  const std::string_view message = status.message();
  const std::string_view path = convert::FieldPathOf(message);
  const absl::optional<absl::Cord> named = from.GetPayload(kFieldPayload);
  if (path.empty() && !named) return;
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(named ? std::string(*named) : WithoutNames(path));
  violation->set_description(std::string(named ? message : message.substr(path.size() + 2)));
  status.add_details()->PackFrom(bad);
}

void AddRetryInfo(const absl::Status& from, google::rpc::Status& status) {
  if (from.code() != absl::StatusCode::kResourceExhausted && from.code() != absl::StatusCode::kUnavailable) return;
  const auto delay = jobs::RetryAfter(from).value_or(kDefaultRetryDelay);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(delay.count() / 1000);
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(delay.count() % 1000) * 1'000'000);
  status.add_details()->PackFrom(retry);
}

}  // namespace

std::string CleanText(std::string_view text, size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const bool keep = length > 1 || (length == 1 && !IsControl(text[0]));
    const size_t used = std::max<size_t>(length, 1);
    if (out.size() + (keep ? used : 1) > max_bytes) break;
    out += keep ? text.substr(0, used) : std::string_view("?");
    text.remove_prefix(used);
  }
  return out;
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  if (!IsOurFault(status.code())) return ToRpcStatus(status, "");
  const std::string id = RandomId();
  Log(fmt::format("error {}: {}", id, status.ToString()));
  return ToRpcStatus(status, id);
}

google::rpc::Status ToRpcStatus(const absl::Status& status, std::string_view log_id) {
  google::rpc::Status out;
  out.set_code(static_cast<int32_t>(status.code()));
  if (status.ok()) return out;
  if (IsOurFault(status.code())) {
    out.set_message(fmt::format("internal error; the server's log has it under {}", log_id));
    AddErrorInfo(status.code(), log_id, out);
    return out;
  }
  out.set_message(CleanText(MessageOf(status), kMaxMessageBytes));
  AddErrorInfo(status.code(), "", out);
  AddBadRequest(status, out);
  AddRetryInfo(status, out);
  return out;
}

absl::Status AboutField(absl::Status status, std::string_view field) {
  status.SetPayload(kFieldPayload, absl::Cord(absl::string_view(field.data(), field.size())));
  return status;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status details = ToRpcStatus(status);
  return grpc::Status(static_cast<grpc::StatusCode>(details.code()), details.message(), details.SerializeAsString());
}

}  // namespace bitplan::service
