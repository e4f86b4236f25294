#include "server/service/resources.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

namespace bitplan::service {

void SetTime(int64_t time_us, google::protobuf::Timestamp* timestamp) {
  timestamp->set_seconds(time_us / 1'000'000);
  timestamp->set_nanos(static_cast<int32_t>(time_us % 1'000'000) * 1000);
}

std::string SerializeDeterministically(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream sink(&bytes);
  google::protobuf::io::CodedOutputStream stream(&sink);
  stream.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&stream);
  stream.Trim();
  return bytes;
}

absl::StatusOr<store::Resource> GetResource(Backend& backend, const store::ResourceKey& key) {
  auto resource = backend.store->GetResource(key);
  if (absl::IsNotFound(resource.status())) return NotFound("no such resource: {}", store::ResourceName(key));
  return resource;
}

absl::StatusOr<store::Resource> FindInProject(Backend& backend, std::string_view project, std::string_view field,
                                              std::string_view name, std::string_view collection) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName(field, name, collection));
  if (key.project != project) {
    return InvalidArgument("{}: got one of projects/{}, want one of projects/{}", field, key.project, project);
  }
  auto resource = GetResource(backend, key);
  if (!resource.ok()) return WithContext(resource.status(), field);
  return resource;
}

absl::StatusOr<store::Resource> FindEarlier(Backend& backend, std::string_view project,
                                            const store::RequestKey& request) {
  if (request.request_id.empty()) return NotFound("no request id");
  BITPLAN_ASSIGN_OR_RETURN(const std::string name, backend.store->FindRequest(project, request));
  const size_t collection_at = std::string_view("projects/").size() + project.size() + 1;
  const size_t id_at = name.find('/', collection_at) + 1;
  auto resource = GetResource(backend, {.project = std::string(project),
                                        .collection = name.substr(collection_at, id_at - 1 - collection_at),
                                        .id = name.substr(id_at)});
  if (!absl::IsNotFound(resource.status())) return resource;
  return FailedPrecondition("request_id: it made {}, which has been deleted since", name);
}

absl::StatusOr<store::Resource> CreateOrGet(Backend& backend, const store::Resource& resource,
                                            const store::RequestKey& request) {
  auto earlier = FindEarlier(backend, resource.key.project, request);
  if (!absl::IsNotFound(earlier.status())) return earlier;
  BITPLAN_RETURN_IF_ERROR(backend.store->CreateResource(resource, request).status());
  return GetResource(backend, resource.key);
}

absl::StatusOr<store::Resource> CreateWithBlob(Backend& backend, store::Resource resource, std::string_view blob,
                                               const store::RequestKey& request) {
  const std::lock_guard lock(backend.blob_mutex);
  BITPLAN_ASSIGN_OR_RETURN(const artifacts::Artifact artifact, backend.artifacts->Put(blob));
  resource.digest = artifact.digest;
  auto created = CreateOrGet(backend, resource, request);
  if (!created.ok() || created->digest != artifact.digest) {
    BITPLAN_RETURN_IF_ERROR(DeleteBlobIfUnused(backend, artifact.digest));
  }
  return created;
}

absl::Status DeleteNamed(Backend& backend, std::string_view name, std::string_view collection) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("name", name, collection));
  const std::lock_guard lock(backend.blob_mutex);
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource resource, GetResource(backend, key));
  BITPLAN_RETURN_IF_ERROR(backend.store->DeleteResource(key));
  return resource.digest.empty() ? absl::OkStatus() : DeleteBlobIfUnused(backend, resource.digest);
}

absl::Status DeleteBlobIfUnused(Backend& backend, std::string_view digest) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t uses, backend.store->CountResourcesWithDigest(digest));
  return uses > 0 ? absl::OkStatus() : backend.artifacts->Delete(digest);
}

absl::StatusOr<store::ListOptions> ToListOptions(int32_t page_size, const std::string& page_token) {
  if (page_size < 0) return InvalidArgument("page_size: got {}, want 0..{}", page_size, store::kMaxPageSize);
  return store::ListOptions{.page_size = page_size, .page_token = page_token, .newest_first = true};
}

}  // namespace bitplan::service
