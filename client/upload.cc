#include "client/upload.h"

#include <fmt/format.h>

#include "client/units.h"
#include "search/base/digest.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

Upload Describe(Session& session, std::string_view bytes, const std::string& display_name, bool& was_sent) {
  return {.bytes = bytes,
          .digest = Sha256Hex(bytes),
          .display_name = display_name,
          .progress = [&session, &was_sent, bytes, display_name](int64_t sent) {
            was_sent = true;
            session.console.StatusLine(fmt::format("uploading {}  {} of {}", display_name, FormatBytes(sent),
                                                   FormatBytes(static_cast<int64_t>(bytes.size()))));
          }};
}

// "uploaded net.onnx (307 KiB): projects/default/models/4f.."
void Report(Session& session, const Upload& upload, bool was_sent, const std::string& name) {
  session.console.Note(fmt::format("{} {} ({}): {}", was_sent ? "Uploaded" : "The server has", upload.display_name,
                                   FormatBytes(static_cast<int64_t>(upload.bytes.size())), name));
}

}  // namespace

absl::StatusOr<v1::Model> UploadModel(Session& session, Channel& channel, std::string_view bytes,
                                      const std::string& display_name) {
  bool was_sent = false;
  const Upload upload = Describe(session, bytes, display_name, was_sent);
  BITPLAN_ASSIGN_OR_RETURN(v1::Model model, channel.UploadModel(session.globals.parent(), upload));
  Report(session, upload, was_sent, model.name());
  return model;
}

absl::StatusOr<v1::Dataset> UploadDataset(Session& session, Channel& channel, std::string_view bytes,
                                          const std::string& display_name) {
  bool was_sent = false;
  const Upload upload = Describe(session, bytes, display_name, was_sent);
  BITPLAN_ASSIGN_OR_RETURN(v1::Dataset dataset, channel.UploadDataset(session.globals.parent(), upload));
  Report(session, upload, was_sent, dataset.name());
  return dataset;
}

}  // namespace bitplan::client
