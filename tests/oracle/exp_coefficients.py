"""Coefficients of exp_negative (src/common/svgd_tile.hpp): the polynomial 1 + r + r^2 q(r) of least relative error to exp(r)
on |r| <= ln(2)/2, by the exchange algorithm of Remez in 60 digits.

Usage: python3 tests/oracle/exp_coefficients.py [DEGREE]      needs mpmath
"""

import sys

from mpmath import chop, exp, expm1, findroot, linspace, log, lu_solve, matrix, mp, mpf

mp.dps = 60


def error(coefficients, r):
    """Relative; coefficients of r^2, r^3, ..."""
    return (1 + r + sum(c * r ** (k + 2) for k, c in enumerate(coefficients))) * exp(-r) - 1


def remez(degree, half_width):
    n = degree - 1
    nodes = [half_width * mp.cos(mp.pi * (2 * i + 1) / (2 * (n + 1))) for i in range(n + 1)]
    for _ in range(12):
        rows = matrix(n + 1, n + 1)
        right = matrix(n + 1, 1)
        for i, r in enumerate(nodes):
            for k in range(n):
                rows[i, k] = r ** (k + 2) * exp(-r)
            rows[i, n] = (-1) ** i
            right[i] = 1 - (1 + r) * exp(-r)
        solution = lu_solve(rows, right)
        coefficients = [solution[k] for k in range(n)]
        # The extremes of the error on a fine grid are the next nodes: one a change of sign.
        grid = linspace(half_width, -half_width, 4001)
        values = [error(coefficients, r) for r in grid]
        found, begin = [], 0
        for i in range(1, len(grid) + 1):
            if i == len(grid) or values[i] * values[begin] < 0:
                found.append(grid[max(range(begin, i), key=lambda j: abs(values[j]))])
                begin = i
        if len(found) < n + 1:
            break
        while len(found) > n + 1:
            found.pop(0 if abs(error(coefficients, found[0])) < abs(error(coefficients, found[-1])) else -1)
        nodes = found
    return coefficients, max(abs(v) for v in values)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    found, worst = remez(wanted, log(2) / 2)
    for power, c in reversed(list(enumerate(found, start=2))):
        print(f"r^{power}: {float(c)!r}  {float(c).hex()}")
    rounded = [mpf(float(c)) for c in found]
    print("largest relative error", mp.nstr(worst, 3), "of rounded coefficients",
          mp.nstr(max(abs(error(rounded, r)) for r in linspace(-log(2) / 2, log(2) / 2, 2001)), 3))
