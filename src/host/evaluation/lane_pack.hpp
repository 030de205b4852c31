#pragma once

#include <cstddef>
#include <utility>

#if defined(__FMA__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "common/prc_replay.hpp"
#include "evaluation/instruction_set.hpp"

/// Packs of lanes for the CPU replay: one program read serves all lanes of a pack. The loops are unrolled by index
/// sequences so that accumulators stay in vector registers. Their width is that of the instruction set, whose name is
/// part of the types' names.
namespace sojourn {
inline namespace SOJOURN_KERNEL_SET {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#else
inline constexpr int kVectorBytes = 32;
#endif
template <class Scalar>
struct VectorOf;
template <>
struct VectorOf<double> {
  typedef double Type __attribute__((vector_size(kVectorBytes)));
  typedef long long Mask __attribute__((vector_size(kVectorBytes)));
};
template <>
struct VectorOf<float> {
  typedef float Type __attribute__((vector_size(kVectorBytes)));
  typedef int Mask __attribute__((vector_size(kVectorBytes)));
};
template <class Scalar>
using Vector = typename VectorOf<Scalar>::Type;
template <class Scalar>
inline constexpr int kVectorLanes = kVectorBytes / sizeof(Scalar);
inline constexpr int kVectorDoubles = kVectorLanes<double>;

#define SOJOURN_INLINE __attribute__((always_inline)) inline
#define SOJOURN_INLINE_LAMBDA __attribute__((always_inline))

/// a * b + c rounded once, and a * b rounded on its own. Left to itself the compiler fuses some products and not
/// others, by the width of the pack, and a lane's bits would depend on how many lanes there are.
SOJOURN_INLINE Vector<double> fused(const Vector<double>& a, const Vector<double>& b, const Vector<double>& c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_pd(a, b, c);
#else
  return a * b + c;
#endif
}
SOJOURN_INLINE Vector<float> fused(const Vector<float>& a, const Vector<float>& b, const Vector<float>& c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}
template <class Values>
SOJOURN_INLINE Values rounded_product(const Values& a, const Values& b) {
  Values product = a * b;
#if defined(__AVX512F__)
  asm("" : "+v"(product));
#elif defined(__FMA__)
  asm("" : "+x"(product));
#endif
  return product;
}
/// The number in every lane, rounded to the lanes' precision.
template <class Scalar>
SOJOURN_INLINE Vector<Scalar> broadcast(double a) {
  // Subtracting zero changes no number, so nothing is computed.
  return static_cast<Scalar>(a) - Vector<Scalar>{};
}

template <int Lanes, class Scalar = double>
struct Pack {
  static_assert(Lanes % kVectorLanes<Scalar> == 0);
  static constexpr int kLanes = Lanes;
  static constexpr int kVectors = Lanes / kVectorLanes<Scalar>;
  Vector<Scalar> v[kVectors];

  Pack() = default;
  // Copied vector by vector: a copy as one block of bytes would keep packs out of registers.
  SOJOURN_INLINE Pack(const Pack& b) {
    each([&](auto i) SOJOURN_INLINE_LAMBDA { v[i] = b.v[i]; });
  }
  SOJOURN_INLINE Pack& operator=(const Pack& b) {
    each([&](auto i) SOJOURN_INLINE_LAMBDA { v[i] = b.v[i]; });
    return *this;
  }
  SOJOURN_INLINE explicit Pack(double a) {
    each([&](auto i) { v[i] = broadcast<Scalar>(a); });
  }
  /// Each lane rounded to this pack's precision.
  template <class Other>
  requires(!std::is_same_v<Other, Scalar>) explicit Pack(const Pack<Lanes, Other>& b) {
    for (int i = 0; i < Lanes; ++i) lane(i) = static_cast<Scalar>(b.lane(i));
  }
  Scalar& lane(int i) { return reinterpret_cast<Scalar*>(v)[i]; }
  Scalar lane(int i) const { return reinterpret_cast<const Scalar*>(v)[i]; }

  template <class Body>
  static SOJOURN_INLINE void each(Body&& body) {
    [&]<std::size_t... I>(std::index_sequence<I...>) SOJOURN_INLINE_LAMBDA {
      (body(std::integral_constant<std::size_t, I>{}), ...);
    }
    (std::make_index_sequence<kVectors>{});
  }
  SOJOURN_INLINE Pack& operator+=(const Pack& b) {
    each([&](auto i) SOJOURN_INLINE_LAMBDA { v[i] += b.v[i]; });
    return *this;
  }
  friend SOJOURN_INLINE Pack operator+(Pack a, const Pack& b) { return a += b; }
  friend SOJOURN_INLINE Pack operator-(Pack a, const Pack& b) {
    each([&](auto i) SOJOURN_INLINE_LAMBDA { a.v[i] -= b.v[i]; });
    return a;
  }
  friend SOJOURN_INLINE Pack operator*(Pack a, const Pack& b) {
    each([&](auto i) SOJOURN_INLINE_LAMBDA { a.v[i] = rounded_product(a.v[i], b.v[i]); });
    return a;
  }
  friend SOJOURN_INLINE Pack operator*(double a, Pack b) {
    each([&](auto i) SOJOURN_INLINE_LAMBDA { b.v[i] = rounded_product(broadcast<Scalar>(a), b.v[i]); });
    return b;
  }
};

template <int L, class S>
SOJOURN_INLINE void add_product(Pack<L, S>& acc, const Pack<L, S>& a, const Pack<L, S>& b) {
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { acc.v[i] = fused(a.v[i], b.v[i], acc.v[i]); });
}
template <int L, class S>
SOJOURN_INLINE void add_product(Pack<L, S>& acc, double a, const Pack<L, S>& b) {
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { acc.v[i] = fused(broadcast<S>(a), b.v[i], acc.v[i]); });
}
/// As `exact_product` of doubles.
template <int L>
Pack<L, double> exact_product(double a, const Pack<L, double>& b, Pack<L, double>& lost) {
  Pack<L, double> product;
  for (int i = 0; i < L; ++i) product.lane(i) = sojourn::exact_product(a, b.lane(i), lost.lane(i));
  return product;
}
template <int L, class S>
SOJOURN_INLINE void add_product(Pack<L, S>& acc, double a, double b) {
  const S product = static_cast<S>(a * b);
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { acc.v[i] += product; });
}
template <int L, class S>
SOJOURN_INLINE Pack<L, S> reciprocal(Pack<L, S> a) {
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { a.v[i] = static_cast<S>(1) / a.v[i]; });
  return a;
}

