#include "server/jobs/watch_hub.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace bitplan::jobs {
namespace {

using Clock = std::chrono::steady_clock;

int64_t NowUs() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count();
}

// Longer estimates say nothing and could overflow.
constexpr double kLongestEtaMs = 1e12;

std::optional<std::chrono::milliseconds> StageEta(Clock::duration elapsed, double first_fraction, double fraction) {
  if (!(fraction > first_fraction)) return std::nullopt;
  const double elapsed_ms = std::chrono::duration<double, std::milli>(elapsed).count();
  const double left_ms = elapsed_ms * (1 - fraction) / (fraction - first_fraction);
  return std::chrono::milliseconds(static_cast<int64_t>(std::clamp(left_ms, 0.0, kLongestEtaMs)));
}

double CleanFraction(double fraction) { return std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0; }

}  // namespace

void Channel::NotifyState(int64_t sequence) {
  const std::scoped_lock lock(mutex_);
  sequence_ = std::max(sequence_, sequence);
  changed_.notify_all();
}

void Channel::NotifyProgress(int64_t attempt, const Progress& progress) {
  const Clock::time_point now = Clock::now();
  ProgressView view{.progress = progress, .attempt = attempt, .time_us = NowUs()};
  view.progress.fraction = CleanFraction(progress.fraction);
  const std::scoped_lock lock(mutex_);
  if (!progress_ || progress_->progress.stage != progress.stage) {
    stage_start_ = now;
    stage_start_fraction_ = view.progress.fraction;
  }
  view.stage_eta = StageEta(now - stage_start_, stage_start_fraction_, view.progress.fraction);
  progress_ = std::move(view);
  ++progress_version_;
  changed_.notify_all();
}

void Channel::ClearProgress() {
  const std::scoped_lock lock(mutex_);
  progress_.reset();
}

void Channel::ShutDown() {
  const std::scoped_lock lock(mutex_);
  shut_down_ = true;
  changed_.notify_all();
}

void Channel::Poke() {
  const std::scoped_lock lock(mutex_);
  changed_.notify_all();
}

Channel::Wake Channel::WaitFor(const Wait& wait) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (wait.stopped()) return Wake::kStopped;
    if (sequence_ > wait.delivered) return Wake::kState;
    if (shut_down_) return Wake::kShutdown;
    const bool fresh = progress_ && progress_version_ != wait.progress_version;
    const Clock::time_point now = Clock::now();
    if (fresh && now >= wait.progress_not_before) return Wake::kProgress;
    if (now >= wait.deadline) return Wake::kTimeout;
    changed_.wait_until(lock, fresh ? std::min(wait.deadline, wait.progress_not_before) : wait.deadline);
  }
}

std::optional<ProgressView> Channel::progress() const { return VersionedProgress().first; }

std::pair<std::optional<ProgressView>, int64_t> Channel::VersionedProgress() const {
  const std::scoped_lock lock(mutex_);
  return {progress_, progress_version_};
}

std::shared_ptr<Channel> WatchHub::ChannelOf(const store::JobKey& key) {
  const std::scoped_lock lock(mutex_);
  if (channels_.size() >= prune_at_) {
    std::erase_if(channels_, [](const auto& entry) { return entry.second.expired(); });
    prune_at_ = 2 * channels_.size() + 64;
  }
  std::weak_ptr<Channel>& entry = channels_[key];
  std::shared_ptr<Channel> channel = entry.lock();
  if (channel != nullptr) return channel;
  channel = std::make_shared<Channel>();
  if (shut_down_) channel->ShutDown();
  entry = channel;
  return channel;
}

std::shared_ptr<Channel> WatchHub::FindChannel(const store::JobKey& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = channels_.find(key);
  return found == channels_.end() ? nullptr : found->second.lock();
}

void WatchHub::NotifyState(const store::JobRecord& job) {
  if (const std::shared_ptr<Channel> channel = FindChannel(job.key)) channel->NotifyState(job.sequence);
}

void WatchHub::ShutDown() {
  std::vector<std::shared_ptr<Channel>> open;
  {
    const std::scoped_lock lock(mutex_);
    shut_down_ = true;
    for (const auto& [key, channel] : channels_) open.push_back(channel.lock());
  }
  for (const std::shared_ptr<Channel>& channel : open) {
    if (channel != nullptr) channel->ShutDown();
  }
}

}  // namespace bitplan::jobs
