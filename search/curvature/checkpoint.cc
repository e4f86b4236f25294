#include "search/curvature/checkpoint.h"

#include <cstring>
#include <string>

namespace bitplan::curvature {

void SaveNumbers(const RunContext& context, std::string_view key, std::span<const double> numbers) {
  if (context.checkpoints == nullptr || key.empty()) return;
  std::string bytes(numbers.size_bytes(), '\0');
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  context.checkpoints->Save(key, std::move(bytes));
}

std::optional<std::vector<double>> LoadNumbers(const RunContext& context, std::string_view key) {
  if (context.checkpoints == nullptr || key.empty()) return std::nullopt;
  const std::optional<std::string> bytes = context.checkpoints->Load(key);
  if (!bytes || bytes->empty() || bytes->size() % sizeof(double) != 0) return std::nullopt;
  std::vector<double> numbers(bytes->size() / sizeof(double));
  std::memcpy(numbers.data(), bytes->data(), bytes->size());
  return numbers;
}

std::optional<std::vector<double>> LoadNumbers(const RunContext& context, std::string_view key, size_t count) {
  std::optional<std::vector<double>> numbers = LoadNumbers(context, key);
  if (numbers && numbers->size() != count) return std::nullopt;
  return numbers;
}

}  // namespace bitplan::curvature
