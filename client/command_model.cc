#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "client/commands.h"
#include "client/files.h"
#include "client/list_options.h"
#include "client/model_file.h"
#include "client/paging.h"
#include "client/render.h"
#include "client/upload.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

void Print(Session& session, const v1::Model& model) {
  session.console.Answer(session.globals.is_json() ? RenderJson(model) : RenderModel(model));
}

}  // namespace

Action DeclareModelUpload(CLI::App& app) {
  struct Options {
    std::string path;
    std::string display_name;
  };
  auto options = std::make_shared<Options>();
  app.add_option("model", options->path, "ONNX network")->required()->check(CLI::ExistingFile);
  app.add_option("--name", options->display_name, "Name to show in lists [the file's name]");
  return [options](Session& session) -> absl::StatusOr<ExitCode> {
    BITPLAN_ASSIGN_OR_RETURN(const std::string bytes, ReadModel(options->path));
    const std::string name = options->display_name.empty() ? BaseName(options->path) : options->display_name;
    Channel channel = session.Connect();
    BITPLAN_ASSIGN_OR_RETURN(const v1::Model model, UploadModel(session, channel, bytes, name));
    Print(session, model);
    return ExitCode::kOk;
  };
}

Action DeclareModelList(CLI::App& app) {
  return [limit = AddLimit(app)](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    v1::ListModelsRequest request;
    request.set_parent(session.globals.parent());
    BITPLAN_ASSIGN_OR_RETURN(const auto models,
                             ListUpTo<v1::ListModelsResponse>(
                                 *limit, request, session.console,
                                 [&](const v1::ListModelsRequest& page) { return channel.ListModels(page); },
                                 [](v1::ListModelsResponse& response) { return response.mutable_models(); }));
    session.console.Answer(session.globals.is_json() ? RenderJson(models) : RenderModels(models));
    return ExitCode::kOk;
  };
}

Action DeclareModelShow(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("model", *name, "Name or id")->required();
  return [name](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    BITPLAN_ASSIGN_OR_RETURN(const v1::Model model, channel.GetModel(session.globals.NameOf("models", *name)));
    Print(session, model);
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
