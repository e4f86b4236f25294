#include "tests/testing/reference_network.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>

#include "tests/testing/reference_node.h"
#include "tests/testing/reference_normalization.h"
#include "tests/testing/reference_reduction.h"
#include "tests/testing/reference_resampling.h"
#include "tests/testing/reference_selection.h"
#include "tests/testing/scalar_tape.h"

namespace bitplan::testing {
namespace {

// The operation of one node. Every method returns the node's output 0.
template <typename T>
struct NodeRunner : NodeInputs<T> {
  using Base = NodeInputs<T>;
  using Base::Axes, Base::Axis, Base::Broadcast, Base::Contains, Base::Float, Base::Fold, Base::graph, Base::Has;
  using Base::In, Base::Int, Base::IntsIn, Base::Is, Base::List, Base::node, Base::Text;

  Array<T> Map(const std::function<T(const T&)>& f) const {
    Array<T> y(In(0).shape);
    for (size_t i = 0; i < y.data.size(); ++i) y.data[i] = f(In(0).data[i]);
    return y;
  }

  // ---- elementwise functions of one input

  static T Clamp(const T& x, double low, double high) {
    return ValueOf(x) < low ? T(low) : (ValueOf(x) > high ? T(high) : x);
  }
  static T Logistic(const T& x) { return T(1.0) / (T(1.0) + Exp(T(0.0) - x)); }

  static T Magnitude(const T& x) { return ValueOf(x) < 0 ? T(0.0) - x : x; }
  T Gelu(const T& x) const {
    if (Text("approximate", "none") == "none") return T(0.5) * x * (T(1.0) + Erf(x / T(std::numbers::sqrt2)));
    const T inner = T(std::sqrt(2 / std::numbers::pi)) * (x + T(0.044715) * x * x * x);
    return T(0.5) * x * (T(1.0) + Tanh(inner));
  }

  T Elementwise(const T& x) const {
    if (Is("Relu")) return ValueOf(x) > 0 ? x : T(0.0);
    if (Is("LeakyRelu")) return ValueOf(x) > 0 ? x : T(Float("alpha", 0.01)) * x;
    if (Is("Sigmoid")) return Logistic(x);
    if (Is("Tanh")) return Tanh(x);
    if (Is("HardSigmoid")) return Clamp(T(Float("alpha", 0.2)) * x + T(Float("beta", 0.5)), 0, 1);
    if (Is("HardSwish")) return x * Clamp(x / T(6.0) + T(0.5), 0, 1);
    if (Is("Softplus")) return Log(T(1.0) + Exp(x));
    if (Is("Erf")) return Erf(x);
    if (Is("Exp")) return Exp(x);
    if (Is("Log")) return Log(x);
    if (Is("Neg")) return T(0.0) - x;
    if (Is("Sqrt")) return Power(x, 0.5);
    if (Is("Identity") || Is("Dropout")) return x;
    if (Is("Cast") && Int("to", 0) == 7) return T(std::trunc(ValueOf(x)));
    if (Is("Cast")) return Int("to", 0) == 9 ? T(ValueOf(x) != 0 ? 1.0 : 0.0) : x;
    if (Is("Not")) return T(ValueOf(x) == 0 ? 1.0 : 0.0);
    if (Is("Abs")) return Magnitude(x);
    if (Is("Reciprocal")) return T(1.0) / x;
    if (Is("Sin")) return Sin(x);
    if (Is("Cos")) return Cos(x);
    if (Is("Ceil")) return T(std::ceil(ValueOf(x)));
    if (Is("Floor")) return T(std::floor(ValueOf(x)));
    if (Is("Round")) return T(std::nearbyint(ValueOf(x)));
    if (Is("Sign")) return T(ValueOf(x) > 0 ? 1.0 : (ValueOf(x) < 0 ? -1.0 : 0.0));
    if (Is("Softsign")) return x / (T(1.0) + Magnitude(x));
    if (Is("ThresholdedRelu")) return ValueOf(x) > Float("alpha", 1) ? x : T(0.0);
    if (Is("Mish")) return x * Tanh(Log(T(1.0) + Exp(x)));
    if (Is("Gelu")) return Gelu(x);
    if (Is("Elu")) return ValueOf(x) > 0 ? x : T(Float("alpha", 1)) * (Exp(x) - T(1.0));
    if (Is("Celu")) return ValueOf(x) > 0 ? x : T(Float("alpha", 1)) * (Exp(x / T(Float("alpha", 1))) - T(1.0));
    if (Is("Selu")) {
      const T scale = T(Float("gamma", 1.0507009873554805));
      return scale * (ValueOf(x) > 0 ? x : T(Float("alpha", 1.6732632423543772)) * (Exp(x) - T(1.0)));
    }
    Die("no operator " + node.op_type);
  }

