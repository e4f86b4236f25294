// Acknowledged changes a second of the SQLite store by number of concurrent clients: what group commit gains.
//
//   store_bench FOLDER [SECONDS]
//
// FOLDER should lie on the disk in question (a RAM disk syncs for free). Each client creates jobs, one after the other;
// the last line is checkpoints of one client, which are not synced.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "server/store/store_table.h"

namespace {

using bitplan::store::JobKey;
using bitplan::store::Store;
using Clock = std::chrono::steady_clock;

double Ms(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

// Runs step(client, i) in `clients` threads for `seconds` and prints rate and latencies.
void Measure(const char* what, int clients, double seconds, const std::function<bool(int, int)>& step) {
  std::vector<std::vector<double>> latencies(static_cast<size_t>(clients));
  const Clock::time_point start = Clock::now();
  const auto work = [&](int client) {
    for (int i = 0; Ms(Clock::now() - start) < 1000 * seconds; ++i) {
      const Clock::time_point before = Clock::now();
      if (!step(client, i)) std::abort();
      latencies[static_cast<size_t>(client)].push_back(Ms(Clock::now() - before));
    }
  };
  std::vector<std::jthread> threads;
  for (int client = 0; client < clients; ++client) threads.emplace_back(work, client);
  threads.clear();
  const double elapsed_ms = Ms(Clock::now() - start);
  std::vector<double> all;
  for (const std::vector<double>& one : latencies) all.insert(all.end(), one.begin(), one.end());
  std::ranges::sort(all);
  const auto count = static_cast<double>(all.size());
  std::printf("%-12s %3d clients  %9.0f /s  p50 %7.2f ms  p99 %7.2f ms\n", what, clients, 1000 * count / elapsed_ms,
              all[all.size() / 2], all[all.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: store_bench FOLDER [SECONDS]\n"), 2;
  const std::filesystem::path path = std::filesystem::path(argv[1]) / "store_bench.db";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 3;
  {
    auto store = bitplan::store::OpenStore("sqlite", {.path = path});
    if (!store.ok()) return std::fprintf(stderr, "%s\n", store.status().ToString().c_str()), 1;
    for (int clients : {1, 2, 4, 8, 16, 32, 64}) {
      Measure("create job", clients, seconds, [&](int client, int i) {
        const JobKey key{.project = "bench", .id = fmt::format("{}-{}-{}", clients, client, i)};
        return (*store)->CreateJob({.key = key, .spec = std::string(500, 'x')}, {}).ok();
      });
    }
    const JobKey key{.project = "bench", .id = "1-0-0"};
    if (!(*store)->StartJob(key, 1).ok()) return 1;
    Measure("checkpoint", 1, seconds, [&](int, int i) {
      return (*store)->SaveCheckpoint(key, 1, fmt::format("layer {}", i % 50), std::string(500, 'x')).ok();
    });
  }
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(path.string() + suffix);
  return 0;
}
