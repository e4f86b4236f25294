#ifndef BITPLAN_SEARCH_OPS_ORDERED_SUM_H_
#define BITPLAN_SEARCH_OPS_ORDERED_SUM_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <vector>

namespace bitplan::ops {

// Part of a vector; the rest is zero.
struct Piece {
  int64_t offset = 0;
  std::span<const float> values;
};

// sum_i term_i over terms that come from several threads in any order, added in the order of i: the same bits for any
// number of threads. A term whose turn it is, always with one thread, is added from where it lies; others are copied
// and wait. `sum` must outlive it; term 0 overwrites what it held.
//
// Threads: Add may be called from several threads. It does not wait for others' terms.
class OrderedSum {
 public:
  explicit OrderedSum(std::span<double> sum) : sum_(sum) {}

  // Term i: a number and a vector, its pieces in the order of their offsets. Each i from 0 on is added once; after an
  // error some may never come.
  void Add(int i, double number, std::span<const Piece> pieces);
  // The sum of the numbers.
  double number() const { return number_; }

 private:
  struct Waiting {
    double number = 0;
    std::vector<int64_t> offsets;
    std::vector<std::vector<float>> values;
  };
  static Waiting Copy(double number, std::span<const Piece> pieces);
  void AddNow(int i, double number, std::span<const Piece> pieces);

  std::span<double> sum_;
  double number_ = 0;
  std::mutex mutex_;
  int next_ = 0;                    // the term whose turn it is; its owner alone touches the sums
  std::map<int, Waiting> waiting_;  // terms that came early
};

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_ORDERED_SUM_H_