  Array<T> Clip() const {
    const bool by_input = graph.opset_version >= 11;
    const double low = by_input ? (Has(1) ? ValueOf(In(1).data[0]) : -1e30) : Float("min", -1e30);
    const double high = by_input ? (Has(2) ? ValueOf(In(2).data[0]) : 1e30) : Float("max", 1e30);
    return Map([&](const T& x) { return Clamp(x, low, high); });
  }

  // ---- broadcasting

  T OfTwo(const T& a, const T& b) const {
    const double u = ValueOf(a);
    const double v = ValueOf(b);
    const auto truth = [](bool value) { return T(value ? 1.0 : 0.0); };
    if (Is("Add")) return a + b;
    if (Is("Sub")) return a - b;
    if (Is("Mul")) return a * b;
    if (Is("Div")) return a / b;
    if (Is("PRelu")) return u < 0 ? b * a : a;
    if (Is("Pow")) return graph.values[node.inputs[1]].is_constant() ? Power(a, v) : Exp(b * Log(a));
    if (Is("And")) return truth(u != 0 && v != 0);
    if (Is("Or")) return truth(u != 0 || v != 0);
    if (Is("Xor")) return truth((u != 0) != (v != 0));
    if (Is("Equal")) return truth(u == v);
    if (Is("Greater")) return truth(u > v);
    if (Is("GreaterOrEqual")) return truth(u >= v);
    if (Is("Less")) return truth(u < v);
    if (Is("LessOrEqual")) return truth(u <= v);
    if (Is("Max")) return u < v ? b : a;
    if (Is("Min")) return u > v ? b : a;
    return a + b;  // Sum, Mean
  }

  // Two inputs, or more from the left.
  Array<T> Arithmetic() const {
    Array<T> result = In(0);
    for (size_t n = 1; n < node.inputs.size(); ++n) {
      Array<T> y(Broadcast(result.shape, In(n).shape));
      ForEachIndex(y.shape, [&](const Index& i) {
        y.At(i) = OfTwo(result.At(Fold(i, result.shape)), In(n).At(Fold(i, In(n).shape)));
      });
      result = std::move(y);
    }
    if (Is("Mean")) {
      for (T& value : result.data) value = value / T(static_cast<double>(node.inputs.size()));
    }
    return result;
  }

  // ---- products

  Array<T> Gemm() const {
    const bool ta = Int("transA", 0) != 0;
    const bool tb = Int("transB", 0) != 0;
    const Shape& a = In(0).shape;
    const Shape& b = In(1).shape;
    Array<T> y({a[ta ? 1 : 0], b[tb ? 0 : 1]});
    ForEachIndex(y.shape, [&](const Index& i) {
      T sum(0.0);
      for (int64_t k = 0; k < a[ta ? 0 : 1]; ++k) {
        sum = sum + In(0).At(ta ? Index{k, i[0]} : Index{i[0], k}) * In(1).At(tb ? Index{i[1], k} : Index{k, i[1]});
      }
      y.At(i) = T(Float("alpha", 1)) * sum;
      if (Has(2)) y.At(i) = y.At(i) + T(Float("beta", 1)) * In(2).At(Fold(i, In(2).shape));
    });
    return y;
  }

