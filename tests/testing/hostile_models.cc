#include "tests/testing/hostile_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "search/base/rng.h"
#include "tests/testing/npz_builder.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::testing {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}

// A length-delimited field.
std::string Field(uint64_t number, std::string_view body) {
  return Varint(number << 3 | 2).append(Varint(body.size())).append(body);
}

std::string Repeat(const std::string& piece, size_t total_bytes) {
  std::string out;
  out.reserve(total_bytes + piece.size());
  while (out.size() < total_bytes) out += piece;
  return out;
}

// A whole model around the bytes of a GraphProto.
std::string AroundGraph(const std::string& graph) {
  return std::string("\x08\x08", 2) + Field(8, std::string("\x10\x0D", 2)) + Field(7, graph);
}

// Field numbers of GraphProto and below.
constexpr uint64_t kNode = 1;
constexpr uint64_t kInitializer = 5;
constexpr uint64_t kInput = 11;

std::vector<HostileCase> WireCases() {
  constexpr size_t kBombBytes = 4 << 20;
  const std::string nesting = [] {
    std::string graph;
    for (int depth = 0; depth < 5000; ++depth) graph = Field(kNode, Field(4, "If") + Field(5, Field(6, graph)));
    return graph;
  }();
  std::string groups;
  for (int i = 0; i < 100'000; ++i) groups += Varint(100 << 3 | 3);
  std::string type;
  for (int depth = 0; depth < 5000; ++depth) type = Field(4, Field(1, type));
  return {
      {"empty file", "", kInvalid, "empty"},
      {"text", "this is no model at all", kInvalid, "malformed"},
      {"zeros", std::string(1000, '\0'), kInvalid, "field number"},
      {"bomb of empty initializers", AroundGraph(Repeat(Field(kInitializer, ""), kBombBytes)), kInvalid, "more than"},
      {"bomb of empty nodes", AroundGraph(Repeat(Field(kNode, ""), kBombBytes)), kInvalid, "nodes"},
      {"bomb of empty inputs", AroundGraph(Repeat(Field(kInput, ""), kBombBytes)), kInvalid, "more than"},
      {"bomb of empty names", AroundGraph(Field(kNode, Repeat(Field(1, ""), kBombBytes))), kInvalid, "more than"},
      {"bomb of empty attributes", AroundGraph(Field(kNode, Repeat(Field(5, ""), kBombBytes))), kInvalid, "more than"},
      {"bomb of empty opsets", Repeat(Field(8, ""), kBombBytes), kInvalid, "more than"},
      {"bomb of functions", Repeat(Field(25, ""), kBombBytes), kInvalid, "more than"},
      {"bomb of single numbers", AroundGraph(Field(kInitializer, Repeat(std::string("\x08\x01", 2), kBombBytes))),
       kInvalid, "more than"},
      {"deeply nested subgraphs", AroundGraph(nesting), kInvalid, "graphs nested more than 16 deep"},
      {"deeply nested groups", groups, kInvalid, "groups"},
      {"deeply nested types", AroundGraph(Field(kInput, Field(1, "x") + Field(2, type)) + Field(12, Field(1, "x"))),
       kUnimplemented, "not dense tensors"},
      {"length of 2^63", "\x3A" + Varint(uint64_t{1} << 63), kInvalid, "goes past the end"},
      {"endless number", std::string(1 << 20, '\xFF'), kInvalid, "more than 10 bytes"},
  };
}

using Change = void (*)(OnnxModel&);

HostileCase Changed(std::string name, absl::StatusCode code, std::string message, const Change& change) {
  OnnxModel model = TinyClassifier();
  change(model);
  return {.name = std::move(name), .bytes = model.Bytes(), .code = code, .message = std::move(message)};
}

onnx_wire::TensorProto& ConvWeight(OnnxModel& model) { return *model.graph().mutable_initializer(0); }

void SetWeight(OnnxModel& model, float value) {
  onnx_wire::TensorProto& weight = ConvWeight(model);
  weight.mutable_raw_data()->replace(4 * 7, 4, reinterpret_cast<const char*>(&value), 4);
}

void SetShape(OnnxModel& model, const Shape& shape) {
  ConvWeight(model).clear_dims();
  for (const int64_t size : shape) ConvWeight(model).add_dims(size);
}

onnx_wire::TensorShapeProto& InputShape(OnnxModel& model) {
  return *model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
}

void SetInts(OnnxModel& model, const std::string& name, const std::vector<int64_t>& values) {
  onnx_wire::NodeProto& conv = *model.graph().mutable_node(0);
  auto& attributes = *conv.mutable_attribute();
  const auto same = [&](const onnx_wire::AttributeProto& attribute) { return attribute.name() == name; };
  attributes.erase(std::remove_if(attributes.begin(), attributes.end(), same), attributes.end());
  SetAttribute(conv, name, values);
}

std::vector<HostileCase> WeightCases() {
  return {
      Changed("NaN weight", kInvalid, "element 7 is nan", [](OnnxModel& m) { SetWeight(m, NAN); }),
      Changed("infinite weight", kInvalid, "element 7 is inf", [](OnnxModel& m) { SetWeight(m, INFINITY); }),
      Changed("weight without data", kInvalid, "of data, want 36",
              [](OnnxModel& m) { ConvWeight(m).clear_raw_data(); }),
      Changed("weight of a gigabyte with no data", kInvalid, "of data",
              [](OnnxModel& m) {
                SetShape(m, {1 << 14, 1 << 14});
              }),
      Changed("weight of 2^62 elements", kInvalid, "more than",
              [](OnnxModel& m) {
                SetShape(m, {int64_t{1} << 31, int64_t{1} << 31});
              }),
      Changed("weight whose size overflows", kInvalid, "more than",
              [](OnnxModel& m) {
                SetShape(m, {int64_t{1} << 62, 4, 9, 1});
              }),
      Changed("weight of negative size", kInvalid, "at least 1",
              [](OnnxModel& m) {
                SetShape(m, {-4, -1, 3, 3});
              }),
      Changed("weight of size zero", kInvalid, "at least 1",
              [](OnnxModel& m) {
                SetShape(m, {4, 0, 3, 3});
              }),
      Changed("weight of 100 dimensions", kInvalid, "100 dimensions", [](OnnxModel& m) { SetShape(m, Shape(100, 1)); }),
      Changed("weight of another shape", kInvalid, "Conv",
              [](OnnxModel& m) {
                SetShape(m, {1, 4, 3, 3});
              }),
      Changed("weight of unknown type", kUnimplemented, "type 1000",
              [](OnnxModel& m) { ConvWeight(m).set_data_type(1000); }),
      Changed("weight in another file", kUnimplemented, "external data",
              [](OnnxModel& m) { ConvWeight(m).set_data_location(1); }),
  };
}

std::vector<HostileCase> GraphCases() {
  return {
      Changed("cycle", kInvalid, "cycle", [](OnnxModel& m) { m.graph().mutable_node(1)->set_input(0, "c"); }),
      Changed("node that reads itself", kInvalid, "cycle",
              [](OnnxModel& m) { m.graph().mutable_node(1)->set_input(0, "b"); }),
      Changed("cycle away from the outputs", kInvalid, "cycle",
              [](OnnxModel& m) {
                m.Add("Relu", {"p"}, {"q"});
                m.Add("Relu", {"q"}, {"p"});
              }),
      Changed("no layers", kInvalid, "no layer",
              [](OnnxModel& m) {
                m.graph().clear_node();
                m.Add("Flatten", {"input"}, {"logits"});
              }),
      Changed("no nodes", kInvalid, "not defined", [](OnnxModel& m) { m.graph().clear_node(); }),
      Changed("no outputs", kInvalid, "no output", [](OnnxModel& m) { m.graph().clear_output(); }),
      Changed("no inputs", kInvalid, "not defined", [](OnnxModel& m) { m.graph().clear_input(); }),
      Changed("no graph", kInvalid, "graph is missing", [](OnnxModel& m) { m.proto().clear_graph(); }),
      Changed("value defined twice", kInvalid, "defined twice",
              [](OnnxModel& m) { m.graph().mutable_node(2)->set_output(0, "b"); }),
      Changed("name that leads nowhere", kInvalid, "not defined",
              [](OnnxModel& m) { m.graph().mutable_node(2)->set_input(0, "?"); }),
      Changed("name that is not text", kInvalid, "plain UTF-8",
              [](OnnxModel& m) { m.graph().mutable_node(2)->set_name("\xC3\x28"); }),
      Changed("name of a megabyte", kInvalid, "a name of",
              [](OnnxModel& m) { m.graph().mutable_node(2)->set_name(std::string(1 << 20, 'n')); }),
      Changed("unknown operator", kUnimplemented, "operator Frobnicate",
              [](OnnxModel& m) { m.graph().mutable_node(1)->set_op_type("Frobnicate"); }),
      Changed("foreign domain", kUnimplemented, "operator evil.Relu",
              [](OnnxModel& m) { m.graph().mutable_node(1)->set_domain("evil"); }),
      Changed("a thousand unknown operators", kUnimplemented, "and 900 more",
              [](OnnxModel& m) {
                for (int i = 0; i < 1000; ++i) m.Add(fmt::format("Op{}", i), {"a"}, {fmt::format("o{}", i)});
                for (int i = 0; i < 1000; ++i) m.Output(fmt::format("o{}", i));
              }),
      Changed("future opset", kUnimplemented, "opset 99",
              [](OnnxModel& m) { m.proto().mutable_opset_import(0)->set_version(99); }),
      Changed("doubling constants", kInvalid, "more than",
              [](OnnxModel& m) {
                m.Weight("k0", {1 << 10}, 1).Output("k40");
                for (int i = 0; i < 40; ++i) {
                  const std::string k = fmt::format("k{}", i);
                  m.Add("Concat", {k, k}, {fmt::format("k{}", i + 1)}, {{"axis", int64_t{0}}});
                }
              }),
      Changed("joining a trillion empty rows", kInvalid, "no elements",
              [](OnnxModel& m) {
                m.Weight("nothing", IntTensor{.shape = {0}}).Output("rows");
                m.Weight("shape", IntTensor{.shape = {2}, .data = {int64_t{1} << 40, 0}});
                m.Add("Reshape", {"nothing", "shape"}, {"empty"}, {{"allowzero", int64_t{1}}});
                m.Add("Concat", {"empty", "empty"}, {"rows"}, {{"axis", int64_t{1}}});
              }),
      Changed("constant of absurd shape", kInvalid, "more than",
              [](OnnxModel& m) {
                m.Weight("shape", IntTensor{.shape = {2}, .data = {1 << 30, 1 << 30}}).Output("big");
                m.Add("ConstantOfShape", {"shape"}, {"big"});
              }),
  };
}

constexpr int64_t kHuge = int64_t{1} << 40;
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

std::vector<HostileCase> ShapeCases() {
  return {
      Changed("input of absurd size", kInvalid, "more than",
              [](OnnxModel& m) { InputShape(m).mutable_dim(2)->set_dim_value(kHuge); }),
      Changed("input of negative size", kInvalid, "at least 1",
              [](OnnxModel& m) { InputShape(m).mutable_dim(2)->set_dim_value(-6); }),
      Changed("input of largest size", kInvalid, "more than",
              [](OnnxModel& m) { InputShape(m).mutable_dim(3)->set_dim_value(kMax); }),
      Changed("input of 100 dimensions", kInvalid, "dimensions",
              [](OnnxModel& m) {
                for (int i = 0; i < 96; ++i) InputShape(m).add_dim()->set_dim_value(1);
              }),
      Changed("padding of 2^40", kInvalid, "",
              [](OnnxModel& m) {
                SetInts(m, "pads", {kHuge, kHuge, kHuge, kHuge});
              }),
      Changed("padding of 2^63 - 1", kInvalid, "",
              [](OnnxModel& m) {
                SetInts(m, "pads", {kMax, kMax, kMax, kMax});
              }),
      Changed("padding of -2^63", kInvalid, "",
              [](OnnxModel& m) {
                SetInts(m, "pads", {kMin, kMin, kMin, kMin});
              }),
      Changed("stride of 0", kInvalid, "",
              [](OnnxModel& m) {
                SetInts(m, "strides", {0, 0});
              }),
      Changed("stride of -1", kInvalid, "",
              [](OnnxModel& m) {
                SetInts(m, "strides", {-1, -1});
              }),
      Changed("dilation of 2^63 - 1", kInvalid, "",
              [](OnnxModel& m) {
                SetInts(m, "dilations", {kMax, kMax});
              }),
      Changed("kernel shape that is not the weight's", kInvalid, "",
              [](OnnxModel& m) {
                SetInts(m, "kernel_shape", {5, 5});
              }),
      Changed("kernel shape of one number", kInvalid, "", [](OnnxModel& m) { SetInts(m, "kernel_shape", {3}); }),
      Changed("group of 0", kInvalid, "",
              [](OnnxModel& m) { SetAttribute(*m.graph().mutable_node(0), "group", int64_t{0}); }),
      Changed("group of -2^63", kInvalid, "",
              [](OnnxModel& m) { SetAttribute(*m.graph().mutable_node(0), "group", kMin); }),
      Changed("attribute of the wrong type", kInvalid, "",
              [](OnnxModel& m) { SetAttribute(*m.graph().mutable_node(0), "group", 1.0F); }),
      Changed("attribute twice", kInvalid, "twice",
              [](OnnxModel& m) {
                SetInts(m, "dilations", {1, 1}), SetAttribute(*m.graph().mutable_node(0), "dilations", int64_t{1});
              }),
      Changed("axis out of range", kInvalid, "",
              [](OnnxModel& m) { m.graph().mutable_node(2)->mutable_attribute(0)->set_i(kMax); }),
      Changed("no inputs at a Conv", kInvalid, "", [](OnnxModel& m) { m.graph().mutable_node(0)->clear_input(); }),
      Changed("too many inputs at a Relu", kInvalid, "",
              [](OnnxModel& m) { m.graph().mutable_node(1)->add_input("conv.bias"); }),
  };
}

data::Array TinyImages() {
  data::Array images = FilledArray({8, 1, 6, 6}, 0);
  auto& values = std::get<FloatVector>(images.data);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 29) / 29;
  return images;
}

