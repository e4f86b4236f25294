#ifndef BITPLAN_SEARCH_BASE_DIGEST_H_
#define BITPLAN_SEARCH_BASE_DIGEST_H_

#include <memory>
#include <string>
#include <string_view>

namespace bitplan {

// SHA-256 (FIPS 180-4), fed in pieces. Artifacts, models and measurements are named by it.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::string_view bytes);
  // 64 lower-case hexadecimal digits. Call once; the object is spent afterwards.
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// SHA-256 of `bytes`, 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_BASE_DIGEST_H_