  Array<T> MatMul() const {
    Array<T> a = In(0);
    Array<T> b = In(1);
    const bool row = a.shape.size() == 1;
    const bool column = b.shape.size() == 1;
    if (row) a.shape.insert(a.shape.begin(), 1);
    if (column) b.shape.push_back(1);
    const int64_t m = a.shape[a.shape.size() - 2];
    const int64_t n = b.shape.back();
    const Shape a_batch(a.shape.begin(), a.shape.end() - 2);
    const Shape b_batch(b.shape.begin(), b.shape.end() - 2);
    Shape shape = Broadcast(a_batch, b_batch);
    shape.insert(shape.end(), {m, n});
    Array<T> y(shape);
    ForEachIndex(shape, [&](const Index& i) {
      const Index batch(i.begin(), i.end() - 2);
      Index ia = Fold(batch, a_batch);
      Index ib = Fold(batch, b_batch);
      ia.insert(ia.end(), {i[i.size() - 2], 0});
      ib.insert(ib.end(), {0, i.back()});
      for (int64_t k = 0; k < a.shape.back(); ++k) {
        ia.back() = k;
        ib[ib.size() - 2] = k;
        y.At(i) = y.At(i) + a.At(ia) * b.At(ib);
      }
    });
    if (row) y.shape.erase(y.shape.end() - 2);
    if (column) y.shape.pop_back();
    return y;
  }

  // ---- windows

  struct Window {
    Ints kernel, strides, dilations, begin, end, out;
  };

  Window ReadWindow(const Ints& kernel) const {
    const size_t rank = kernel.size();
    const Shape& x = In(0).shape;
    Window w{
        .kernel = kernel, .strides = List("strides", Ints(rank, 1)), .dilations = List("dilations", Ints(rank, 1))};
    const Ints pads = List("pads", Ints(2 * rank, 0));
    const std::string auto_pad = *StringAttribute(node, "auto_pad", "NOTSET");
    for (size_t d = 0; d < rank; ++d) {
      const int64_t extent = (kernel[d] - 1) * w.dilations[d] + 1;
      int64_t begin = auto_pad == "NOTSET" ? pads[d] : 0;
      int64_t end = auto_pad == "NOTSET" ? pads[d + rank] : 0;
      if (auto_pad.starts_with("SAME")) {
        const int64_t out = (x[d + 2] + w.strides[d] - 1) / w.strides[d];
        const int64_t total = std::max<int64_t>((out - 1) * w.strides[d] + extent - x[d + 2], 0);
        (auto_pad == "SAME_UPPER" ? begin : end) = total / 2;
        (auto_pad == "SAME_UPPER" ? end : begin) = total - total / 2;
      }
      // Count the windows one by one.
      int64_t out = 0;
      while (out * w.strides[d] + extent <= x[d + 2] + begin + end) ++out;
      const bool partial = Int("ceil_mode", 0) != 0 && (out - 1) * w.strides[d] + extent < x[d + 2] + begin + end;
      if (partial && out * w.strides[d] < x[d + 2] + begin) ++out;
      w.begin.push_back(begin);
      w.end.push_back(end);
      w.out.push_back(out);
    }
    return w;
  }

  // Calls fn(kernel index, input index) for window `out`, positions outside the input included.
  static void ForEachTap(const Window& w, const Index& out, const std::function<void(const Index&, const Index&)>& fn) {
    ForEachIndex(w.kernel, [&](const Index& k) {
      Index x(k.size());
      for (size_t d = 0; d < k.size(); ++d) x[d] = out[d] * w.strides[d] - w.begin[d] + k[d] * w.dilations[d];
      fn(k, x);
    });
  }
  bool Inside(const Index& spatial) const {
    for (size_t d = 0; d < spatial.size(); ++d) {
      if (spatial[d] < 0 || spatial[d] >= In(0).shape[d + 2]) return false;
    }
    return true;
  }
  static Index Join(Index head, const Index& tail) {
    head.insert(head.end(), tail.begin(), tail.end());
    return head;
  }