RawZipMember Deflated(const std::string& name, const std::string& bytes) {
  return {.name = name, .packed = Deflate(bytes), .method = 8, .declared_size = bytes.size(), .crc = Crc32(bytes)};
}

RawZipMember Bomb(uint64_t declared_size) {
  RawZipMember bomb = Deflated("images.npy", std::string(64 << 20, '\0'));
  bomb.declared_size = declared_size;
  return bomb;
}

data::Array ImagesWith(float value) {
  data::Array images = TinyImages();
  std::get<FloatVector>(images.data)[100] = value;
  return images;
}

data::Array LabelsWith(int64_t value) {
  data::Array labels = CountingLabels(8, 3);
  std::get<std::vector<int64_t>>(labels.data)[5] = value;
  return labels;
}

std::string Calibration(data::Array images, data::Array labels) {
  return MakeNpzOf({{"images", std::move(images)}, {"labels", std::move(labels)}});
}

template <typename T>
void Append(std::vector<T>& to, std::vector<T> from) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

}  // namespace

std::vector<HostileCase> HostileModels() {
  std::vector<HostileCase> cases = WireCases();
  Append(cases, WeightCases());
  Append(cases, GraphCases());
  Append(cases, ShapeCases());
  return cases;
}

std::vector<HostileCase> HostileDatasets() {
  const std::string good = TinyCalibration();
  const RawZipMember text = Deflated("images.npy", "import os");
  return {
      {"empty file", "", kInvalid, "not a zip archive"},
      {"text", "this is no archive, whatever its name may say", kInvalid, "not a zip archive"},
      {"half an archive", good.substr(0, good.size() / 2), kInvalid, "not a zip archive"},
      {"empty archive", MakeRawZip({}, 0), kInvalid, "no input array"},
      {"directory of 65535 entries", MakeRawZip({text}, 65535), kInvalid, ""},
      {"member that is no array", MakeRawZip({text}, 1), kInvalid, "magic"},
      {"bomb", MakeRawZip({Bomb(uint64_t{64} << 20)}, 1), kInvalid, ""},
      {"bomb that declares 4 GiB", MakeRawZip({Bomb(0xFFFFFFFE)}, 1), kInvalid, "not possible"},
      {"bomb that declares 1000 bytes", MakeRawZip({Bomb(1000)}, 1), kInvalid, "damaged"},
      {"NaN image", Calibration(ImagesWith(NAN), CountingLabels(8, 3)), kInvalid, "element 100 is nan"},
      {"infinite image", Calibration(ImagesWith(-INFINITY), CountingLabels(8, 3)), kInvalid, "element 100 is -inf"},
      {"negative label", Calibration(TinyImages(), LabelsWith(-3)), kInvalid, "element 5 is -3"},
      {"fewer labels than images", Calibration(TinyImages(), CountingLabels(7, 3)), kInvalid, "samples"},
      {"no images", MakeNpzOf({{"labels", CountingLabels(8, 3)}}), kInvalid, "no input array"},
      {"no samples", Calibration(FilledArray({0, 1, 6, 6}, 0), CountingLabels(0, 3)), kInvalid, "no samples"},
  };
}

