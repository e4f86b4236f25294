#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "client/commands.h"
#include "client/list_options.h"
#include "client/paging.h"
#include "client/render.h"
#include "search/base/status.h"

namespace bitplan::client {

Action DeclareProfileList(CLI::App& app) {
  return [limit = AddLimit(app)](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    v1::ListProfilesRequest request;
    request.set_parent(session.globals.parent());
    BITPLAN_ASSIGN_OR_RETURN(const auto profiles,
                             ListUpTo<v1::ListProfilesResponse>(
                                 *limit, request, session.console,
                                 [&](const v1::ListProfilesRequest& page) { return channel.ListProfiles(page); },
                                 [](v1::ListProfilesResponse& response) { return response.mutable_profiles(); }));
    session.console.Answer(session.globals.is_json() ? RenderJson(profiles) : RenderProfiles(profiles));
    return ExitCode::kOk;
  };
}

Action DeclareProfileShow(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("profile", *name, "Name or id")->required();
  return [name](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    BITPLAN_ASSIGN_OR_RETURN(const v1::Profile profile, channel.GetProfile(session.globals.NameOf("profiles", *name)));
    // As JSON the document itself: what --hardware FILE.json takes.
    session.console.Answer(session.globals.is_json() ? profile.json() : RenderProfile(profile));
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
