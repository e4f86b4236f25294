#include "client/list_options.h"

#include <CLI/CLI.hpp>

namespace bitplan::client {

std::shared_ptr<int64_t> AddLimit(CLI::App& app) {
  auto limit = std::make_shared<int64_t>(50);
  app.add_option("--limit", *limit, "Most entries to show")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  return limit;
}

}  // namespace bitplan::client
