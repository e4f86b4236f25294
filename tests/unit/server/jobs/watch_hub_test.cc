#include "server/jobs/watch_hub.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

namespace bitplan::jobs {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

Channel::Wait WaitUntil(Clock::time_point deadline, int64_t delivered = 0) {
  return {.delivered = delivered, .deadline = deadline, .stopped = [] { return false; }};
}
const Clock::time_point kNow = Clock::time_point::min();
const Clock::time_point kNever = Clock::now() + std::chrono::hours(1);

TEST(Channel, TimesOutWhenNothingHappens) {
  Channel channel;
  EXPECT_EQ(channel.WaitFor(WaitUntil(kNow)), Channel::Wake::kTimeout);
}

TEST(Channel, StateComesBeforeShutdownAndProgress) {
  Channel channel;
  channel.NotifyProgress(1, {.stage = "trace"});
  channel.NotifyState(2);
  channel.ShutDown();
  EXPECT_EQ(channel.WaitFor(WaitUntil(kNow, 1)), Channel::Wake::kState);
  EXPECT_EQ(channel.WaitFor(WaitUntil(kNow, 2)), Channel::Wake::kShutdown);
}

TEST(Channel, OldSequenceNumbersAreIgnored) {
  Channel channel;
  channel.NotifyState(5);
  channel.NotifyState(3);
  EXPECT_EQ(channel.WaitFor(WaitUntil(kNow, 4)), Channel::Wake::kState);
}

TEST(Channel, ProgressWaitsUntilItIsDue) {
  Channel channel;
  channel.NotifyProgress(1, {.stage = "trace"});
  Channel::Wait wait = WaitUntil(kNow);
  wait.progress_not_before = kNever;
  EXPECT_EQ(channel.WaitFor(wait), Channel::Wake::kTimeout);
  wait.progress_not_before = {};
  EXPECT_EQ(channel.WaitFor(wait), Channel::Wake::kProgress);
  wait.progress_version = channel.VersionedProgress().second;
  EXPECT_EQ(channel.WaitFor(wait), Channel::Wake::kTimeout) << "seen";
}

TEST(Channel, OnlyTheNewestProgressIsKept) {
  Channel channel;
  channel.NotifyProgress(1, {.stage = "trace", .probes = 1});
  channel.NotifyProgress(1, {.stage = "trace", .probes = 2});
  EXPECT_EQ(channel.progress()->progress.probes, 2);
  channel.ClearProgress();
  EXPECT_FALSE(channel.progress().has_value());
  EXPECT_EQ(channel.WaitFor(WaitUntil(kNow)), Channel::Wake::kTimeout) << "nothing to tell";
}

TEST(Channel, EtaNeedsASecondReportOfTheStage) {
  Channel channel;
  channel.NotifyProgress(1, {.stage = "trace", .fraction = 0.5});
  EXPECT_FALSE(channel.progress()->stage_eta.has_value());
  channel.NotifyProgress(1, {.stage = "trace", .fraction = 0.75});
  ASSERT_TRUE(channel.progress()->stage_eta.has_value());
  EXPECT_GE(channel.progress()->stage_eta->count(), 0);
  channel.NotifyProgress(1, {.stage = "trace", .fraction = 1});
  EXPECT_EQ(*channel.progress()->stage_eta, milliseconds(0));
  channel.NotifyProgress(1, {.stage = "solve", .fraction = 0.1});
  EXPECT_FALSE(channel.progress()->stage_eta.has_value()) << "a new stage begins anew";
}

TEST(Channel, FractionIsMadeFiniteAndBetweenZeroAndOne) {
  Channel channel;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& [given, want] : {std::pair{-1.0, 0.0}, {2.0, 1.0}, {std::nan(""), 0.0}, {infinity, 0.0}}) {
    channel.NotifyProgress(1, {.stage = "trace", .fraction = given});
    EXPECT_EQ(channel.progress()->progress.fraction, want) << given;
  }
}

TEST(Channel, EachKindOfNewsWakesAWaiter) {
  for (int news = 0; news < 4; ++news) {
    Channel channel;
    std::atomic<bool> stopped = false;
    std::jthread teller([&] {
      if (news == 0) channel.NotifyState(1);
      if (news == 1) channel.NotifyProgress(1, {.stage = "trace"});
      if (news == 2) channel.ShutDown();
      if (news == 3) {
        stopped = true;
        channel.Poke();
      }
    });
    Channel::Wait wait = WaitUntil(kNever);
    wait.stopped = [&] { return stopped.load(); };
    EXPECT_NE(channel.WaitFor(wait), Channel::Wake::kTimeout);
  }
}

TEST(WatchHub, OneChannelAJobAsLongAsItIsHeld) {
  WatchHub hub;
  const store::JobKey key{.project = "p", .id = "j"};
  EXPECT_EQ(hub.FindChannel(key), nullptr);
  std::shared_ptr<Channel> channel = hub.ChannelOf(key);
  EXPECT_EQ(hub.ChannelOf(key), channel);
  EXPECT_EQ(hub.FindChannel(key), channel);
  channel.reset();
  EXPECT_EQ(hub.FindChannel(key), nullptr);
}

TEST(WatchHub, ManyJobsComeAndGo) {
  WatchHub hub;
  const std::shared_ptr<Channel> kept = hub.ChannelOf({.project = "p", .id = "kept"});
  for (int i = 0; i < 1000; ++i) hub.ChannelOf({.project = "p", .id = std::to_string(i)});
  EXPECT_EQ(hub.FindChannel({.project = "p", .id = "kept"}), kept);
}

TEST(WatchHub, ShutdownReachesPresentAndFutureChannels) {
  WatchHub hub;
  const auto before = hub.ChannelOf({.project = "p", .id = "before"});
  hub.ShutDown();
  const auto after = hub.ChannelOf({.project = "p", .id = "after"});
  EXPECT_EQ(before->WaitFor(WaitUntil(kNever)), Channel::Wake::kShutdown);
  EXPECT_EQ(after->WaitFor(WaitUntil(kNever)), Channel::Wake::kShutdown);
}

}  // namespace
}  // namespace bitplan::jobs
