#ifndef BITPLAN_TESTS_TESTING_MEMORY_CHECKPOINTS_H_
#define BITPLAN_TESTS_TESTING_MEMORY_CHECKPOINTS_H_

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "search/base/run_context.h"

namespace bitplan::testing {

// Checkpoints in a map, open for inspection.
class MemoryCheckpoints final : public CheckpointStore {
 public:
  std::optional<std::string> Load(std::string_view key) override {
    const std::lock_guard lock(mutex_);
    const auto found = values.find(key);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }
  void Save(std::string_view key, std::string value) override {
    const std::lock_guard lock(mutex_);
    values.insert_or_assign(std::string(key), std::move(value));
  }

  std::map<std::string, std::string, std::less<>> values;

 private:
  std::mutex mutex_;
};

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_MEMORY_CHECKPOINTS_H_
