// Models, datasets, measurements, profiles and plans over real gRPC: what each call gives and how it refuses.

#include <gmock/gmock.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <future>
#include <map>
#include <random>
#include <thread>

#include "bitplan/v1/profile.pb.h"
#include "bitplan/v1/system.pb.h"
#include "search/base/digest.h"
#include "search/hardware/shipped_profiles.h"
#include "tests/testing/onnx_writer.h"
#include "tests/testing/server/test_server.h"

namespace bitplan::testing {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;

MATCHER(IsOk, "") { return arg.ok(); }
MATCHER_P(HasCode, code, "") { return arg.code == code && arg.reason() == absl::StatusCodeToString(code); }

// Blobs and unfinished uploads of a stopped or idle server.
int CountFiles(const std::filesystem::path& folder) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) count += entry.is_regular_file();
  return count;
}

int CountBlobs(const TestServer& server) { return CountFiles(server.data_dir() / "artifacts" / "blobs"); }

template <typename Response, typename Request>
Response MustCall(RpcClient& client, std::string_view method, const Request& request) {
  Response response;
  const RpcStatus status = client.Call(method, request, &response);
  EXPECT_TRUE(status.ok()) << method << ": " << status;
  return response;
}

template <typename Request>
RpcStatus CallForStatus(RpcClient& client, std::string_view method, const Request& request) {
  google::protobuf::Empty ignored;  // unknown fields of the answer are kept and never looked at
  return client.Call(method, request, &ignored);
}

template <typename Request>
RpcStatus CallByName(RpcClient& client, std::string_view method, const std::string& name) {
  Request request;
  request.set_name(name);
  return CallForStatus(client, method, request);
}

v1::ListModelsResponse ListModels(RpcClient& client, int page_size = 0, const std::string& token = "") {
  v1::ListModelsRequest request;
  request.set_parent("projects/p");
  request.set_page_size(page_size);
  request.set_page_token(token);
  return MustCall<v1::ListModelsResponse>(client, "ModelService/ListModels", request);
}

// A model with other weights for each seed: other bytes, other digest.
std::string ModelVariant(int seed) {
  OnnxModel model = TinyClassifier();
  model.proto().set_producer_name("variant " + std::to_string(seed));
  return model.Bytes();
}

TEST(Models, UploadTellsWhatIsInside) {
  TestServer server;
  const std::string bytes = TinyModelBytes();
  v1::Model model;
  ASSERT_THAT(server.client().UploadModel(bytes, {.display_name = "tiny", .chunk_bytes = 100}, &model), IsOk());
  EXPECT_THAT(model.name(), HasSubstr("projects/p/models/" + Sha256Hex(bytes).substr(0, 24)));
  EXPECT_EQ(model.display_name(), "tiny");
  EXPECT_EQ(model.digest(), Sha256Hex(bytes));
  EXPECT_EQ(model.size_bytes(), static_cast<int64_t>(bytes.size()));
  EXPECT_GT(model.create_time().seconds(), 0);
  ASSERT_EQ(model.layers_size(), 2);
  EXPECT_EQ(model.layers(0).name(), "conv");
  EXPECT_EQ(model.layers(0).kind(), "conv");
  EXPECT_EQ(model.layers(0).num_weights(), 36);
  EXPECT_EQ(model.layers(0).macs(), 1296);
  EXPECT_EQ(model.layers(1).name(), "fc");
  EXPECT_EQ(model.layers(1).num_weights(), 432);
  ASSERT_EQ(model.inputs_size(), 1);
  EXPECT_THAT(model.inputs(0).shape(), ::testing::ElementsAre(-1, 1, 6, 6));
  EXPECT_THAT(model.outputs(), ::testing::ElementsAre("logits"));

  v1::GetModelRequest get;
  get.set_name(model.name());
  const auto again = MustCall<v1::Model>(server.client(), "ModelService/GetModel", get);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(model, again));
  const auto listed = ListModels(server.client());
  ASSERT_EQ(listed.models_size(), 1);
  EXPECT_EQ(listed.models(0).name(), model.name());
  EXPECT_EQ(listed.models(0).layers_size(), 0);
}

TEST(Models, TheSameBytesAreTheSameModel) {
  TestServer server;
  v1::Model first, second, elsewhere;
  ASSERT_THAT(server.client().UploadModel(TinyModelBytes(), {.display_name = "a"}, &first), IsOk());
  ASSERT_THAT(server.client().UploadModel(TinyModelBytes(), {.display_name = "b"}, &second), IsOk());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(first, second));
  ASSERT_THAT(server.client().UploadModel(TinyModelBytes(), {.parent = "projects/q"}, &elsewhere), IsOk());
  EXPECT_NE(elsewhere.name(), first.name());
  EXPECT_EQ(CountBlobs(server), 1);
}

TEST(Models, DeleteRemovesTheBlobWithItsLastUser) {
  TestServer server;
  v1::Model first, second;
  ASSERT_THAT(server.client().UploadModel(TinyModelBytes(), {}, &first), IsOk());
  ASSERT_THAT(server.client().UploadModel(TinyModelBytes(), {.parent = "projects/q"}, &second), IsOk());
  EXPECT_THAT(CallByName<v1::DeleteModelRequest>(server.client(), "ModelService/DeleteModel", first.name()), IsOk());
  EXPECT_EQ(CountBlobs(server), 1);
  EXPECT_THAT(CallByName<v1::DeleteModelRequest>(server.client(), "ModelService/DeleteModel", second.name()), IsOk());
  EXPECT_EQ(CountBlobs(server), 0);
  EXPECT_THAT(CallByName<v1::GetModelRequest>(server.client(), "ModelService/GetModel", first.name()),
              HasCode(StatusCode::kNotFound));
}