  Array<T> Conv() const {
    const Shape& weight = In(1).shape;
    const Window w = ReadWindow(Ints(weight.begin() + 2, weight.end()));
    const int64_t out_per_group = weight[0] / Int("group", 1);
    Array<T> y(Join({In(0).shape[0], weight[0]}, w.out));
    ForEachIndex(y.shape, [&](const Index& i) {
      T sum = Has(2) ? In(2).data[i[1]] : T(0.0);
      ForEachTap(w, Index(i.begin() + 2, i.end()), [&](const Index& k, const Index& x) {
        if (!Inside(x)) return;
        for (int64_t c = 0; c < weight[1]; ++c) {
          const int64_t channel = i[1] / out_per_group * weight[1] + c;
          sum = sum + In(0).At(Join({i[0], channel}, x)) * In(1).At(Join({i[1], c}, k));
        }
      });
      y.At(i) = sum;
    });
    return y;
  }

  Array<T> Pool() const {
    const Window w = ReadWindow(List("kernel_shape", {}));
    const bool count_padding = Int("count_include_pad", 0) != 0;
    Array<T> y(Join({In(0).shape[0], In(0).shape[1]}, w.out));
    ForEachIndex(y.shape, [&](const Index& i) {
      T sum(0.0);
      const T* largest = nullptr;
      double count = 0;
      ForEachTap(w, Index(i.begin() + 2, i.end()), [&](const Index&, const Index& x) {
        bool in_padding = true;  // or inside
        for (size_t d = 0; d < x.size(); ++d) in_padding &= x[d] < In(0).shape[d + 2] + w.end[d];
        if (count_padding ? in_padding : Inside(x)) ++count;
        if (!Inside(x)) return;
        const T& value = In(0).At(Join({i[0], i[1]}, x));
        sum = sum + value;
        if (largest == nullptr || ValueOf(value) > ValueOf(*largest)) largest = &value;
      });
      y.At(i) = Is("MaxPool") ? *largest : sum / T(count);
    });
    return y;
  }

  Array<T> GlobalPool() const {
    Shape shape(In(0).shape.size(), 1);
    shape[0] = In(0).shape[0];
    shape[1] = In(0).shape[1];
    Array<T> y(shape);
    std::vector<bool> seen(y.data.size(), false);
    const double count = static_cast<double>(In(0).data.size()) / static_cast<double>(y.data.size());
    ForEachIndex(In(0).shape, [&](const Index& i) {
      const Index o = Fold(i, shape);
      const T& x = In(0).At(i);
      T& result = y.At(o);
      const size_t flat = &result - y.data.data();
      if (Is("GlobalAveragePool")) result = result + x / T(count);
      if (Is("GlobalMaxPool") && (!seen[flat] || ValueOf(x) > ValueOf(result))) result = x;
      seen[flat] = true;
    });
    return y;
  }

  // ---- normalisation and reduction

  Array<T> BatchNormalization() const {
    Array<T> y(In(0).shape);
    const double epsilon = Float("epsilon", 1e-5);
    ForEachIndex(y.shape, [&](const Index& i) {
      const int64_t c = i[1];
      y.At(i) = (In(0).At(i) - In(3).data[c]) / Power(In(4).data[c] + T(epsilon), 0.5) * In(1).data[c] + In(2).data[c];
    });
    return y;
  }

  // Entries that share all dimensions but the softmax ones form a lane.
  Array<T> Softmax() const {
    const bool as_matrix = graph.opset_version < 13;
    int64_t axis = Int("axis", as_matrix ? 1 : -1);
    const int64_t rank = static_cast<int64_t>(In(0).shape.size());
    if (axis < 0) axis += rank;
    Shape lanes = In(0).shape;
    for (int64_t d = axis; d < (as_matrix ? rank : axis + 1); ++d) lanes[d] = 1;
    Array<T> sums(lanes);
    ForEachIndex(In(0).shape, [&](const Index& i) {
      T& sum = sums.At(Fold(i, lanes));
      sum = sum + Exp(In(0).At(i));
    });
    Array<T> y(In(0).shape);
    ForEachIndex(y.shape, [&](const Index& i) {
      const T& x = In(0).At(i);
      const T& sum = sums.At(Fold(i, lanes));
      y.At(i) = Is("Softmax") ? Exp(x) / sum : x - Log(sum);
    });
    return y;
  }

