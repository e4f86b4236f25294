#include <algorithm>

#include "bitplan/v1/profile.grpc.pb.h"
#include "proto/convert/model.h"
#include "search/base/digest.h"
#include "search/hardware/shipped_profiles.h"
#include "server/service/finish.h"
#include "server/service/names.h"
#include "server/service/profiles.h"
#include "server/service/resources.h"
#include "server/service/services.h"

namespace bitplan::service {
namespace {

bool IsBuiltIn(std::string_view id) {
  const auto shipped = hardware::ShippedProfiles();
  return std::any_of(shipped.begin(), shipped.end(), [&](const auto& profile) { return profile.name == id; });
}

// kAlreadyExists: the project has a profile of this name with another document.
absl::Status CheckNameIsFree(Backend& backend, const store::ResourceKey& key, const std::string& json) {
  const auto existing = backend.store->GetResource(key);
  if (absl::IsNotFound(existing.status())) return absl::OkStatus();
  BITPLAN_RETURN_IF_ERROR(existing.status());
  BITPLAN_ASSIGN_OR_RETURN(const auto message, Decode<v1::Profile>(*existing));
  if (message.json() == json) return absl::OkStatus();
  return AlreadyExists("{} exists with another document (digest {})", message.name(), message.digest());
}

absl::StatusOr<v1::Profile> Create(Backend& backend, const v1::CreateProfileRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string project, ParseParent("parent", request.parent()));
  BITPLAN_RETURN_IF_ERROR(CheckRequestId("request_id", request.request_id()));
  const auto profile = hardware::ParseProfile(request.json());
  if (!profile.ok()) return WithContext(profile.status(), "json");
  if (IsBuiltIn(profile->name)) return AlreadyExists("profile '{}' is built in", profile->name);
  v1::Profile message = convert::FromProfile(*profile);
  message.set_json(request.json());
  const store::ResourceKey key{.project = project, .collection = "profiles", .id = profile->name};
  BITPLAN_RETURN_IF_ERROR(CheckNameIsFree(backend, key, request.json()));
  if (request.validate_only()) return message;
  const store::RequestKey request_key{
      .method = "CreateProfile", .request_id = request.request_id(), .fingerprint = Sha256Hex(request.json())};
  const store::Resource resource{.key = key, .payload = SerializeDeterministically(message)};
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource stored, CreateOrGet(backend, resource, request_key));
  BITPLAN_RETURN_IF_ERROR(CheckNameIsFree(backend, key, request.json()));  // another call may have been faster
  return Decode<v1::Profile>(stored);
}

absl::StatusOr<v1::Profile> Get(Backend& backend, const v1::GetProfileRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("name", request.name(), "profiles"));
  if (IsBuiltIn(key.id)) return BuiltInProfile(key.project, key.id);
  return GetDecoded<v1::Profile>(backend, request.name(), "profiles");
}

// Where a page begins: at a built-in profile, or behind them at a page of the store. Tokens are "b:<index>",
// "s:<token>".
struct ListPosition {
  size_t built_in = 0;
  std::string stored_token;
};

absl::StatusOr<ListPosition> ParseToken(const std::string& token) {
  const size_t count = hardware::ShippedProfiles().size();
  if (token.empty()) return ListPosition{};
  if (token.starts_with("s:")) return ListPosition{.built_in = count, .stored_token = token.substr(2)};
  for (size_t i = 0; i <= count; ++i) {
    if (token == fmt::format("b:{}", i)) return ListPosition{.built_in = i};
  }
  return InvalidArgument("page_token: not a token of this list");
}

absl::StatusOr<v1::ListProfilesResponse> List(Backend& backend, const v1::ListProfilesRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string project, ParseParent("parent", request.parent()));
  BITPLAN_ASSIGN_OR_RETURN(const store::ListOptions options, ToListOptions(request.page_size(), ""));
  BITPLAN_ASSIGN_OR_RETURN(ListPosition position, ParseToken(request.page_token()));
  const int64_t wanted =
      options.page_size == 0 ? store::kDefaultPageSize : std::min(options.page_size, store::kMaxPageSize);
  const auto shipped = hardware::ShippedProfiles();
  v1::ListProfilesResponse response;
  for (; position.built_in < shipped.size() && response.profiles_size() < wanted; ++position.built_in) {
    BITPLAN_ASSIGN_OR_RETURN(*response.add_profiles(), BuiltInProfile(project, shipped[position.built_in].name));
  }
  if (response.profiles_size() == wanted) {
    response.set_next_page_token(fmt::format("b:{}", position.built_in));
  } else {
    v1::ListProfilesRequest rest = request;
    rest.set_page_size(static_cast<int32_t>(wanted - response.profiles_size()));
    rest.set_page_token(position.stored_token);
    BITPLAN_ASSIGN_OR_RETURN(const std::string next, ListDecoded<v1::Profile>(
                                                         backend, rest, "profiles", [](v1::Profile*) {},
                                                         [&] { return response.add_profiles(); }));
    if (!next.empty()) response.set_next_page_token("s:" + next);
  }
  for (v1::Profile& profile : *response.mutable_profiles()) profile.clear_json();
  return response;
}

absl::Status Delete(Backend& backend, const v1::DeleteProfileRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("name", request.name(), "profiles"));
  if (IsBuiltIn(key.id)) return FailedPrecondition("profile '{}' is built in and cannot be deleted", key.id);
  return DeleteNamed(backend, request.name(), "profiles");
}

class ProfileService final : public v1::ProfileService::Service {
 public:
  explicit ProfileService(Backend& backend) : backend_(backend) {}

  grpc::Status CreateProfile(grpc::ServerContext*, const v1::CreateProfileRequest* request,
                             v1::Profile* response) override {
    return Finish(Create(backend_, *request), response);
  }
  grpc::Status GetProfile(grpc::ServerContext*, const v1::GetProfileRequest* request, v1::Profile* response) override {
    return Finish(Get(backend_, *request), response);
  }
  grpc::Status ListProfiles(grpc::ServerContext*, const v1::ListProfilesRequest* request,
                            v1::ListProfilesResponse* response) override {
    return Finish(List(backend_, *request), response);
  }
  grpc::Status DeleteProfile(grpc::ServerContext*, const v1::DeleteProfileRequest* request,
                             google::protobuf::Empty*) override {
    return ToGrpcStatus(Delete(backend_, *request));
  }

 private:
  Backend& backend_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeProfileService(Backend& backend) {
  return std::make_unique<ProfileService>(backend);
}

}  // namespace bitplan::service