template <int L, class S>
SOJOURN_INLINE void hold_in_register([[maybe_unused]] Pack<L, S>& a) {
#if defined(__AVX512F__)
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { asm("" : "+v"(a.v[i])); });
#elif defined(__FMA__)
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { asm("" : "+x"(a.v[i])); });
#endif
}

/// One truth value a lane.
template <int L, class S>
struct PackMask {
  using VectorMask = typename VectorOf<S>::Mask;
  VectorMask v[L / kVectorLanes<S>];
};
template <class Values>
SOJOURN_INLINE Values magnitude(const Values& a) {
  return a < 0 ? -a : a;
}
template <int L, class S>
SOJOURN_INLINE Pack<L, S> absolute(Pack<L, S> a) {
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { a.v[i] = magnitude(a.v[i]); });
  return a;
}
template <int L, class S>
SOJOURN_INLINE PackMask<L, S> smaller(const Pack<L, S>& a, const Pack<L, S>& b) {
  PackMask<L, S> mask;
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { mask.v[i] = magnitude(a.v[i]) < magnitude(b.v[i]); });
  return mask;
}
template <int L, class S>
SOJOURN_INLINE bool any(const PackMask<L, S>& mask) {
  typename PackMask<L, S>::VectorMask all{};
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { all |= mask.v[i]; });
#if defined(__AVX512F__)
  return _mm512_test_epi64_mask(reinterpret_cast<__m512i>(all), reinterpret_cast<__m512i>(all)) != 0;
#elif defined(__AVX__)
  return _mm256_testz_si256(reinterpret_cast<__m256i>(all), reinterpret_cast<__m256i>(all)) == 0;
#else
  bool result = false;
  for (int lane = 0; lane < kVectorLanes<S>; ++lane) result |= all[lane] != 0;
  return result;
#endif
}
template <int L, class S>
SOJOURN_INLINE Pack<L, S> select(const PackMask<L, S>& mask, const Pack<L, S>& first, const Pack<L, S>& second) {
  Pack<L, S> result;
  Pack<L, S>::each([&](auto i) SOJOURN_INLINE_LAMBDA { result.v[i] = mask.v[i] ? first.v[i] : second.v[i]; });
  return result;
}

/// Complex lanes, real and imaginary parts apart.
template <int L>
struct ComplexPack {
  static constexpr int kLanes = L;
  Pack<L> re, im;
  ComplexPack() = default;
  SOJOURN_INLINE explicit ComplexPack(double a) : re(a), im(0.0) {}
  SOJOURN_INLINE ComplexPack(const Pack<L>& real, const Pack<L>& imaginary) : re(real), im(imaginary) {}

