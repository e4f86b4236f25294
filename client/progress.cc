#include "client/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/units.h"
#include "search/allocation/solution.h"

namespace bitplan::client {
namespace {

constexpr int kBarWidth = 20;
constexpr double kLeastFractionForEta = 0.02;  // before that an extrapolation is noise

std::string Percent(double fraction) {
  const double percent = std::clamp(fraction, 0.0, 1.0) * 100;
  return fmt::format("{:.0f}%", percent);
}

std::string ErrorPercent(double error) { return fmt::format("{:.{}f}%", error * 100, error < 0.0995 ? 1 : 0); }

// "best 1.234e-03, gap 2.3%".
std::string BestSoFar(const Progress& progress) {
  std::string text = "best " + FormatLoss(*progress.objective);
  if (!progress.bound) return text;
  return fmt::format("{}, gap {:.2g}%", text, allocation::RelativeGap(*progress.objective, *progress.bound) * 100);
}

}  // namespace

ProgressView ProgressView::Of(const v1::JobProgress& message) {
  ProgressView view{.progress = {.stage = message.stage(),
                                 .fraction = message.fraction(),
                                 .layer = message.layer(),
                                 .num_layers = message.num_layers(),
                                 .layer_name = message.layer_name(),
                                 .probes = message.probes(),
                                 .relative_error = message.relative_standard_error()}};
  if (message.has_objective()) view.progress.objective = message.objective();
  if (message.has_bound()) view.progress.bound = message.bound();
  if (message.has_eta()) {
    view.eta_seconds = static_cast<double>(message.eta().seconds()) + message.eta().nanos() * 1e-9;
  }
  return view;
}

std::string ProgressBar(const ProgressView& view) {
  const Progress& progress = view.progress;
  const int filled = static_cast<int>(std::clamp(progress.fraction, 0.0, 1.0) * kBarWidth);
  std::string line = fmt::format("{:<14} [{:#>{}}{:.>{}}] {:>4}", progress.stage, "", filled, "", kBarWidth - filled,
                                 Percent(progress.fraction));
  if (view.eta_seconds && progress.fraction < 1) line += fmt::format("  {} left", FormatSeconds(*view.eta_seconds));
  if (progress.num_layers > 0) line += fmt::format("  layer {}/{}", progress.layer, progress.num_layers);
  if (progress.probes > 0) line += fmt::format("  {} {}", progress.probes, progress.probes == 1 ? "probe" : "probes");
  if (progress.relative_error > 0) line += fmt::format("  error {}", ErrorPercent(progress.relative_error));
  if (progress.objective) line += "  " + BestSoFar(progress);
  if (!progress.layer_name.empty()) line += "  " + progress.layer_name;
  return line;
}

std::string ProgressSentence(const ProgressView& view) {
  const Progress& progress = view.progress;
  if (progress.fraction == 0 && progress.probes == 0) return progress.stage;
  std::string line = fmt::format("{}: {}", progress.stage, Percent(progress.fraction));
  if (progress.num_layers > 0) line += fmt::format(", layer {} of {}", progress.layer, progress.num_layers);
  if (progress.probes > 0) line += fmt::format(", {} {}", progress.probes, progress.probes == 1 ? "probe" : "probes");
  if (progress.relative_error > 0) line += fmt::format(", relative error {}", ErrorPercent(progress.relative_error));
  if (progress.objective) line += ", " + BestSoFar(progress);
  if (view.eta_seconds && progress.fraction < 1)
    line += fmt::format(", about {} left", FormatSeconds(*view.eta_seconds));
  return line;
}

void ProgressPrinter::Show(const ProgressView& view) {
  const auto now = Clock::now();
  const bool new_stage = view.progress.stage != stage_;
  if (new_stage) stage_begin_ = now;
  stage_ = view.progress.stage;
  if (console_.is_terminal()) {
    console_.StatusLine(ProgressBar(view));
    return;
  }
  const auto interval = std::clamp<Clock::duration>((now - stage_begin_) / 10, kPlainInterval, kLongestPlainInterval);
  if (!new_stage && now - last_line_ < interval) return;
  last_line_ = now;
  console_.Note(ProgressSentence(view));
}

void ProgressPrinter::Show(const Progress& progress) {
  ProgressView view{.progress = progress};
  if (progress.stage == stage_ && progress.fraction >= kLeastFractionForEta) {
    const std::chrono::duration<double> run = Clock::now() - stage_begin_;
    view.eta_seconds = run.count() * (1 - progress.fraction) / progress.fraction;
  }
  Show(view);
}

}  // namespace bitplan::client
