#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "client/commands.h"
#include "client/local_run.h"
#include "client/plan_source.h"
#include "client/units.h"
#include "search/base/status.h"
#include "search/plan/certificate.h"
#include "search/plan/verifier.h"

namespace bitplan::client {
namespace {

constexpr int64_t kDefaultStates = 5'000'000;

std::string Render(const Certificate& certificate, const Plan& plan) {
  std::string text = "consistent: sums, budgets, ties and the fingerprint hold\n" + certificate.summary + "\n";
  for (size_t b = 0; b < certificate.multipliers.size(); ++b) {
    text += fmt::format("price of {}: {}\n", plan.budgets[b].spec,
                        FormatPrice(plan.budgets[b].resource, certificate.multipliers[b]));
  }
  return text;
}

}  // namespace

Action DeclarePlanVerify(CLI::App& app) {
  struct Arguments {
    std::string plan;
    int64_t max_states = kDefaultStates;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("plan", arguments->plan, kPlanHelp)->required();
  app.add_option("--max-states", arguments->max_states,
                 "Partial choices to look at for a proof of optimality; then the bound is all that is checked")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  return [arguments](Session& session) -> absl::StatusOr<ExitCode> {
    BITPLAN_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(session, arguments->plan));
    BITPLAN_RETURN_IF_ERROR(plan::Verify(plan));
    const LocalRun run(session, /*num_threads=*/1);
    BITPLAN_ASSIGN_OR_RETURN(const Certificate certificate,
                             plan::CheckProof(plan, arguments->max_states, run.context()));
    session.console.Answer(session.globals.is_json() ? plan::ToJson(certificate, plan) : Render(certificate, plan));
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