  // ---- shapes

  Array<T> WithShape(const Shape& shape) const {
    Array<T> y = In(0);
    y.shape = shape;
    if (NumElements(shape) != static_cast<int64_t>(y.data.size())) Die(node.name + ": wrong shape");
    return y;
  }

  Array<T> Flatten() const {
    const Shape& x = In(0).shape;
    int64_t axis = Int("axis", 1);
    if (axis < 0) axis += static_cast<int64_t>(x.size());
    const int64_t outer = NumElements(Shape(x.begin(), x.begin() + axis));
    return WithShape({outer, NumElements(x) / outer});
  }

  Array<T> Reshape() const {
    Shape shape = IntsIn(1);
    for (size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] == 0) shape[d] = In(0).shape[d];
    }
    const int64_t known = std::abs(NumElements(shape));
    for (int64_t& size : shape) size = size == -1 ? static_cast<int64_t>(In(0).data.size()) / known : size;
    return WithShape(shape);
  }

  Array<T> Squeeze() const {
    const Ints axes = Axes(13, static_cast<int64_t>(In(0).shape.size()));
    Shape shape;
    for (int64_t d = 0; d < static_cast<int64_t>(In(0).shape.size()); ++d) {
      if (!(axes.empty() ? In(0).shape[d] == 1 : Contains(axes, d))) shape.push_back(In(0).shape[d]);
    }
    return WithShape(shape);
  }

  Array<T> Unsqueeze() const {
    const int64_t num_axes = static_cast<int64_t>(Axes(13, 0).size());
    const int64_t rank = static_cast<int64_t>(In(0).shape.size()) + num_axes;
    const Ints axes = Axes(13, rank);
    Shape shape;
    size_t next = 0;
    for (int64_t d = 0; d < rank; ++d) shape.push_back(Contains(axes, d) ? 1 : In(0).shape[next++]);
    return WithShape(shape);
  }

  Array<T> Transpose() const {
    const size_t rank = In(0).shape.size();
    Ints perm(rank);
    for (size_t d = 0; d < rank; ++d) perm[d] = static_cast<int64_t>(rank - 1 - d);
    perm = List("perm", perm);
    Shape shape(rank);
    for (size_t d = 0; d < rank; ++d) shape[d] = In(0).shape[perm[d]];
    Array<T> y(shape);
    ForEachIndex(shape, [&](const Index& i) {
      Index x(rank);
      for (size_t d = 0; d < rank; ++d) x[perm[d]] = i[d];
      y.At(i) = In(0).At(x);
    });
    return y;
  }

  Array<T> Concat() const {
    int64_t axis = Int("axis", 0);
    if (axis < 0) axis += static_cast<int64_t>(In(0).shape.size());
    Shape shape = In(0).shape;
    shape[axis] = 0;
    for (size_t n = 0; n < node.inputs.size(); ++n) shape[axis] += In(n).shape[axis];
    Array<T> y(shape);
    int64_t shift = 0;
    for (size_t n = 0; n < node.inputs.size(); ++n) {
      ForEachIndex(In(n).shape, [&](const Index& i) {
        Index o = i;
        o[axis] += shift;
        y.At(o) = In(n).At(i);
      });
      shift += In(n).shape[axis];
    }
    return y;
  }

  // Walks back inside step by step.
  static int64_t PadSource(const std::string& mode, int64_t i, int64_t size) {
    while (i < 0 || i >= size) {
      if (mode == "edge" || size == 1) {
        i = i < 0 ? 0 : size - 1;
      } else if (mode == "reflect") {
        i = i < 0 ? -i : 2 * (size - 1) - i;
      } else {
        i += i < 0 ? size : -size;
      }
    }
    return i;
  }

