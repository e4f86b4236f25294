#ifndef BITPLAN_SEARCH_CURVATURE_CONFIDENCE_H_
#define BITPLAN_SEARCH_CURVATURE_CONFIDENCE_H_

#include <cstdint>
#include <span>
#include <vector>

namespace bitplan::curvature {

// Mean and sum of squared deviations of a stream of samples, by Welford's recurrence (1962).
struct Moments {
  double mean = 0;
  double squared_deviations = 0;
};

// As numbers for a checkpoint, appended, and back: moments.size() pairs.
void AppendNumbers(std::span<const Moments> moments, std::vector<double>& numbers);
void ReadNumbers(std::span<const double> numbers, std::span<Moments> moments);

// Adds the num_samples-th sample, counted from 1.
void AddSample(Moments& moments, double sample, int64_t num_samples);

// s / sqrt(m), s^2 the unbiased sample variance of m samples; m >= 2.
double StandardErrorOfMean(const Moments& moments, int64_t num_samples);

// The 97.5 % point of Student's t with this many degrees of freedom, to a relative error below 1e-3: the exact values
// for 1 to 4 (Student 1908), then the expansion around the normal point (Abramowitz and Stegun, 26.7.5).
// degrees_of_freedom >= 1.
double StudentPoint975(int64_t degrees_of_freedom);

// Half the width of a 95 % confidence interval: the standard error of a mean of num_samples >= 2 independent samples
// times Student's point, which is 12.7 for two samples and 2.1 for sixteen.
double HalfWidth95(double standard_error, int64_t num_samples);

// Whether the standard error of num_samples >= 2 samples, itself uncertain, has reached a target: its 95 % interval is
// no wider than that of a known standard error of this size. Never true where the standard error is above the target.
bool HasReached(double standard_error, int64_t num_samples, double target);

}  // namespace bitplan::curvature

#endif  // BITPLAN_SEARCH_CURVATURE_CONFIDENCE_H_