std::vector<HostileCase> MismatchedDatasets() {
  constexpr int64_t kLarge = int64_t{1} << 62;
  return {
      {"label out of range", Calibration(TinyImages(), LabelsWith(3)), kInvalid, "3"},
      {"label far out of range", Calibration(TinyImages(), LabelsWith(kLarge)), kInvalid, ""},
      {"images of another size", Calibration(FilledArray({8, 1, 7, 6}, 0), CountingLabels(8, 3)), kInvalid, "7"},
      {"images without channels", Calibration(FilledArray({8, 6, 6}, 0), CountingLabels(8, 3)), kInvalid, ""},
      {"images with another name", MakeNpzOf({{"pictures", TinyImages()}, {"labels", CountingLabels(8, 3)}}), kInvalid,
       "pictures"},
      {"targets of another width", MakeNpzOf({{"images", TinyImages()}, {"targets", FilledArray({8, 4}, 0)}}), kInvalid,
       ""},
  };
}

std::string TinyCalibration() { return Calibration(TinyImages(), CountingLabels(8, 3)); }

std::string FlipBit(std::string bytes, size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

std::string Mutate(std::string bytes, uint64_t seed) {
  constexpr uint64_t kMaxEdits = 8;
  constexpr uint64_t kMaxChunk = 32;
  // Values at which lengths, tags and counts turn over.
  constexpr std::array<uint8_t, 8> kInteresting = {0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x12, 0x3A};
  Rng rng(seed, 1);
  for (uint64_t edits = 1 + rng.NextBelow(kMaxEdits); edits > 0 && !bytes.empty(); --edits) {
    const size_t at = rng.NextBelow(bytes.size());
    const size_t length = std::min<size_t>(1 + rng.NextBelow(kMaxChunk), bytes.size() - at);
    switch (rng.NextBelow(6)) {
      case 0:
        bytes[at] = static_cast<char>(rng.NextBits());
        break;
      case 1:
        bytes[at] = static_cast<char>(kInteresting[rng.NextBelow(kInteresting.size())]);
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 4:
        bytes.insert(at, RandomBytes(length, rng.NextBits()));
        break;
      default:
        bytes.replace(at, length, bytes.substr(rng.NextBelow(bytes.size()), length));
        break;
    }
  }
  return bytes;
}

std::string RandomBytes(size_t size, uint64_t seed) {
  // Tags of the first 15 fields as submessages, and small lengths.
  constexpr std::string_view kTags = "\x0A\x12\x1A\x22\x2A\x32\x3A\x42\x4A\x52\x5A\x62\x08\x10\x01\x02\x03\x04";
  Rng rng(seed, 2);
  std::string out(size, '\0');
  for (char& byte : out) byte = seed % 4 == 0 ? kTags[rng.NextBelow(kTags.size())] : static_cast<char>(rng.NextBits());
  return out;
}

}  // namespace bitplan::testing
