"""Reference values of the priors at 50 digits, for tests/host/posterior/prior_test.cpp.

    python3 make_priors.py > ../host/posterior/prior_values.inc        (needs mpmath)

Each line is {family, a, b, theta, log_density, score, cdf, survival}; cdf and survival are computed apart, so that
both tails carry full relative accuracy. Then the quantiles: {family, a, b, p, quantile(p), upper_quantile(p)}.
"""

import mpmath as mp

mp.mp.dps = 50


def normal(a, b):
    def cdf(x):
        return mp.erfc(-(x - a) / (b * mp.sqrt(2))) / 2

    return (
        lambda x: -((x - a) ** 2) / (2 * b**2) - mp.log(b) - mp.log(2 * mp.pi) / 2,
        cdf,
        lambda x: cdf(2 * a - x),
        (-mp.inf, mp.inf),
    )


def lognormal(a, b):
    log_density, cdf, survival, _ = normal(a, b)
    return (
        lambda x: log_density(mp.log(x)) - mp.log(x),
        lambda x: cdf(mp.log(x)),
        lambda x: survival(mp.log(x)),
        (mp.mpf(0), mp.inf),
    )


def gamma(a, b):
    return (
        lambda x: a * mp.log(b) - mp.loggamma(a) + (a - 1) * mp.log(x) - b * x,
        lambda x: mp.gammainc(a, 0, b * x, regularized=True),
        lambda x: mp.gammainc(a, b * x, mp.inf, regularized=True),
        (mp.mpf(0), mp.inf),
    )


def half_cauchy(a, b):
    return (
        lambda x: mp.log(2 / (mp.pi * a)) - mp.log1p((x / a) ** 2),
        lambda x: 2 / mp.pi * mp.atan(x / a),
        lambda x: 2 / mp.pi * mp.atan(a / x),
        (mp.mpf(0), mp.inf),
    )


def beta(a, b):
    def cdf(x):
        return mp.betainc(a, b, 0, x, regularized=True)

    def survival(x):
        # 1 - x drops an x below 1e-50.
        return 1 - cdf(x) if x < 0.5 else mp.betainc(b, a, 0, 1 - x, regularized=True)

    return (
        lambda x: (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x) - mp.log(mp.beta(a, b)),
        cdf,
        survival,
        (mp.mpf(0), mp.mpf(1)),
    )


def uniform(a, b):
    return (
        lambda x: -mp.log(b - a),
        lambda x: (x - a) / (b - a),
        lambda x: (b - x) / (b - a),
        (a, b),
    )


def exponential(a, b):
    return (
        lambda x: mp.log(a) - a * x,
        lambda x: -mp.expm1(-a * x),
        lambda x: mp.exp(-a * x),
        (mp.mpf(0), mp.inf),
    )


FAMILIES = {
    "kNormal": (normal, [(0, 1), (-3.5, 0.25), (1e3, 40)]),
    "kLognormal": (lognormal, [(0, 1), (-2, 0.3), (5, 3)]),
    "kGamma": (gamma, [(1, 1), (2.5, 4), (0.3, 0.01), (150, 3), (0.02, 1), (5000, 2)]),
    "kHalfCauchy": (half_cauchy, [(1, 0), (25, 0)]),
    "kBeta": (beta, [(1, 1), (2, 5), (0.5, 0.5), (0.1, 3), (300, 200), (40, 0.7)]),
    "kUniform": (uniform, [(0, 1), (-2.5, 7)]),
    "kExponential": (exponential, [(1, 0), (0.001, 0)]),
}
PROBABILITIES = [1e-12, 1e-4, 0.025, 0.1, 0.3, 0.5, 0.75, 0.975, 0.9999]


def invert(function, rising, target, support):
    """Bisection on a monotone map of the line onto the support, then rounding to 25 digits."""
    low, high = support

    def at(u):
        if low == -mp.inf:
            return mp.sinh(u)
        if high == mp.inf:
            return low + mp.exp(u)
        return low + (high - low) / (1 + mp.exp(-u))

    left, right = mp.mpf(-4000), mp.mpf(4000)
    if low == -mp.inf:
        left, right = mp.mpf(-30), mp.mpf(30)
    for _ in range(150):
        middle = (left + right) / 2
        if (function(at(middle)) < target) == rising:
            left = middle
        else:
            right = middle
    return at(left)


def text(x):
    # A quantile of a gamma law of small shape may lie below every double; C++ reads those as 0 with a warning.
    if abs(x) < mp.mpf(2) ** -1074:
        return "0"
    return mp.nstr(mp.mpf(x), 20, min_fixed=0, max_fixed=0)


print("// Made by tests/oracle/make_priors.py; 50-digit arithmetic rounded to 20.")
print("const DensityValue kDensityValues[] = {")
quantiles = []
for name, (make, pairs) in FAMILIES.items():
    for a, b in pairs:
        log_density, cdf, survival, support = make(mp.mpf(a), mp.mpf(b))
        for p in PROBABILITIES:
            p = mp.mpf(p)
            below = invert(cdf, True, p, support)
            above = invert(survival, False, p, support)
            quantiles.append((name, a, b, p, below, above))
        for p in (1e-12, 0.1, 0.5, 0.9999):
            theta = mp.mpf(float(invert(cdf, True, mp.mpf(p), support)))
            if not support[0] < theta < support[1] or abs(theta) < 1e-300:
                continue
            score = mp.diff(log_density, theta, h=abs(theta) * mp.mpf(10) ** -20 + mp.mpf(10) ** -330) if theta else 0
            values = (theta, log_density(theta), score, cdf(theta), survival(theta))
            print("    {PriorFamily::%s, %r, %r, %s}," % (name, a, b, ", ".join(
                float(v).hex() if v is theta else text(v) for v in values)))
print("};")
print("const QuantileValue kQuantileValues[] = {")
for name, a, b, p, below, above in quantiles:
    print("    {PriorFamily::%s, %r, %r, %r, %s, %s}," % (name, a, b, float(p), text(below), text(above)))
print("};")
