#pragma once

namespace sojourn::oracle {

/// long double for the replay templates: 64 bits of mantissa against 53.
struct Wide {
  long double v;
  Wide() = default;
  explicit Wide(double a) : v(a) {}
  Wide& operator+=(const Wide& b) {
    v += b.v;
    return *this;
  }
  friend Wide operator+(Wide a, const Wide& b) { return a += b; }
  friend Wide operator-(Wide a, const Wide& b) {
    a.v -= b.v;
    return a;
  }
  friend Wide operator*(Wide a, const Wide& b) {
    a.v *= b.v;
    return a;
  }
  friend Wide operator*(double a, Wide b) {
    b.v *= a;
    return b;
  }
  friend void add_product(Wide& acc, const Wide& a, const Wide& b) { acc.v += a.v * b.v; }
  friend void add_product(Wide& acc, double a, const Wide& b) { acc.v += a * b.v; }
  friend void add_product(Wide& acc, double a, double b) { acc.v += static_cast<long double>(a) * b; }
  friend Wide reciprocal(Wide a) {
    a.v = 1 / a.v;
    return a;
  }
  friend Wide absolute(Wide a) {
    a.v = a.v < 0 ? -a.v : a.v;
    return a;
  }
  friend bool smaller(const Wide& a, const Wide& b) { return absolute(a).v < absolute(b).v; }
};

}  // namespace sojourn::oracle