  SOJOURN_INLINE ComplexPack& operator+=(const ComplexPack& b) {
    re += b.re;
    im += b.im;
    return *this;
  }
  friend SOJOURN_INLINE ComplexPack operator+(ComplexPack a, const ComplexPack& b) { return a += b; }
  friend SOJOURN_INLINE ComplexPack operator-(const ComplexPack& a, const ComplexPack& b) {
    return {a.re - b.re, a.im - b.im};
  }
  friend SOJOURN_INLINE ComplexPack operator*(const ComplexPack& a, const ComplexPack& b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
  friend SOJOURN_INLINE ComplexPack operator*(double a, const ComplexPack& b) { return {a * b.re, a * b.im}; }
};

template <int L>
SOJOURN_INLINE void add_product(ComplexPack<L>& acc, const ComplexPack<L>& a, const ComplexPack<L>& b) {
  Pack<L>::each([&](auto i) SOJOURN_INLINE_LAMBDA {
    acc.re.v[i] += a.re.v[i] * b.re.v[i];
    acc.im.v[i] += a.re.v[i] * b.im.v[i];
    acc.re.v[i] -= a.im.v[i] * b.im.v[i];
    acc.im.v[i] += a.im.v[i] * b.re.v[i];
  });
}
template <int L>
SOJOURN_INLINE void add_product(ComplexPack<L>& acc, double a, const ComplexPack<L>& b) {
  add_product(acc.re, a, b.re);
  add_product(acc.im, a, b.im);
}
template <int L>
SOJOURN_INLINE void add_product(ComplexPack<L>& acc, double a, double b) {
  add_product(acc.re, a, b);
}
template <int L>
SOJOURN_INLINE ComplexPack<L> reciprocal(const ComplexPack<L>& a) {
  const Pack<L> norm = a.re * a.re + a.im * a.im;
  const Pack<L> scale = reciprocal(norm);
  return {a.re * scale, -1.0 * (a.im * scale)};
}

template <int L>
SOJOURN_INLINE Pack<L> size_of(const ComplexPack<L>& a) {
  return absolute(a.re) + absolute(a.im);
}
template <int L>
SOJOURN_INLINE PackMask<L, double> smaller(const ComplexPack<L>& a, const ComplexPack<L>& b) {
  PackMask<L, double> mask;
  Pack<L>::each([&](auto i) SOJOURN_INLINE_LAMBDA {
    mask.v[i] = magnitude(a.re.v[i]) + magnitude(a.im.v[i]) < magnitude(b.re.v[i]) + magnitude(b.im.v[i]);
  });
  return mask;
}
template <int L>
SOJOURN_INLINE ComplexPack<L> select(const PackMask<L, double>& mask, const ComplexPack<L>& first,
                                     const ComplexPack<L>& second) {
  return {select(mask, first.re, second.re), select(mask, first.im, second.im)};
}

/// Tiles whose sums, with a row's or column's numbers, fit in the vector registers; a number of `vectors` vectors.
template <int vectors>
struct TileOfVectors {
#if defined(__AVX512F__)
  static constexpr int kRows = vectors == 1 ? 4 : vectors == 2 ? 3 : vectors == 4 ? 2 : 1;
  static constexpr int kColumns = vectors == 1 ? 4 : vectors == 2 ? 3 : vectors <= 8 ? 2 : 1;
#elif defined(__FMA__)
  static constexpr int kRows = vectors == 1 ? 3 : vectors == 2 ? 2 : 1;
  static constexpr int kColumns = vectors == 1 ? 3 : vectors <= 4 ? 2 : 1;
#else
  static constexpr int kRows = vectors == 1 ? 2 : 1;
  static constexpr int kColumns = vectors <= 2 ? 2 : 1;
#endif
};

}  // namespace SOJOURN_KERNEL_SET

template <int L>
class FormSum<Pack<L, double>> : public LongSum<Pack<L, double>> {};
/// Numbers of single precision take a sum of doubles.
template <int L>
class FormSum<Pack<L, float>> : public LongSum<Pack<L, double>> {};

template <int L, class S>
struct FrontTile<Pack<L, S>> : TileOfVectors<Pack<L, S>::kVectors> {};
template <int L>
struct FrontTile<ComplexPack<L>> : TileOfVectors<2 * Pack<L>::kVectors> {};

}  // namespace sojourn