  Array<T> Pad() const {
    const size_t rank = In(0).shape.size();
    const bool by_input = graph.opset_version >= 11;
    const Ints pads = by_input ? IntsIn(1) : List("pads", {});
    const std::string mode = Text("mode", "constant");
    const double fill = by_input ? (Has(2) ? ValueOf(In(2).data[0]) : 0) : Float("value", 0);
    Ints axes(rank);
    std::iota(axes.begin(), axes.end(), 0);
    if (Has(3)) axes = IntsIn(3);
    Ints begin(rank, 0);
    Shape shape = In(0).shape;
    for (size_t k = 0; k < axes.size(); ++k) {
      const int64_t axis = axes[k] < 0 ? axes[k] + static_cast<int64_t>(rank) : axes[k];
      begin[axis] = pads[k];
      shape[axis] += pads[k] + pads[k + axes.size()];
    }
    Array<T> y(shape);
    ForEachIndex(shape, [&](const Index& o) {
      Index x = o;
      bool inside = true;
      for (size_t d = 0; d < rank; ++d) {
        x[d] -= begin[d];
        inside &= x[d] >= 0 && x[d] < In(0).shape[d];
      }
      if (mode != "constant") {
        for (size_t d = 0; d < rank; ++d) x[d] = PadSource(mode, x[d], In(0).shape[d]);
        inside = true;
      }
      y.At(o) = inside ? In(0).At(x) : T(fill);
    });
    return y;
  }

  Array<T> Constant() const {
    const Tensor& value = std::get<Tensor>(node.attributes.at("value"));
    Array<T> y(value.shape);
    for (size_t i = 0; i < y.data.size(); ++i) y.data[i] = T(value.data[i]);
    return y;
  }

