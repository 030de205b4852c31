#include "common/form_sum.hpp"

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "common/watched_single.hpp"
// Packs of this source stay in it, so that how a call would pass them does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"
#include "evaluation/lane_pack.hpp"

namespace sojourn {
namespace {

using Exact = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<200>>;

struct Form {
  std::vector<double> coefficient, value;
  double exact = 0;  ///< rounded once
};

/// Random terms, and a last one that leaves about 2^-lost of them, exactly as the doubles have it.
Form random_form(std::mt19937_64& random, int lost) {
  std::uniform_real_distribution<double> uniform(-1, 1);
  Form form;
  Exact sum = 0;
  const int num_terms = 1 + static_cast<int>(random() % 6);
  for (int i = 0; i < num_terms; ++i) {
    form.coefficient.push_back(uniform(random));
    form.value.push_back(std::ldexp(1 + uniform(random), static_cast<int>(random() % 9)));
    sum += Exact(form.coefficient.back()) * form.value.back();
  }
  // Subtracted in two or three pieces, down to the size wanted.
  for (int left = lost; left > 0; left -= 50) {
    const Exact wanted = -sum * (1 + boost::multiprecision::ldexp(Exact(1), -left > -50 ? -left : -50));
    form.value.push_back(1 + 0.5 * uniform(random));
    form.coefficient.push_back(static_cast<double>(Exact(wanted / form.value.back())));
    sum += Exact(form.coefficient.back()) * form.value.back();
  }
  form.exact = static_cast<double>(sum);
  return form;
}

TEST(FormSum, IsExactToItsLastDigit) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    const Form form = random_form(random, static_cast<int>(random() % 100));
    FormSum<double> sum;
    FormSum<WatchedSingle> single;
    for (std::size_t t = 0; t < form.value.size(); ++t) {
      sum.add(form.coefficient[t], form.value[t]);
      single.add(form.coefficient[t], form.value[t]);
    }
    ASSERT_LE(std::fabs(sum.value() - form.exact), 0x1p-52 * std::fabs(form.exact)) << i;
    ASSERT_EQ(single.value(), sum.value());
  }
}

TEST(FormSum, PacksHaveTheBitsOfSingleLanes) {
  constexpr int kLanes = 8;
  std::mt19937_64 random(4);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int i = 0; i < 1000; ++i) {
    FormSum<Pack<kLanes>> packs;
    FormSum<Pack<2 * kLanes, float>> singles;
    std::vector<FormSum<double>> lanes(kLanes);
    for (int t = 0; t < 4; ++t) {
      const double coefficient = (t % 2 == 0 ? 1 : -1) * (1 + 1e-3 * uniform(random));
      Pack<kLanes> values;
      Pack<2 * kLanes> wide;
      for (int l = 0; l < kLanes; ++l) {
        values.lane(l) = wide.lane(l) = wide.lane(kLanes + l) = 1 + 1e-9 * uniform(random);
        lanes[static_cast<std::size_t>(l)].add(coefficient, values.lane(l));
      }
      packs.add(coefficient, values);
      singles.add(coefficient, wide);
    }
    const Pack<2 * kLanes, float> rounded(singles.value());
    for (int l = 0; l < kLanes; ++l) {
      const double wanted = lanes[static_cast<std::size_t>(l)].value();
      ASSERT_EQ(packs.value().lane(l), wanted);
      ASSERT_EQ(rounded.lane(kLanes + l), static_cast<float>(wanted));
    }
  }
}

}  // namespace
}  // namespace sojourn