TEST(Models, PagesCoverAllNewestFirst) {
  TestServer server;
  std::vector<std::string> uploaded;
  for (int i = 0; i < 5; ++i) {
    v1::Model model;
    ASSERT_THAT(server.client().UploadModel(ModelVariant(i), {}, &model), IsOk());
    uploaded.insert(uploaded.begin(), model.name());
  }
  std::vector<std::string> listed;
  std::string token;
  do {
    const auto page = ListModels(server.client(), 2, token);
    EXPECT_LE(page.models_size(), 2);
    for (const auto& model : page.models()) listed.push_back(model.name());
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_EQ(listed, uploaded);
}

TEST(Models, ListRefusesBadPaging) {
  TestServer server;
  v1::ListModelsRequest request;
  request.set_parent("projects/p");
  request.set_page_size(-1);
  RpcStatus status = CallForStatus(server.client(), "ModelService/ListModels", request);
  EXPECT_THAT(status, HasCode(StatusCode::kInvalidArgument));
  EXPECT_EQ(status.field(), "page_size");
  request.set_page_size(0);
  request.set_page_token("nonsense");
  status = CallForStatus(server.client(), "ModelService/ListModels", request);
  EXPECT_THAT(status, HasCode(StatusCode::kInvalidArgument));
  EXPECT_EQ(status.field(), "page_token");
  request.set_page_token("");
  request.set_parent("p");
  EXPECT_EQ(CallForStatus(server.client(), "ModelService/ListModels", request).field(), "parent");
}

TEST(Models, ValidateOnlyStoresNothing) {
  TestServer server;
  v1::Model model;
  ASSERT_THAT(server.client().UploadModel(TinyModelBytes(), {.validate_only = true}, &model), IsOk());
  EXPECT_EQ(model.layers_size(), 2);
  EXPECT_EQ(model.name(), "");
  EXPECT_FALSE(model.has_create_time());
  EXPECT_EQ(ListModels(server.client()).models_size(), 0);
  EXPECT_EQ(CountBlobs(server), 0);
}

TEST(Models, RequestIdMakesUploadsIdempotent) {
  TestServer server;
  v1::Model first, second, other;
  ASSERT_THAT(server.client().UploadModel(ModelVariant(1), {.request_id = "r1"}, &first), IsOk());
  ASSERT_THAT(server.client().UploadModel(ModelVariant(1), {.request_id = "r1"}, &second), IsOk());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(first, second));
  EXPECT_THAT(server.client().UploadModel(ModelVariant(2), {.request_id = "r1"}, &other),
              HasCode(StatusCode::kAlreadyExists));
  EXPECT_EQ(ListModels(server.client()).models_size(), 1);
  EXPECT_THAT(server.client().UploadModel(ModelVariant(2), {.parent = "projects/q", .request_id = "r1"}, &other),
              IsOk());
}

// A request id counts as well where the content was there before it.
TEST(Models, ARequestIdThatMadeNothingNewIsTakenToo) {
  TestServer server;
  v1::Model first, second, other;
  ASSERT_THAT(server.client().UploadModel(ModelVariant(1), {}, &first), IsOk());
  ASSERT_THAT(server.client().UploadModel(ModelVariant(1), {.request_id = "r1"}, &second), IsOk());
  EXPECT_EQ(second.name(), first.name());
  EXPECT_THAT(server.client().UploadModel(ModelVariant(2), {.request_id = "r1"}, &other),
              HasCode(StatusCode::kAlreadyExists));
}

TEST(Models, ARequestIdOutlivesWhatItMade) {
  TestServer server;
  v1::Model model;
  ASSERT_THAT(server.client().UploadModel(TinyModelBytes(), {.request_id = "r"}, &model), IsOk());
  EXPECT_THAT(CallByName<v1::DeleteModelRequest>(server.client(), "ModelService/DeleteModel", model.name()), IsOk());
  EXPECT_THAT(server.client().UploadModel(TinyModelBytes(), {.request_id = "r"}, &model),
              HasCode(StatusCode::kFailedPrecondition));
  EXPECT_THAT(server.client().UploadModel(TinyModelBytes(), {}, &model), IsOk());
}

struct BadUpload {
  std::string title;
  UploadSpec spec;
  std::string field;
};

class BadUploads : public ::testing::TestWithParam<BadUpload> {};