  Array<T> Run() const {
    if (Is("Clip")) return Clip();
    for (const char* name : {"Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max",
                             "Mean", "Min", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Xor"}) {
      if (Is(name)) return Arithmetic();
    }
    if (Is("Gemm")) return Gemm();
    if (Is("MatMul")) return MatMul();
    if (Is("Conv")) return Conv();
    if (Is("MaxPool") || Is("AveragePool")) return Pool();
    if (Is("GlobalAveragePool") || Is("GlobalMaxPool")) return GlobalPool();
    if (Is("BatchNormalization")) return BatchNormalization();
    if (Is("Softmax") || Is("LogSoftmax")) return Softmax();
    if (Is("Flatten")) return Flatten();
    if (Is("Reshape")) return Reshape();
    if (Is("Squeeze")) return Squeeze();
    if (Is("Unsqueeze")) return Unsqueeze();
    if (Is("Transpose")) return Transpose();
    if (Is("Concat")) return Concat();
    if (Is("Pad")) return Pad();
    if (Is("Constant")) return Constant();
    return Map([&](const T& x) { return Elementwise(x); });
  }

  // All outputs of the node.
  std::vector<Array<T>> RunAll() const {
    if (auto results = RunReduction<T>(*this)) return *std::move(results);
    if (auto results = RunNormalization<T>(*this)) return *std::move(results);
    if (auto results = RunResampling<T>(*this)) return *std::move(results);
    if (auto results = RunSelection<T>(*this)) return *std::move(results);
    return {Run()};
  }
};

template <typename T>
Array<T> FromDoubles(const Shape& shape, std::span<const double> data) {
  Array<T> array(shape);
  for (size_t i = 0; i < data.size(); ++i) array.data[i] = T(data[i]);
  return array;
}

// Runs the graph; `weights` replaces the layer weights, in layer order.
template <typename T>
Array<T> RunGraph(const Graph& graph, const std::vector<Array<T>>& inputs, const std::vector<Array<T>>& weights) {
  std::vector<Array<T>> values(graph.values.size());
  for (size_t id = 0; id < values.size(); ++id) {
    if (const auto* tensor = std::get_if<Tensor>(&graph.values[id].constant)) {
      values[id] = FromDoubles<T>(tensor->shape, std::vector<double>(tensor->data.begin(), tensor->data.end()));
    }
    if (const auto* ints = std::get_if<IntTensor>(&graph.values[id].constant)) {
      values[id] = FromDoubles<T>(ints->shape, std::vector<double>(ints->data.begin(), ints->data.end()));
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) values[graph.inputs[i].value] = inputs[i];
  for (size_t i = 0; i < weights.size(); ++i) values[graph.layer_weights[i].weight] = weights[i];
  for (const Node& node : graph.nodes) {
    std::vector<Array<T>> results = NodeRunner<T>{{.graph = graph, .node = node, .values = values}}.RunAll();
    for (size_t i = 0; i < std::min(node.outputs.size(), results.size()); ++i) {
      if (node.outputs[i] != kNoValue) values[node.outputs[i]] = std::move(results[i]);
    }
  }
  return values[graph.outputs[0]];
}

template <typename T>
T CrossEntropy(const Array<T>& z, const ClassLabels& labels) {
  const int64_t width = static_cast<int64_t>(z.data.size()) / z.shape[0];
  T sum(0.0);
  for (int64_t n = 0; n < z.shape[0]; ++n) {
    T total(0.0);
    for (int64_t k = 0; k < width; ++k) total = total + Exp(z.data[n * width + k]);
    sum = sum + Log(total) - z.data[n * width + labels[n]];
  }
  return sum / T(static_cast<double>(z.shape[0]));
}

template <typename T>
T MeanSquaredError(const Array<T>& z, const Tensor& targets) {
  T sum(0.0);
  for (size_t i = 0; i < z.data.size(); ++i) {
    const T error = z.data[i] - T(targets.data[i]);
    sum = sum + error * error;
  }
  return sum / T(static_cast<double>(z.data.size()));
}

template <typename T>
std::vector<Array<T>> InputsOf(const Graph& graph, const Dataset& data) {
  std::vector<Array<T>> inputs;
  for (const GraphInput& input : graph.inputs) {
    for (const DatasetInput& candidate : data.inputs) {
      const bool is_only = graph.inputs.size() == 1 && data.inputs.size() == 1;
      if (candidate.name != graph.values[input.value].name && !is_only) continue;
      const FloatVector& values = candidate.values.data;
      inputs.push_back(FromDoubles<T>(candidate.values.shape, std::vector<double>(values.begin(), values.end())));
      break;
    }
  }
  if (inputs.size() != graph.inputs.size()) Die("an input has no data");
  return inputs;
}

template <typename T>
T LossOf(const Graph& graph, const Dataset& data, const std::vector<Array<T>>& weights) {
  const Array<T> z = RunGraph<T>(graph, InputsOf<T>(graph, data), weights);
  if (const auto* labels = std::get_if<ClassLabels>(&data.targets)) return CrossEntropy(z, *labels);
  return MeanSquaredError(z, std::get<Tensor>(data.targets));
}

const Tensor& WeightOf(const Graph& graph, size_t layer) {
  return std::get<Tensor>(graph.values[graph.layer_weights[layer].weight].constant);
}

int64_t CountWeights(const Graph& graph) {
  int64_t count = 0;
  for (size_t i = 0; i < graph.layer_weights.size(); ++i) {
    count += static_cast<int64_t>(WeightOf(graph, i).data.size());
  }
  return count;
}

// Records the loss with weight number `direction` moving at unit speed (-1: none) and reverses the tape.
struct ReversedLoss {
  std::vector<int> weight_ids;

  ReversedLoss(const Graph& graph, const Dataset& data, int64_t direction) {
    CurrentTape().Clear();
    std::vector<Array<Variable>> weights;
    for (size_t i = 0; i < graph.layer_weights.size(); ++i) {
      const Tensor& stored = WeightOf(graph, i);
      Array<Variable> weight(stored.shape);
      for (size_t k = 0; k < stored.data.size(); ++k) {
        const double dot = static_cast<int64_t>(weight_ids.size()) == direction ? 1 : 0;
        weight.data[k] = Variable::Input(stored.data[k], dot);
        weight_ids.push_back(weight.data[k].id);
      }
      weights.push_back(std::move(weight));
    }
    CurrentTape().Reverse(LossOf<Variable>(graph, data, weights).id);
  }
};

}  // namespace

DoubleTensor ReferenceForward(const Graph& graph, const std::vector<DoubleTensor>& inputs) {
  std::vector<Array<double>> arrays;
  for (const DoubleTensor& input : inputs) arrays.push_back(FromDoubles<double>(input.shape, input.data));
  Array<double> y = RunGraph<double>(graph, arrays, {});
  return {.shape = std::move(y.shape), .data = std::move(y.data)};
}

DoubleTensor ReferenceOutputs(const Graph& graph, const Dataset& data) {
  Array<double> y = RunGraph<double>(graph, InputsOf<double>(graph, data), {});
  return {.shape = std::move(y.shape), .data = std::move(y.data)};
}

ReferenceDerivatives Differentiate(const Graph& graph, const std::vector<DoubleTensor>& x,
                                   const std::vector<std::vector<double>>& x_dot, std::span<const double> y_bar,
                                   std::span<const double> y_bar_dot) {
  CurrentTape().Clear();
  std::vector<Array<Variable>> inputs;
  for (size_t i = 0; i < x.size(); ++i) {
    Array<Variable> input(x[i].shape);
    for (size_t k = 0; k < input.data.size(); ++k) {
      // An input without a tangent is a constant.
      input.data[k] = x_dot[i].empty() ? Variable(x[i].data[k]) : Variable::Input(x[i].data[k], x_dot[i][k]);
    }
    inputs.push_back(std::move(input));
  }
  const Array<Variable> y = RunGraph<Variable>(graph, inputs, {});
  ReferenceDerivatives result;
  Variable sum(0.0);
  for (size_t k = 0; k < y.data.size(); ++k) {
    result.y_dot.push_back(y.data[k].dot);
    sum = sum + Variable::Input(y_bar[k], y_bar_dot[k]) * y.data[k];
  }
  CurrentTape().Reverse(sum.id);
  for (size_t i = 0; i < x.size(); ++i) {
    result.x_bar.emplace_back();
    result.x_bar_dot.emplace_back();
    for (const Variable& v : inputs[i].data) {
      if (v.id < 0) continue;
      result.x_bar[i].push_back(CurrentTape().entry(v.id).adjoint);
      result.x_bar_dot[i].push_back(CurrentTape().entry(v.id).adjoint_dot);
    }
  }
  return result;
}

double ReferenceLoss(const Graph& graph, const Dataset& data, std::span<const double> weights) {
  std::vector<Array<double>> arrays;
  for (size_t i = 0; i < graph.layer_weights.size() && !weights.empty(); ++i) {
    const Shape& shape = WeightOf(graph, i).shape;
    arrays.push_back(FromDoubles<double>(shape, weights.first(NumElements(shape))));
    weights = weights.subspan(NumElements(shape));
    if (weights.empty() && i + 1 < graph.layer_weights.size()) Die("too few weights");
  }
  return LossOf<double>(graph, data, arrays);
}

Eigen::VectorXd ReferenceGradient(const Graph& graph, const Dataset& data) {
  const ReversedLoss reversed(graph, data, -1);
  Eigen::VectorXd gradient(reversed.weight_ids.size());
  for (size_t i = 0; i < reversed.weight_ids.size(); ++i) {
    gradient[i] = CurrentTape().entry(reversed.weight_ids[i]).adjoint;
  }
  return gradient;
}

Eigen::MatrixXd DenseHessian(const Graph& graph, const Dataset& data) {
  const int64_t n = CountWeights(graph);
  Eigen::MatrixXd hessian(n, n);
  for (int64_t column = 0; column < n; ++column) {
    const ReversedLoss reversed(graph, data, column);
    for (int64_t row = 0; row < n; ++row) {
      hessian(row, column) = CurrentTape().entry(reversed.weight_ids[row]).adjoint_dot;
    }
  }
  return hessian;
}

}  // namespace bitplan::testing
