#include "proto/convert/ties.h"

namespace bitplan::convert {

std::vector<std::vector<std::string>> ToTies(const google::protobuf::RepeatedPtrField<v1::Tie>& messages) {
  std::vector<std::vector<std::string>> ties;
  for (const v1::Tie& message : messages) ties.emplace_back(message.layers().begin(), message.layers().end());
  return ties;
}

void FromTies(const std::vector<std::vector<std::string>>& ties,
              google::protobuf::RepeatedPtrField<v1::Tie>* messages) {
  for (const auto& tie : ties) messages->Add()->mutable_layers()->Add(tie.begin(), tie.end());
}

}  // namespace bitplan::convert