TEST_P(BadUploads, AreRefusedAndLeaveNothing) {
  TestServer server([](server::Config& config) { config.max_model_bytes = 100'000; });
  v1::Model model;
  const RpcStatus status = server.client().UploadModel(TinyModelBytes(), GetParam().spec, &model);
  EXPECT_THAT(status, HasCode(StatusCode::kInvalidArgument)) << status;
  EXPECT_EQ(status.field(), GetParam().field) << status;
  EXPECT_EQ(ListModels(server.client()).models_size(), 0);
  EXPECT_EQ(CountFiles(server.data_dir() / "artifacts" / "uploads"), 0);
  EXPECT_EQ(CountBlobs(server), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Models, BadUploads,
    ::testing::Values(BadUpload{"WrongDigest", {.sha256 = Sha256Hex("other")}, "metadata.sha256"},
                      BadUpload{"NoDigest", {.sha256 = ""}, "metadata.sha256"},
                      BadUpload{"DigestOfOtherLetters", {.sha256 = std::string(64, 'g')}, "metadata.sha256"},
                      BadUpload{"MoreAnnouncedThanSent", {.size_bytes = 99'999}, "metadata.size_bytes"},
                      BadUpload{"MoreSentThanAnnounced", {.size_bytes = 10}, "metadata.size_bytes"},
                      BadUpload{"OverTheLimit", {.size_bytes = 100'001}, "metadata.size_bytes"},
                      BadUpload{"NoSize", {.size_bytes = 0}, "metadata.size_bytes"},
                      BadUpload{"NegativeSize", {.size_bytes = -1}, "metadata.size_bytes"},
                      BadUpload{"NoParent", {.parent = ""}, "metadata.parent"},
                      BadUpload{"ParentWithDots", {.parent = "projects/../p"}, "metadata.parent"},
                      BadUpload{"LongName", {.display_name = std::string(129, 'x')}, "metadata.display_name"},
                      BadUpload{"LongRequestId", {.request_id = std::string(65, 'x')}, "metadata.request_id"}),
    [](const auto& info) { return info.param.title; });

TEST(Models, RefusesWhatIsNoUploadStream) {
  TestServer server;
  v1::Model model;
  EXPECT_EQ(server.client().UploadModel(std::vector<v1::UploadModelRequest>{}, &model).field(), "metadata");
  v1::UploadModelRequest chunk;
  chunk.set_chunk("bytes");
  EXPECT_EQ(server.client().UploadModel({chunk}, &model).field(), "metadata");
  v1::UploadModelRequest metadata;
  metadata.mutable_metadata()->set_parent("projects/p");
  metadata.mutable_metadata()->set_size_bytes(10);
  metadata.mutable_metadata()->set_sha256(std::string(64, 'a'));
  EXPECT_EQ(server.client().UploadModel({metadata, metadata}, &model).field(), "metadata");
  EXPECT_EQ(server.client().UploadModel({metadata, v1::UploadModelRequest()}, &model).field(), "chunk");
}

TEST(Models, RefusesWhatIsNoModel) {
  TestServer server;
  v1::Model model;
  const std::string bytes = TinyModelBytes();
  EXPECT_THAT(server.client().UploadModel("not ONNX at all", {}, &model), HasCode(StatusCode::kInvalidArgument));
  EXPECT_EQ(server.client().UploadModel("not ONNX at all", {}, &model).field(), "chunk");
  EXPECT_THAT(server.client().UploadModel(bytes.substr(0, bytes.size() / 2), {}, &model),
              HasCode(StatusCode::kInvalidArgument));
  EXPECT_EQ(CountBlobs(server), 0);
}

TEST(Models, UnsupportedOperatorsAreListedTogether) {
  TestServer server;
  OnnxModel onnx;
  onnx.Input("input", {kDynamic, 4}).Weight("w", {4, 4}, 0.5F).Output("z");
  onnx.Add("MatMul", {"input", "w"}, {"x"});
  onnx.Add("NonMaxSuppression", {"x"}, {"y"});
  onnx.Add("StringNormalizer", {"y"}, {"z"});
  v1::Model model;
  const RpcStatus status = server.client().UploadModel(onnx.Bytes(), {}, &model);
  EXPECT_THAT(status, HasCode(StatusCode::kUnimplemented));
  EXPECT_THAT(status.message, HasSubstr("NonMaxSuppression"));
  EXPECT_THAT(status.message, HasSubstr("StringNormalizer"));
}

TEST(Models, AVanishingClientLeavesNothing) {
  TestServer server;
  v1::Model model;
  const RpcStatus status =
      server.client().UploadModel(TinyModelBytes(), {.chunk_bytes = 64, .vanish_after = 640}, &model);
  EXPECT_EQ(status.code, StatusCode::kCancelled);
  EXPECT_THAT(server.client().UploadModel(TinyModelBytes(), {}, &model), IsOk());
  server.Restart(std::chrono::milliseconds(0));  // waits for the handler of the broken call
  EXPECT_EQ(CountFiles(server.data_dir() / "artifacts" / "uploads"), 0);
  EXPECT_EQ(ListModels(server.client()).models_size(), 1);
}

TEST(Models, TheQuotaOfAllArtifactsHolds) {
  TestServer server([](server::Config& config) { config.max_artifact_bytes = 1000; });
  v1::Model model;
  const RpcStatus status = server.client().UploadModel(TinyModelBytes(), {}, &model);
  EXPECT_THAT(status, HasCode(StatusCode::kResourceExhausted));
  EXPECT_TRUE(status.retry_seconds().has_value());
}

TEST(Datasets, UploadTellsWhatIsInside) {
  TestServer server;
  v1::Dataset dataset;
  ASSERT_THAT(server.client().UploadDataset(TinyDatasetBytes(5), {}, &dataset), IsOk());
  EXPECT_EQ(dataset.num_samples(), 5);
  EXPECT_EQ(dataset.format(), "npz");
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& array : dataset.arrays()) shapes[array.name()] = {array.shape().begin(), array.shape().end()};
  EXPECT_EQ(shapes, (std::map<std::string, std::vector<int64_t>>{{"images", {5, 1, 6, 6}}, {"labels", {5}}}));

  v1::GetDatasetRequest get;
  get.set_name(dataset.name());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(
      dataset, MustCall<v1::Dataset>(server.client(), "DatasetService/GetDataset", get)));
  v1::ListDatasetsRequest list;
  list.set_parent("projects/p");
  EXPECT_EQ(MustCall<v1::ListDatasetsResponse>(server.client(), "DatasetService/ListDatasets", list).datasets_size(),
            1);
  EXPECT_THAT(CallByName<v1::DeleteDatasetRequest>(server.client(), "DatasetService/DeleteDataset", dataset.name()),
              IsOk());
  EXPECT_THAT(CallByName<v1::DeleteDatasetRequest>(server.client(), "DatasetService/DeleteDataset", dataset.name()),
              HasCode(StatusCode::kNotFound));
}

TEST(Datasets, RefusesWhatIsNoArchive) {
  TestServer server;
  v1::Dataset dataset;
  EXPECT_THAT(server.client().UploadDataset("PK but no zip", {}, &dataset), HasCode(StatusCode::kInvalidArgument));
  const std::string bytes = TinyDatasetBytes();
  EXPECT_THAT(server.client().UploadDataset(bytes.substr(0, 200), {}, &dataset), HasCode(StatusCode::kInvalidArgument));
}

TEST(Measurements, ImportedFromJson) {
  TestServer server;
  const v1::Measurement measurement = ImportResNet18(server.client());
  EXPECT_EQ(measurement.method(), "given");
  EXPECT_EQ(measurement.num_layers(), 19);
  EXPECT_EQ(measurement.num_options(), 38);
  ASSERT_EQ(measurement.layers_size(), 19);
  EXPECT_EQ(measurement.ties_size(), 3);
  EXPECT_EQ(measurement.layers(0).layer().num_weights(), 36864);
  EXPECT_EQ(measurement.layers(0).options(0).option().weight_bits(), 4);
  EXPECT_EQ(measurement.layers(0).options(0).sensitivity(), 0.46242320718);
  std::map<std::string, int64_t> costs;
  for (const auto& cost : measurement.layers(0).options(0).costs()) costs[cost.resource()] = cost.amount();
  EXPECT_EQ(costs, (std::map<std::string, int64_t>{{"size", 147456}, {"bops", 1849688064}, {"latency", 210944}}));
  EXPECT_THAT(measurement.origin().at("hardware"), HasSubstr("T4"));

  v1::GetMeasurementRequest get;
  get.set_name(measurement.name());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(
      measurement, MustCall<v1::Measurement>(server.client(), "MeasurementService/GetMeasurement", get)));
  v1::ListMeasurementsRequest list;
  list.set_parent("projects/p");
  const auto listed =
      MustCall<v1::ListMeasurementsResponse>(server.client(), "MeasurementService/ListMeasurements", list);
  ASSERT_EQ(listed.measurements_size(), 1);
  EXPECT_EQ(listed.measurements(0).num_layers(), 19);
  EXPECT_EQ(listed.measurements(0).layers_size(), 0);
}

TEST(Measurements, TheTableIsTheSameMeasurementAsTheJson) {
  TestServer server;
  const v1::Measurement from_json = ImportResNet18(server.client());
  v1::ImportMeasurementRequest request;
  request.set_parent("projects/p");
  auto* table = request.mutable_table();
  *table->mutable_layers() = from_json.layers();
  *table->mutable_ties() = from_json.ties();
  *table->mutable_origin() = from_json.origin();
  table->set_method(from_json.method());
  table->set_loss(from_json.loss());
  EXPECT_EQ(MustCall<v1::Measurement>(server.client(), "MeasurementService/ImportMeasurement", request).name(),
            from_json.name());
}

v1::ImportMeasurementRequest SmallImport() {
  v1::ImportMeasurementRequest request;
  request.set_parent("projects/p");
  for (const char* name : {"a", "b"}) {
    auto* layer = request.mutable_table()->add_layers();
    layer->mutable_layer()->set_name(name);
    layer->mutable_layer()->set_num_weights(100);
    layer->mutable_layer()->set_macs(1000);
    for (const int bits : {4, 8}) {
      auto* option = layer->add_options();
      option->mutable_option()->set_weight_bits(bits);
      option->set_sensitivity(1.0 / bits);
    }
  }
  return request;
}

TEST(Measurements, ImportValidateOnlyStoresNothing) {
  TestServer server;
  v1::ImportMeasurementRequest request = SmallImport();
  request.set_validate_only(true);
  const auto measurement = MustCall<v1::Measurement>(server.client(), "MeasurementService/ImportMeasurement", request);
  EXPECT_EQ(measurement.name(), "");
  EXPECT_EQ(measurement.layers_size(), 2);
  EXPECT_EQ(CountBlobs(server), 0);
  v1::ListMeasurementsRequest list;
  list.set_parent("projects/p");
  EXPECT_EQ(MustCall<v1::ListMeasurementsResponse>(server.client(), "MeasurementService/ListMeasurements", list)
                .measurements_size(),
            0);
}

TEST(Measurements, RequestIdMakesImportsIdempotent) {
  TestServer server;
  v1::ImportMeasurementRequest request = SmallImport();
  request.set_request_id("r");
  const auto first = MustCall<v1::Measurement>(server.client(), "MeasurementService/ImportMeasurement", request);
  EXPECT_EQ(MustCall<v1::Measurement>(server.client(), "MeasurementService/ImportMeasurement", request).name(),
            first.name());
  request.mutable_table()->mutable_layers(0)->mutable_options(0)->set_sensitivity(7);
  EXPECT_THAT(CallForStatus(server.client(), "MeasurementService/ImportMeasurement", request),
              HasCode(StatusCode::kAlreadyExists));
}

struct BadImport {
  std::string title;
  std::function<void(v1::ImportMeasurementRequest&)> spoil;
  std::string field;
};

class BadImports : public ::testing::TestWithParam<BadImport> {};

TEST_P(BadImports, NameTheField) {
  TestServer server;
  v1::ImportMeasurementRequest request = SmallImport();
  GetParam().spoil(request);
  const RpcStatus status = CallForStatus(server.client(), "MeasurementService/ImportMeasurement", request);
  EXPECT_THAT(status, HasCode(StatusCode::kInvalidArgument)) << status;
  EXPECT_EQ(status.field(), GetParam().field) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Measurements, BadImports,
    ::testing::Values(
        BadImport{"NoParent", [](auto& r) { r.clear_parent(); }, "parent"},
        BadImport{"NoSource", [](auto& r) { r.clear_table(); }, "source"},
        BadImport{"NoJson", [](auto& r) { r.set_json("{"); }, "json"},
        BadImport{"Bits",
                  [](auto& r) {
                    r.mutable_table()->mutable_layers(1)->mutable_options(0)->mutable_option()->set_weight_bits(99);
                  },
                  "table.layers[1].options[0].option.weight_bits"},
        BadImport{"Kind", [](auto& r) { r.mutable_table()->mutable_layers(0)->mutable_layer()->set_kind("blob"); },
                  "table.layers[0].layer.kind"},
        BadImport{"NegativeCost",
                  [](auto& r) {
                    auto* cost = r.mutable_table()->mutable_layers(0)->mutable_options(0)->add_costs();
                    cost->set_resource("latency");
                    cost->set_amount(-1);
                  },
                  "table.layers[0].options[0].costs[0].amount"},
        BadImport{
            "UnknownResource",
            [](auto& r) { r.mutable_table()->mutable_layers(0)->mutable_options(0)->add_costs()->set_resource("joy"); },
            "table.layers[0].options[0].costs[0].resource"}),
    [](const auto& info) { return info.param.title; });

TEST(Profiles, BuiltInOnesAreInEveryProject) {
  TestServer server;
  v1::GetProfileRequest get;
  get.set_name("projects/anything/profiles/generic");
  const auto generic = MustCall<v1::Profile>(server.client(), "ProfileService/GetProfile", get);
  EXPECT_TRUE(generic.built_in());
  EXPECT_THAT(generic.resources(), ::testing::IsSupersetOf({"size", "bops"}));
  EXPECT_THAT(generic.json(), HasSubstr("generic"));
  get.set_name("projects/p/profiles/no-such-device");
  EXPECT_THAT(CallForStatus(server.client(), "ProfileService/GetProfile", get), HasCode(StatusCode::kNotFound));
  EXPECT_THAT(CallByName<v1::DeleteProfileRequest>(server.client(), "ProfileService/DeleteProfile",
                                                   "projects/p/profiles/generic"),
              HasCode(StatusCode::kFailedPrecondition));
}

// The generic profile under another name.
v1::CreateProfileRequest ProfileNamed(const std::string& name) {
  std::string json;
  for (const auto& shipped : hardware::ShippedProfiles()) {
    if (shipped.name == "generic") json = shipped.json;
  }
  const std::string quoted = "\"generic\"";
  json.replace(json.find(quoted), quoted.size(), "\"" + name + "\"");
  v1::CreateProfileRequest request;
  request.set_parent("projects/p");
  request.set_json(json);
  return request;
}

TEST(Profiles, OwnOnesCanBeStoredAndListedAfterTheBuiltIn) {
  TestServer server;
  for (const char* name : {"mine-1", "mine-2", "mine-3"}) {
    const auto profile = MustCall<v1::Profile>(server.client(), "ProfileService/CreateProfile", ProfileNamed(name));
    EXPECT_EQ(profile.name(), std::string("projects/p/profiles/") + name);
    EXPECT_FALSE(profile.built_in());
  }
  for (const int page_size : {1, 2, 3, 4, 50}) {
    std::vector<std::string> names;
    v1::ListProfilesRequest list;
    list.set_parent("projects/p");
    list.set_page_size(page_size);
    do {
      const auto page = MustCall<v1::ListProfilesResponse>(server.client(), "ProfileService/ListProfiles", list);
      EXPECT_LE(page.profiles_size(), page_size);
      for (const auto& profile : page.profiles()) names.push_back(profile.name());
      list.set_page_token(page.next_page_token());
    } while (!list.page_token().empty());
    std::vector<std::string> expected;
    for (const auto& shipped : hardware::ShippedProfiles())
      expected.push_back("projects/p/profiles/" + std::string(shipped.name));
    for (const char* name : {"mine-3", "mine-2", "mine-1"})
      expected.push_back(std::string("projects/p/profiles/") + name);
    EXPECT_EQ(names, expected) << "page size " << page_size;
  }
}

// Eight calls at once with the same document: all get the one profile.
TEST(Profiles, TheSameDocumentAtOnceIsOneProfile) {
  TestServer server;
  for (int round = 0; round < 10; ++round) {
    const v1::CreateProfileRequest request = ProfileNamed("round-" + std::to_string(round));
    std::vector<std::future<RpcStatus>> calls;
    for (int i = 0; i < 8; ++i) {
      calls.push_back(std::async(
          std::launch::async, [&] { return CallForStatus(server.client(), "ProfileService/CreateProfile", request); }));
    }
    for (auto& call : calls) EXPECT_THAT(call.get(), IsOk());
  }
}

TEST(Profiles, AnotherDocumentUnderATakenNameIsRefused) {
  TestServer server;
  MustCall<v1::Profile>(server.client(), "ProfileService/CreateProfile", ProfileNamed("mine"));
  v1::CreateProfileRequest other = ProfileNamed("mine");
  other.mutable_json()->append("\n");
  for (const bool validate_only : {true, false}) {
    other.set_validate_only(validate_only);
    EXPECT_THAT(CallForStatus(server.client(), "ProfileService/CreateProfile", other),
                HasCode(StatusCode::kAlreadyExists));
  }
}

TEST(Profiles, RefusesBadOnes) {
  TestServer server;
  v1::CreateProfileRequest request = ProfileNamed("mine");
  request.set_validate_only(true);
  EXPECT_EQ(MustCall<v1::Profile>(server.client(), "ProfileService/CreateProfile", request).name(), "");
  EXPECT_THAT(
      CallByName<v1::GetProfileRequest>(server.client(), "ProfileService/GetProfile", "projects/p/profiles/mine"),
      HasCode(StatusCode::kNotFound));
  request.set_validate_only(false);
  request.set_json("[]");
  EXPECT_EQ(CallForStatus(server.client(), "ProfileService/CreateProfile", request).field(), "json");
  EXPECT_THAT(CallForStatus(server.client(), "ProfileService/CreateProfile", ProfileNamed("generic")),
              HasCode(StatusCode::kAlreadyExists));
  v1::ListProfilesRequest list;
  list.set_parent("projects/p");
  list.set_page_token("b:99");
  EXPECT_EQ(CallForStatus(server.client(), "ProfileService/ListProfiles", list).field(), "page_token");
}

TEST(Plans, SearchAnswersAtOnce) {
  TestServer server;
  const v1::Measurement measurement = ImportResNet18(server.client());
  v1::SearchRequest request = SizeSearch(measurement.name(), 0.75);
  const auto plan = MustCall<v1::Plan>(server.client(), "PlanService/Search", request);
  EXPECT_EQ(plan.name(), "");
  EXPECT_EQ(plan.termination(), v1::TERMINATION_OPTIMAL);
  EXPECT_EQ(plan.gap(), 0);
  EXPECT_EQ(plan.objective(), plan.bound());
  ASSERT_EQ(plan.choices_size(), 19);
  EXPECT_EQ(plan.measurement(), measurement.name());
  EXPECT_EQ(plan.config().profile(), "generic");
  EXPECT_EQ(plan.config().solver().time_limit().seconds(), 10);
  EXPECT_EQ(plan.provenance().measurement_digest(), measurement.digest());
  // The budget, added again from the choices.
  int64_t size_bits = 0;
  double objective = 0;
  for (const auto& choice : plan.choices()) {
    objective += choice.sensitivity();
    for (const auto& cost : choice.costs()) size_bits += cost.resource() == "size" ? cost.amount() : 0;
  }
  ASSERT_EQ(plan.budgets_size(), 1);
  EXPECT_EQ(plan.budgets(0).used(), size_bits);
  EXPECT_EQ(plan.objective(), objective);
  EXPECT_LE(plan.budgets(0).used(), plan.budgets(0).limit());
  EXPECT_EQ(plan.budgets(0).slack(), plan.budgets(0).limit() - size_bits);
  // Ties of the measurement are kept.
  std::map<std::string, int> bits;
  for (const auto& choice : plan.choices()) bits[choice.layer()] = choice.option().weight_bits();
  for (const auto& tie : measurement.ties()) {
    for (const auto& layer : tie.layers()) EXPECT_EQ(bits[layer], bits[tie.layers(0)]);
  }
}

TEST(Plans, AnInfeasibleBudgetIsAnAnswer) {
  TestServer server;
  const v1::Measurement measurement = ImportResNet18(server.client());
  const auto plan = MustCall<v1::Plan>(server.client(), "PlanService/Search", SizeSearch(measurement.name(), 0.25));
  EXPECT_EQ(plan.termination(), v1::TERMINATION_INFEASIBLE);
  ASSERT_EQ(plan.budgets_size(), 1);
  EXPECT_GT(plan.budgets(0).least_achievable(), plan.budgets(0).limit());
  EXPECT_EQ(plan.budgets(0).used(), 0);
  EXPECT_THAT(plan.diagnosis(), HasSubstr("size"));
  ASSERT_EQ(plan.infeasibility().shortages_size(), 1);
  EXPECT_EQ(plan.infeasibility().shortages(0).short_by(), plan.budgets(0).least_achievable() - plan.budgets(0).limit());
  EXPECT_EQ(plan.totals_size(), 0);
  for (const auto& choice : plan.choices()) EXPECT_FALSE(choice.has_option());
}

TEST(Plans, StoredOnesComeBackWholeAndAsFiles) {
  TestServer server;
  const v1::Measurement measurement = ImportResNet18(server.client());
  v1::SearchRequest request = SizeSearch(measurement.name(), 0.6);
  request.set_store(true);
  request.set_display_name("sixty");
  const auto plan = MustCall<v1::Plan>(server.client(), "PlanService/Search", request);
  EXPECT_THAT(plan.name(), HasSubstr("projects/p/plans/" + plan.digest().substr(0, 24)));
  EXPECT_EQ(MustCall<v1::Plan>(server.client(), "PlanService/Search", request).name(), plan.name());

  v1::GetPlanRequest get;
  get.set_name(plan.name());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(
      plan, MustCall<v1::Plan>(server.client(), "PlanService/GetPlan", get)));
  v1::ListPlansRequest list;
  list.set_parent("projects/p");
  const auto listed = MustCall<v1::ListPlansResponse>(server.client(), "PlanService/ListPlans", list);
  ASSERT_EQ(listed.plans_size(), 1);
  EXPECT_EQ(listed.plans(0).display_name(), "sixty");
  EXPECT_EQ(listed.plans(0).choices_size(), 0);
  EXPECT_EQ(listed.plans(0).num_layers(), 19);

  v1::ExportPlanRequest request_export;
  request_export.set_name(plan.name());
  const auto json = MustCall<v1::ExportPlanResponse>(server.client(), "PlanService/ExportPlan", request_export);
  EXPECT_EQ(json.media_type(), "application/json");
  EXPECT_THAT(json.content(), HasSubstr("bitplan.plan/1"));
  request_export.set_format("csv");
  const auto csv = MustCall<v1::ExportPlanResponse>(server.client(), "PlanService/ExportPlan", request_export);
  EXPECT_EQ(std::count(csv.content().begin(), csv.content().end(), '\n'), 20);
  request_export.set_format("xls");
  EXPECT_THAT(CallForStatus(server.client(), "PlanService/ExportPlan", request_export), HasCode(StatusCode::kNotFound));

  EXPECT_THAT(CallByName<v1::DeletePlanRequest>(server.client(), "PlanService/DeletePlan", plan.name()), IsOk());
  EXPECT_THAT(CallByName<v1::GetPlanRequest>(server.client(), "PlanService/GetPlan", plan.name()),
              HasCode(StatusCode::kNotFound));
}

TEST(Plans, ValidateOnlyResolvesBudgets) {
  TestServer server;
  v1::SearchRequest request = SizeSearch(ImportResNet18(server.client()).name(), 0.5);
  request.set_validate_only(true);
  const auto plan = MustCall<v1::Plan>(server.client(), "PlanService/Search", request);
  ASSERT_EQ(plan.budgets_size(), 1);
  EXPECT_GT(plan.budgets(0).limit(), 0);
  EXPECT_EQ(plan.termination(), v1::TERMINATION_UNSPECIFIED);
  EXPECT_EQ(plan.choices_size(), 0);
}

TEST(Plans, SearchTakesInlineAndStoredProfiles) {
  TestServer server;
  const std::string measurement =
      MustCall<v1::Measurement>(server.client(), "MeasurementService/ImportMeasurement", SmallImport()).name();
  v1::SearchRequest request = SizeSearch(measurement, 0.75);
  request.mutable_config()->set_profile_json(ProfileNamed("inline-one").json());
  auto plan = MustCall<v1::Plan>(server.client(), "PlanService/Search", request);
  EXPECT_EQ(plan.provenance().profile(), "inline-one");
  MustCall<v1::Profile>(server.client(), "ProfileService/CreateProfile", ProfileNamed("mine"));
  request.mutable_config()->set_profile("projects/p/profiles/mine");
  plan = MustCall<v1::Plan>(server.client(), "PlanService/Search", request);
  EXPECT_EQ(plan.provenance().profile(), "mine");
  EXPECT_EQ(plan.config().profile(), "projects/p/profiles/mine");
}

// A search whose proof takes far longer than its time limit: 200 layers, random scores and costs, three tight budgets.
v1::SearchRequest HardSearch(RpcClient& client) {
  constexpr std::array kCosts = {"latency", "memory", "energy"};
  std::mt19937 random(3);
  v1::ImportMeasurementRequest request;
  request.set_parent("projects/p");
  for (int i = 0; i < 200; ++i) {
    auto* layer = request.mutable_table()->add_layers();
    layer->mutable_layer()->set_name("layer" + std::to_string(i));
    layer->mutable_layer()->set_num_weights(1);
    for (int bits = 2; bits < 14; ++bits) {
      auto* option = layer->add_options();
      option->mutable_option()->set_weight_bits(bits);
      option->set_sensitivity(static_cast<double>(random() % 1'000'000));
      for (const char* resource : kCosts) {
        auto* cost = option->add_costs();
        cost->set_resource(resource);
        cost->set_amount(random() % 1'000'000);
      }
    }
  }
  v1::SearchRequest search;
  search.set_measurement(MustCall<v1::Measurement>(client, "MeasurementService/ImportMeasurement", request).name());
  for (const char* resource : kCosts) {
    auto* budget = search.mutable_config()->add_budgets();
    budget->set_resource(resource);
    budget->set_limit(200 * 300'000);
  }
  search.mutable_config()->mutable_solver()->mutable_time_limit()->set_seconds(60);
  search.mutable_config()->mutable_solver()->set_node_limit(int64_t{1} << 60);
  return search;
}

// Nine searches, more than run at a time, whose callers go away: none goes on computing in a place of its own.
TEST(Plans, ASearchEndsWithItsCaller) {
  TestServer server;
  v1::SearchRequest search = HardSearch(server.client());
  search.set_store(true);
  const v1::SearchRequest easy = SizeSearch(ImportResNet18(server.client()).name(), 0.75);
  for (int i = 0; i < 9; ++i) {
    const RpcStatus status =
        server.client().CallAndVanish("PlanService/Search", search, std::chrono::milliseconds(300));
    ASSERT_EQ(status.code, StatusCode::kCancelled) << status;
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!CallForStatus(server.client(), "PlanService/Search", easy).ok()) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "the places are still taken";
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  v1::ListPlansRequest list;
  list.set_parent("projects/p");
  EXPECT_EQ(MustCall<v1::ListPlansResponse>(server.client(), "PlanService/ListPlans", list).plans_size(), 0);
}

struct BadSearch {
  std::string title;
  std::function<void(v1::SearchRequest&)> spoil;
  StatusCode code;
  std::string field;
};

class BadSearches : public ::testing::TestWithParam<BadSearch> {};

TEST_P(BadSearches, NameTheField) {
  TestServer server;
  v1::SearchRequest request = SizeSearch(
      MustCall<v1::Measurement>(server.client(), "MeasurementService/ImportMeasurement", SmallImport()).name(), 0.75);
  GetParam().spoil(request);
  const RpcStatus status = CallForStatus(server.client(), "PlanService/Search", request);
  EXPECT_THAT(status, HasCode(GetParam().code)) << status;
  EXPECT_EQ(status.field(), GetParam().field) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Plans, BadSearches,
    ::testing::Values(
        BadSearch{"NoMeasurement", [](auto& r) { r.clear_measurement(); }, StatusCode::kInvalidArgument, "measurement"},
        BadSearch{"UnknownMeasurement", [](auto& r) { r.set_measurement("projects/p/measurements/0"); },
                  StatusCode::kNotFound, ""},
        BadSearch{"NoBudget", [](auto& r) { r.mutable_config()->clear_budgets(); }, StatusCode::kInvalidArgument,
                  "config.budgets"},
        BadSearch{"NoAmount", [](auto& r) { r.mutable_config()->mutable_budgets(0)->clear_amount(); },
                  StatusCode::kInvalidArgument, "config.budgets[0].amount"},
        BadSearch{"NegativeLimit", [](auto& r) { r.mutable_config()->mutable_budgets(0)->set_limit(-1); },
                  StatusCode::kInvalidArgument, "config.budgets[0].limit"},
        BadSearch{"TooLargeAFactor",
                  [](auto& r) { r.mutable_config()->mutable_budgets(0)->set_relative_to_uniform_8(17); },
                  StatusCode::kInvalidArgument, "config.budgets[0].relative_to_uniform_8"},
        BadSearch{"NoPrice", [](auto& r) { r.mutable_config()->mutable_budgets(0)->set_resource("latency"); },
                  StatusCode::kInvalidArgument, "config.budgets[0]"},
        BadSearch{"UnknownResource", [](auto& r) { r.mutable_config()->mutable_budgets(0)->set_resource("joy"); },
                  StatusCode::kInvalidArgument, "config.budgets[0].resource"},
        BadSearch{"UnknownSolver", [](auto& r) { r.mutable_config()->mutable_solver()->set_solver("oracle"); },
                  StatusCode::kNotFound, "config.solver.solver"},
        BadSearch{"TimeLimit",
                  [](auto& r) { r.mutable_config()->mutable_solver()->mutable_time_limit()->set_seconds(99'999); },
                  StatusCode::kInvalidArgument, "config.solver.time_limit"},
        BadSearch{"Gap", [](auto& r) { r.mutable_config()->mutable_solver()->set_relative_gap(2); },
                  StatusCode::kInvalidArgument, "config.solver.relative_gap"},
        BadSearch{"UnknownProfile", [](auto& r) { r.mutable_config()->set_profile("abacus"); }, StatusCode::kNotFound,
                  "config.profile"},
        BadSearch{"ProfileOfAnotherProject",
                  [](auto& r) { r.mutable_config()->set_profile("projects/q/profiles/generic"); },
                  StatusCode::kInvalidArgument, "config.profile"},
        BadSearch{"BrokenProfile", [](auto& r) { r.mutable_config()->set_profile_json("{}"); },
                  StatusCode::kInvalidArgument, "config.profile_json"},
        BadSearch{"LongName", [](auto& r) { r.set_display_name(std::string(200, 'x')); }, StatusCode::kInvalidArgument,
                  "display_name"}),
    [](const auto& info) { return info.param.title; });

// The measurement has ties of its own; an error counts those of the request.
TEST(Plans, ABadTieIsCountedAsInTheRequest) {
  TestServer server;
  v1::SearchRequest request = SizeSearch(ImportResNet18(server.client()).name(), 0.75);
  request.mutable_config()->add_ties()->add_layers("nobody");
  for (const bool validate_only : {true, false}) {
    request.set_validate_only(validate_only);
    EXPECT_EQ(CallForStatus(server.client(), "PlanService/Search", request).field(), "config.ties[0]");
  }
}

TEST(Plans, ABudgetNobodyCanPriceSaysWhy) {
  TestServer server;
  v1::SearchRequest request = SizeSearch(
      MustCall<v1::Measurement>(server.client(), "MeasurementService/ImportMeasurement", SmallImport()).name(), 0.75);
  request.mutable_config()->mutable_budgets(0)->set_resource("latency");
  const RpcStatus status = CallForStatus(server.client(), "PlanService/Search", request);
  EXPECT_THAT(status, HasCode(StatusCode::kInvalidArgument));
  EXPECT_THAT(status.message, HasSubstr("latency"));
}

TEST(System, TellsVersionAndVocabulary) {
  TestServer server;
  const auto version = MustCall<v1::Version>(server.client(), "SystemService/GetVersion", v1::GetVersionRequest());
  EXPECT_EQ(version.version(), "0.1.0");
  EXPECT_THAT(version.api(), ::testing::ElementsAre("bitplan.v1"));
  const auto capabilities =
      MustCall<v1::Capabilities>(server.client(), "SystemService/GetCapabilities", v1::GetCapabilitiesRequest());
  const auto names = [](const auto& items) {
    std::vector<std::string> out;
    for (const auto& item : items) out.push_back(item.name());
    return out;
  };
  EXPECT_THAT(names(capabilities.methods()), ::testing::IsSupersetOf({"hawq_v1", "hawq_v2", "given"}));
  EXPECT_THAT(names(capabilities.schemes()), ::testing::IsSupersetOf({"symmetric", "affine", "nvfp4"}));
  EXPECT_THAT(names(capabilities.granularities()), ::testing::Contains("per_group"));
  EXPECT_THAT(names(capabilities.range_rules()), ::testing::Contains("mse"));
  EXPECT_THAT(names(capabilities.activation_ranges()),
              ::testing::ElementsAre("ternary", "dynamic_sample", "dynamic_token"));
  EXPECT_THAT(names(capabilities.roundings()), ::testing::ElementsAre("nearest", "stochastic"));
  EXPECT_THAT(names(capabilities.operators()), ::testing::IsSupersetOf({"Conv", "Gemm", "Relu"}));
  EXPECT_THAT(names(capabilities.trace_estimators()), ::testing::IsSupersetOf({"gauss_newton", "hutchinson"}));
  EXPECT_THAT(names(capabilities.losses()), ::testing::IsSupersetOf({"cross_entropy", "mean_squared_error"}));
  EXPECT_THAT(names(capabilities.export_formats()), ::testing::IsSupersetOf({"json", "csv"}));
  EXPECT_EQ(capabilities.limits().max_page_size(), 1000);
}

TEST(System, HealthAndReflectionAreOn) {
  TestServer server;
  EXPECT_TRUE(server.client().IsServing());
  const std::string services = server.client().RawServiceList();
  for (const char* name : {"ModelService", "DatasetService", "MeasurementService", "JobService", "ProfileService",
                           "PlanService", "SystemService"}) {
    EXPECT_THAT(services, HasSubstr(std::string("bitplan.v1.") + name));
  }
  EXPECT_THAT(services, HasSubstr("grpc.health.v1.Health"));
}

TEST(System, TakesNoCompressedMessages) {
  TestServer server;
  server.client().set_compress(true);
  v1::ImportMeasurementRequest request;
  request.set_parent("projects/p");
  request.set_json(std::string(3 << 20, ' '));  // some kilobytes on the wire
  EXPECT_EQ(CallForStatus(server.client(), "MeasurementService/ImportMeasurement", request).code,
            StatusCode::kUnimplemented);
}

TEST(System, RefusesMessagesOverFourMebibytes) {
  TestServer server;
  v1::ImportMeasurementRequest request;
  request.set_parent("projects/p");
  request.set_json(std::string(5 << 20, ' '));
  EXPECT_EQ(CallForStatus(server.client(), "MeasurementService/ImportMeasurement", request).code,
            StatusCode::kResourceExhausted);
  EXPECT_TRUE(server.client().IsServing());
}

}  // namespace
}  // namespace bitplan::testing
