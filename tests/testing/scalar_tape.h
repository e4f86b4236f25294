#ifndef BITPLAN_TESTS_TESTING_SCALAR_TAPE_H_
#define BITPLAN_TESTS_TESTING_SCALAR_TAPE_H_

#include <cmath>
#include <numbers>
#include <vector>

// Reverse differentiation of scalar programs with a tangent on every number: after Reverse(), adjoint is dL/dx and
// adjoint_dot its derivative along the tangents that the inputs were given.
namespace bitplan::testing {

struct TapeEntry {
  int parents[2] = {-1, -1};
  double slopes[2] = {0, 0};      // partial derivatives of the entry
  double slope_dots[2] = {0, 0};  // their derivatives along the tangents
  double adjoint = 0;
  double adjoint_dot = 0;
};

class Tape {
 public:
  int Record(const TapeEntry& entry) {
    entries_.push_back(entry);
    return static_cast<int>(entries_.size()) - 1;
  }
  void Clear() { entries_.clear(); }
  const TapeEntry& entry(int i) const { return entries_[i]; }

  // From d(output)/d(output) = 1 back to every entry.
  void Reverse(int output) {
    entries_[output].adjoint = 1;
    for (int i = output; i >= 0; --i) {
      const TapeEntry& e = entries_[i];
      for (int k = 0; k < 2; ++k) {
        if (e.parents[k] < 0) continue;
        TapeEntry& parent = entries_[e.parents[k]];
        parent.adjoint += e.slopes[k] * e.adjoint;
        parent.adjoint_dot += e.slopes[k] * e.adjoint_dot + e.slope_dots[k] * e.adjoint;
      }
    }
  }

 private:
  std::vector<TapeEntry> entries_;
};

// The tape that operations on Variable record to.
inline Tape& CurrentTape() {
  thread_local Tape tape;
  return tape;
}

// A number with a tangent; id is its tape entry, -1 for a constant.
struct Variable {
  double value = 0;
  double dot = 0;
  int id = -1;

  Variable() = default;
  Variable(double constant) : value(constant) {}  // NOLINT(google-explicit-constructor)

  static Variable Input(double value, double dot) {
    Variable v(value);
    v.dot = dot;
    v.id = CurrentTape().Record({});
    return v;
  }
};

// f(a): slope f', bend f''.
inline Variable Unary(const Variable& a, double value, double slope, double bend) {
  Variable result(value);
  if (a.id < 0) return result;
  result.dot = slope * a.dot;
  result.id = CurrentTape().Record({.parents = {a.id, -1}, .slopes = {slope, 0}, .slope_dots = {bend * a.dot, 0}});
  return result;
}

// A constant has no tangent, however steep the slope: -inf of a mask times a constant.
inline double Along(double slope, const Variable& v) { return v.id < 0 ? 0 : slope * v.dot; }

// f(a, b) with first and second partial derivatives.
struct Partials {
  double a = 0, b = 0, aa = 0, ab = 0, bb = 0;
};
inline Variable Binary(const Variable& a, const Variable& b, double value, const Partials& d) {
  Variable result(value);
  if (a.id < 0 && b.id < 0) return result;
  result.dot = Along(d.a, a) + Along(d.b, b);
  result.id = CurrentTape().Record({.parents = {a.id, b.id},
                                    .slopes = {d.a, d.b},
                                    .slope_dots = {Along(d.aa, a) + Along(d.ab, b), Along(d.ab, a) + Along(d.bb, b)}});
  return result;
}

inline Variable operator+(const Variable& a, const Variable& b) {
  return Binary(a, b, a.value + b.value, {.a = 1, .b = 1});
}
inline Variable operator-(const Variable& a, const Variable& b) {
  return Binary(a, b, a.value - b.value, {.a = 1, .b = -1});
}
inline Variable operator*(const Variable& a, const Variable& b) {
  return Binary(a, b, a.value * b.value, {.a = b.value, .b = a.value, .ab = 1});
}
inline Variable operator/(const Variable& a, const Variable& b) {
  const double r = 1 / b.value;
  return Binary(a, b, a.value * r, {.a = r, .b = -a.value * r * r, .ab = -r * r, .bb = 2 * a.value * r * r * r});
}
inline double ValueOf(double x) { return x; }
inline double ValueOf(const Variable& x) { return x.value; }

inline Variable Exp(const Variable& x) {
  const double y = std::exp(x.value);
  return Unary(x, y, y, y);
}
inline Variable Log(const Variable& x) { return Unary(x, std::log(x.value), 1 / x.value, -1 / (x.value * x.value)); }
inline Variable Tanh(const Variable& x) {
  const double y = std::tanh(x.value);
  return Unary(x, y, 1 - y * y, -2 * y * (1 - y * y));
}
inline Variable Erf(const Variable& x) {
  const double slope = 2 * std::numbers::inv_sqrtpi * std::exp(-x.value * x.value);
  return Unary(x, std::erf(x.value), slope, -2 * x.value * slope);
}
inline Variable Sin(const Variable& x) { return Unary(x, std::sin(x.value), std::cos(x.value), -std::sin(x.value)); }
inline Variable Cos(const Variable& x) { return Unary(x, std::cos(x.value), -std::sin(x.value), -std::cos(x.value)); }
inline Variable Power(const Variable& x, double p) {
  return Unary(x, std::pow(x.value, p), p == 0 ? 0 : p * std::pow(x.value, p - 1),
               p == 0 || p == 1 ? 0 : p * (p - 1) * std::pow(x.value, p - 2));
}
inline double Exp(double x) { return std::exp(x); }
inline double Log(double x) { return std::log(x); }
inline double Tanh(double x) { return std::tanh(x); }
inline double Erf(double x) { return std::erf(x); }
inline double Sin(double x) { return std::sin(x); }
inline double Cos(double x) { return std::cos(x); }
inline double Power(double x, double p) { return std::pow(x, p); }

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_SCALAR_TAPE_H_
