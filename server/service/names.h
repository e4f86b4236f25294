#ifndef BITPLAN_SERVER_SERVICE_NAMES_H_
#define BITPLAN_SERVER_SERVICE_NAMES_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/store/store.h"

namespace bitplan::service {

// Resource names as bitplan/v1/common.proto defines them. `field` is the request's field, for the error message.

// The project of "projects/{project}". kInvalidArgument.
absl::StatusOr<std::string> ParseParent(std::string_view field, std::string_view parent);

// The parts of "projects/{project}/{collection}/{id}". kInvalidArgument, also for another collection.
absl::StatusOr<store::ResourceKey> ParseName(std::string_view field, std::string_view name,
                                             std::string_view collection);
absl::StatusOr<store::JobKey> ParseJobName(std::string_view field, std::string_view name);

// The id of content: the first 24 digits of its digest. 96 bits, so that nobody makes two contents with one id.
std::string IdOfDigest(std::string_view digest);

// kInvalidArgument if a display name is longer than 128 bytes or a request id longer than 64, or not clean text.
absl::Status CheckDisplayName(std::string_view field, std::string_view text);
absl::Status CheckRequestId(std::string_view field, std::string_view text);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_NAMES_H_
