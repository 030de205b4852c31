#include "result/kaplan_meier.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sojourn {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Observation event_at(double time, double weight = 1, double entry = 0) { return {time, time, entry, weight}; }
Observation censored_at(double time, double weight = 1, double entry = 0) { return {time, kInf, entry, weight}; }

/// Remission times in weeks under 6-mercaptopurine, 21 patients (Freireich and others 1963).
std::vector<Observation> leukaemia() {
  std::vector<Observation> items;
  for (const double t : {6., 6., 6., 7., 10., 13., 16., 22., 23.}) items.push_back(event_at(t));
  for (const double t : {6., 9., 10., 11., 17., 19., 20., 25., 32., 32., 34., 35.}) items.push_back(censored_at(t));
  return items;
}

TEST(KaplanMeier, LeukaemiaHandExample) {
  const ProductLimit curve = kaplan_meier(leukaemia(), TimeKind::kContinuous);
  const std::vector<double> x = {0, 6, 7, 10, 13, 16, 22, 23};
  ASSERT_EQ(curve.x, x);
  // Survivors over those at risk, by hand.
  const double factors[] = {1, 18. / 21, 16. / 17, 14. / 15, 11. / 12, 10. / 11, 6. / 7, 5. / 6};
  // As printed in textbooks, three digits.
  const double printed[] = {1, .857, .807, .753, .690, .627, .538, .448};
  double survival = 1;
  for (std::size_t k = 0; k < x.size(); ++k) {
    survival *= factors[k];
    EXPECT_NEAR(curve.survival[k], survival, 1e-15);   // eight roundings
    EXPECT_NEAR(curve.survival[k], printed[k], 5e-4);  // three printed digits
  }
  EXPECT_EQ(curve.censored, (std::vector<double>{6, 9, 10, 11, 17, 19, 20, 25, 32, 34, 35}));
  EXPECT_EQ(curve.num_midpoints, 0);
}

TEST(KaplanMeier, LeukaemiaLogLogBand) {
  const ProductLimit curve = kaplan_meier(leukaemia(), TimeKind::kContinuous);
  // Greenwood, log(-log) scale, as statistics packages print it (four digits).
  const double lower[] = {.6197, .5631, .5032, .4316, .3675, .2678, .1881};
  const double upper[] = {.9516, .9228, .8894, .8491, .8049, .7468, .6801};
  for (int k = 0; k < 7; ++k) {
    EXPECT_NEAR(curve.lower[k + 1], lower[k], 5.1e-5);
    EXPECT_NEAR(curve.upper[k + 1], upper[k], 5.1e-5);
  }
  EXPECT_EQ(curve.lower[0], 1);
  EXPECT_EQ(curve.upper[0], 1);
}

TEST(KaplanMeier, WeightsAreMultiplicities) {
  std::vector<Observation> merged = {
      event_at(6, 3),  censored_at(6), event_at(7),     censored_at(9),     event_at(10),    censored_at(10),
      censored_at(11), event_at(13),   event_at(16),    censored_at(17),    censored_at(19), censored_at(20),
      event_at(22),    event_at(23),   censored_at(25), censored_at(32, 2), censored_at(34), censored_at(35)};
  const ProductLimit one = kaplan_meier(leukaemia(), TimeKind::kContinuous);
  const ProductLimit other = kaplan_meier(merged, TimeKind::kContinuous);
  EXPECT_EQ(one.x, other.x);
  EXPECT_EQ(one.survival, other.survival);
  EXPECT_EQ(one.lower, other.lower);
}

TEST(KaplanMeier, DelayedEntryByHand) {
  // At 3: entered before 3 are A, B, D (C enters at 3 exactly and is not yet at risk). At 5: B, C, D; at 8: C alone.
  const std::vector<Observation> items = {event_at(3, 1, 1), event_at(5, 1, 2), event_at(8, 1, 3),
                                          censored_at(6, 1, 2)};
  const ProductLimit curve = kaplan_meier(items, TimeKind::kContinuous);
  EXPECT_EQ(curve.x, (std::vector<double>{1, 3, 5, 8}));
  EXPECT_NEAR(curve.survival[1], 2. / 3, 1e-15);
  EXPECT_NEAR(curve.survival[2], 4. / 9, 1e-15);
  EXPECT_EQ(curve.survival[3], 0);
  EXPECT_EQ(curve.lower[3], 0);
  EXPECT_EQ(curve.upper[3], curve.upper[2]);
}

TEST(KaplanMeier, IntervalsStandAtTheirMiddle) {
  const std::vector<Observation> items = {{2, 4, 0, 1}, event_at(5), {0, 3, 0, 1}};
  const ProductLimit curve = kaplan_meier(items, TimeKind::kContinuous);
  EXPECT_EQ(curve.x, (std::vector<double>{0, 1.5, 3, 5}));
  EXPECT_EQ(curve.num_midpoints, 2);
  EXPECT_EQ(kaplan_meier(items, TimeKind::kDiscrete).x, (std::vector<double>{0, 2, 3, 5}));
}

TEST(KaplanMeier, EventsAtZeroTakeTheAtom) {
  const ProductLimit curve =
      kaplan_meier(std::vector<Observation>{event_at(0), event_at(1), event_at(2), event_at(3)}, TimeKind::kDiscrete);
  EXPECT_EQ(curve.x, (std::vector<double>{0, 0, 1, 2, 3}));
  EXPECT_EQ(curve.survival, (std::vector<double>{1, .75, .5, .25, 0}));
}

TEST(KaplanMeier, EmptyAndAllCensored) {
  EXPECT_TRUE(kaplan_meier({}, TimeKind::kContinuous).x.empty());
  const ProductLimit curve =
      kaplan_meier(std::vector<Observation>{censored_at(2), censored_at(1)}, TimeKind::kContinuous);
  EXPECT_EQ(curve.x, (std::vector<double>{0}));
  EXPECT_EQ(curve.survival, (std::vector<double>{1}));
  EXPECT_EQ(curve.censored, (std::vector<double>{1, 2}));
}

TEST(KaplanMeier, WeightsThatAreNotWholeEndAtZero) {
  // 0.1 + 0.2 and 0.3 differ in the last bit; nobody is left all the same.
  const ProductLimit curve =
      kaplan_meier(std::vector<Observation>{event_at(1, .1), event_at(2, .2), event_at(3, .3)}, TimeKind::kContinuous);
  EXPECT_EQ(curve.survival.back(), 0);
}

}  // namespace
}  // namespace sojourn
