#ifndef BITPLAN_SEARCH_ONNX_UNSUPPORTED_H_
#define BITPLAN_SEARCH_ONNX_UNSUPPORTED_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace bitplan::onnx {

// Collects what a model uses and we do not support, so that its owner learns of all of it at once.
class UnsupportedReport {
 public:
  // `what` groups: "operator Erf", "operator com.microsoft.Gelu"; `where` names one place: "node '/act/Erf'".
  void Add(const std::string& what, const std::string& where);

  // OK if nothing was added, else kUnimplemented: "onnx: not supported: operator Erf (4, first node '/act/Erf'); ...".
  // Groups come in the order of their first place; at most 100 are written out, the rest is counted.
  absl::Status ToStatus() const;

 private:
  struct Group {
    std::string what;
    std::string first;
    int64_t count = 0;
  };
  std::vector<Group> groups_;
  std::map<std::string, size_t> index_;
};

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_UNSUPPORTED_H_
