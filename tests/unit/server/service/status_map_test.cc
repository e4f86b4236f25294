#include "server/service/status_map.h"

#include <gtest/gtest.h>

#include <string>

#include "google/rpc/error_details.pb.h"
#include "search/base/status.h"

namespace bitplan::service {
namespace {

template <typename Detail>
std::optional<Detail> DetailOf(const google::rpc::Status& status) {
  for (const auto& any : status.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

TEST(CleanText, CutsAtTheEndOfACharacter) {
  EXPECT_EQ(CleanText("abc", 2), "ab");
  EXPECT_EQ(CleanText("a\xC3\xA4", 2), "a");
  EXPECT_EQ(CleanText("a\xC3\xA4", 3), "a\xC3\xA4");
}

TEST(CleanText, ReplacesWhatIsNotText) {
  EXPECT_EQ(CleanText(std::string("a\0b\x1B[1m\xFF\xC0\xAF", 9), 100), "a?b?[1m??");
  EXPECT_EQ(CleanText("\xED\xA0\x80", 100), "???");       // a surrogate
  EXPECT_EQ(CleanText("\xF4\x90\x80\x80", 100), "????");  // beyond U+10FFFF
  EXPECT_EQ(CleanText("line\n\ttab \xE2\x82\xAC \xF0\x9F\x98\x80", 100), "line\n\ttab \xE2\x82\xAC \xF0\x9F\x98\x80");
}

TEST(StatusMap, OkIsOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_EQ(ToRpcStatus(absl::OkStatus()).code(), 0);
}

TEST(StatusMap, EveryCodeCarriesErrorInfo) {
  for (int code = 1; code <= 16; ++code) {
    const auto status = ToGrpcStatus(absl::Status(static_cast<absl::StatusCode>(code), "what happened"));
    EXPECT_EQ(static_cast<int>(status.error_code()), code);
    google::rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(status.error_details()));
    EXPECT_EQ(details.code(), code);
    const auto info = DetailOf<google::rpc::ErrorInfo>(details);
    ASSERT_TRUE(info.has_value());
    EXPECT_EQ(info->domain(), "bitplan");
    EXPECT_EQ(info->reason(), absl::StatusCodeToString(static_cast<absl::StatusCode>(code)));
  }
}

TEST(StatusMap, FieldPathBecomesBadRequest) {
  const auto status = ToRpcStatus(InvalidArgument("config.budgets[1].limit: got {}, want >= 0", -3));
  const auto bad = DetailOf<google::rpc::BadRequest>(status);
  ASSERT_TRUE(bad.has_value());
  ASSERT_EQ(bad->field_violations_size(), 1);
  EXPECT_EQ(bad->field_violations(0).field(), "config.budgets[1].limit");
  EXPECT_EQ(bad->field_violations(0).description(), "got -3, want >= 0");
  EXPECT_FALSE(DetailOf<google::rpc::BadRequest>(ToRpcStatus(InvalidArgument("not an ONNX file"))).has_value());
}

TEST(StatusMap, BadRequestNamesFieldsOnly) {
  const auto field_of = [](const absl::Status& status) {
    const auto bad = DetailOf<google::rpc::BadRequest>(ToRpcStatus(status));
    return bad.has_value() ? bad->field_violations(0).field() : "none";
  };
  EXPECT_EQ(field_of(InvalidArgument("layers[3] 'conv 2'.options[1].bits: got 9")), "layers[3].options[1].bits");
  EXPECT_EQ(field_of(AboutField(InvalidArgument("onnx: malformed file at byte 2"), "chunk")), "chunk");
  EXPECT_EQ(field_of(AboutField(ResourceExhausted("onnx: too much"), "chunk")), "none");
  EXPECT_EQ(field_of(absl::UnavailableError("watch: the server is shutting down")), "none");
  EXPECT_EQ(field_of(absl::CancelledError("upload: the client went away")), "none");
}

TEST(StatusMap, RetryInfoWhereRetryingHelps) {
  for (const auto& status : {absl::ResourceExhaustedError("the queue is full"), absl::UnavailableError("draining")}) {
    const auto retry = DetailOf<google::rpc::RetryInfo>(ToRpcStatus(status));
    ASSERT_TRUE(retry.has_value());
    EXPECT_EQ(retry->retry_delay().seconds(), 1);
  }
  EXPECT_FALSE(DetailOf<google::rpc::RetryInfo>(ToRpcStatus(NotFound("no job"))).has_value());
}

TEST(StatusMap, KeepsOurFaultsToItself) {
  for (const auto& status :
       {Internal("secret /var/lib"), DataLoss("secret /var/lib"), absl::UnknownError("secret /var/lib")}) {
    const auto out = ToRpcStatus(status);
    EXPECT_EQ(out.ShortDebugString().find("secret"), std::string::npos);
    const auto info = DetailOf<google::rpc::ErrorInfo>(out);
    ASSERT_TRUE(info.has_value());
    EXPECT_NE(out.message().find(info->metadata().at("log_id")), std::string::npos);
  }
}

TEST(StatusMap, CutsLongMessages) {
  const auto out = ToGrpcStatus(InvalidArgument("{}", std::string(5000, 'x')));
  EXPECT_EQ(out.error_message().size(), kMaxMessageBytes);
}

}  // namespace
}  // namespace bitplan::service
