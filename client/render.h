#ifndef BITPLAN_CLIENT_RENDER_H_
#define BITPLAN_CLIENT_RENDER_H_

#include <string>

#include "bitplan/v1/job.pb.h"
#include "bitplan/v1/model.pb.h"
#include "bitplan/v1/plan.pb.h"
#include "bitplan/v1/profile.pb.h"
#include "google/protobuf/message.h"
#include "search/evaluation/evaluate_plan.h"
#include "search/plan/explanation.h"
#include "search/plan/plan.h"

// Answers as text for people, at most kLineWidth characters a line as long as names are of usual length.

namespace bitplan::client {

inline constexpr size_t kLineWidth = 120;

// The whole plan: one row a layer with a total, one row a budget, and what is proven about it. Without a choice: why,
// and what the least achievable is.
std::string RenderPlan(const Plan& plan);

// One row a layer with its noise, one row a network, the verdict, and prediction beside measurement.
std::string RenderEvaluation(const Evaluation& evaluation);

// Of a plan::Explain of one layer: every option that it has, what it would cost at the plan's prices, and why not.
std::string RenderLayerExplanation(const Plan& plan, const Explanation& explanation);
// One row a budget with its price and other limits, one row a layer with margin and regret; or which budgets clash.
std::string RenderExplanation(const Plan& plan, const Explanation& explanation);

std::string RenderModels(const v1::ListModelsResponse& models);
std::string RenderModel(const v1::Model& model);
std::string RenderJobs(const v1::ListJobsResponse& jobs);
std::string RenderJob(const v1::Job& job);
std::string RenderPlans(const v1::ListPlansResponse& plans);
std::string RenderProfiles(const v1::ListProfilesResponse& profiles);
std::string RenderProfile(const v1::Profile& profile);

// "running", "succeeded".
std::string StateName(v1::JobState state);

// A message as JSON: field names as in the .proto, two blanks a level, a newline at the end.
std::string RenderJson(const google::protobuf::Message& message);

// The part of a resource name after the last slash.
std::string IdOf(const std::string& name);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_RENDER_H_
