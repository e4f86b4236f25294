#ifndef BITPLAN_CLIENT_UPLOAD_H_
#define BITPLAN_CLIENT_UPLOAD_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/commands.h"

namespace bitplan::client {

// Send a file's bytes unless the server has them, with progress on the console.
absl::StatusOr<v1::Model> UploadModel(Session& session, Channel& channel, std::string_view bytes,
                                      const std::string& display_name);
absl::StatusOr<v1::Dataset> UploadDataset(Session& session, Channel& channel, std::string_view bytes,
                                          const std::string& display_name);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_UPLOAD_H_
