#ifndef BITPLAN_PROTO_CONVERT_TIES_H_
#define BITPLAN_PROTO_CONVERT_TIES_H_

#include <string>
#include <vector>

#include "bitplan/v1/common.pb.h"

namespace bitplan::convert {

// Groups of layer names. What they name is for the core to check.
std::vector<std::vector<std::string>> ToTies(const google::protobuf::RepeatedPtrField<v1::Tie>& messages);
void FromTies(const std::vector<std::vector<std::string>>& ties, google::protobuf::RepeatedPtrField<v1::Tie>* messages);

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_TIES_H_
