#ifndef BITPLAN_SERVER_SERVICE_RESOURCES_H_
#define BITPLAN_SERVER_SERVICE_RESOURCES_H_

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/base/status.h"
#include "server/service/backend.h"
#include "server/service/names.h"

// What all stored resources share. A resource's payload is its message without name and create_time.

namespace bitplan::service {

void SetTime(int64_t time_us, google::protobuf::Timestamp* timestamp);

// The same message gives the same bytes, maps included.
std::string SerializeDeterministically(const google::protobuf::Message& message);

// kNotFound names the resource.
absl::StatusOr<store::Resource> GetResource(Backend& backend, const store::ResourceKey& key);

// The resource that a request's field names, which must be of the request's own project. kInvalidArgument, kNotFound.
absl::StatusOr<store::Resource> FindInProject(Backend& backend, std::string_view project, std::string_view field,
                                              std::string_view name, std::string_view collection);

// The resource that an earlier request with this id made. kNotFound: none, or no request id; kAlreadyExists: other
// content.
absl::StatusOr<store::Resource> FindEarlier(Backend& backend, std::string_view project,
                                            const store::RequestKey& request);

// Stores `resource`, or returns the one that has its key already: keys are made from content.
absl::StatusOr<store::Resource> CreateOrGet(Backend& backend, const store::Resource& resource,
                                            const store::RequestKey& request);

// Puts `blob` among the artifacts and creates the resource with its digest, as one step. The resource's payload is
// given.
absl::StatusOr<store::Resource> CreateWithBlob(Backend& backend, store::Resource resource, std::string_view blob,
                                               const store::RequestKey& request);

// Deletes the resource and, if no other one refers to it, its blob.
absl::Status DeleteNamed(Backend& backend, std::string_view name, std::string_view collection);

// Deletes the blob if no resource refers to it. The caller holds blob_mutex.
absl::Status DeleteBlobIfUnused(Backend& backend, std::string_view digest);

// The message of a stored resource, name and create_time filled in; without them if it is not stored (create_time_us =
// 0).
template <typename Message>
absl::StatusOr<Message> Decode(const store::Resource& resource) {
  Message message;
  if (!message.ParseFromString(resource.payload)) {
    return DataLoss("payload of {} is unreadable", store::ResourceName(resource.key));
  }
  if (resource.create_time_us == 0) return message;
  message.set_name(store::ResourceName(resource.key));
  SetTime(resource.create_time_us, message.mutable_create_time());
  return message;
}

template <typename Message>
absl::StatusOr<Message> GetDecoded(Backend& backend, std::string_view name, std::string_view collection) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("name", name, collection));
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource resource, GetResource(backend, key));
  return Decode<Message>(resource);
}

// kInvalidArgument: page_size is negative.
absl::StatusOr<store::ListOptions> ToListOptions(int32_t page_size, const std::string& page_token);

// One page of a collection, newest first, each message trimmed by `trim(Message*)`, appended by `add()` -> Message*.
// Returns the next page token.
template <typename Message, typename Request, typename Trim, typename Add>
absl::StatusOr<std::string> ListDecoded(Backend& backend, const Request& request, std::string_view collection,
                                        Trim trim, Add add) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string project, ParseParent("parent", request.parent()));
  BITPLAN_ASSIGN_OR_RETURN(const store::ListOptions options, ToListOptions(request.page_size(), request.page_token()));
  BITPLAN_ASSIGN_OR_RETURN(const auto page, backend.store->ListResources(project, collection, options));
  for (const store::Resource& resource : page.items) {
    BITPLAN_ASSIGN_OR_RETURN(Message message, Decode<Message>(resource));
    trim(&message);
    *add() = std::move(message);
  }
  return page.next_page_token;
}

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_RESOURCES_H_
