"""Scalars and matrices of Arb balls with their derivatives by every parameter (forward mode). See zoo_references.py.

A matrix function evaluated on them gives its Frechet derivative in each direction dS/dtheta_k, as the upper right block
of the function of [[S, dS], [0, S]] would, at half the work.
"""
from flint import arb, arb_mat, fmpq


def exact(x):
    """The double x as a ball of radius zero."""
    numerator, denominator = float(x).as_integer_ratio()
    return arb(fmpq(numerator, denominator))


class Scalar:
    """A ball and its derivatives {parameter: ball}."""

    def __init__(self, value, slopes=None):
        self.value, self.slopes = value, slopes or {}

    @staticmethod
    def of(x):
        return x if isinstance(x, Scalar) else Scalar(x if isinstance(x, arb) else exact(x))

    def chain(self, value, factor):
        return Scalar(value, {k: factor * d for k, d in self.slopes.items()})

    def __add__(self, other):
        other = Scalar.of(other)
        slopes = dict(self.slopes)
        for k, d in other.slopes.items():
            slopes[k] = slopes[k] + d if k in slopes else d
        return Scalar(self.value + other.value, slopes)

    def __mul__(self, other):
        other = Scalar.of(other)
        return self.chain(self.value * other.value, other.value) + other.chain(arb(0), self.value)

    def __sub__(self, other):
        return self + Scalar.of(other) * -1

    def __rsub__(self, other):
        return Scalar.of(other) - self

    def __truediv__(self, other):
        other = Scalar.of(other)
        return self * other.chain(1 / other.value, -1 / other.value**2)

    def __rtruediv__(self, other):
        return Scalar.of(other) / self

    def log(self):
        return self.chain(self.value.log(), 1 / self.value)

    def log1p(self):
        return self.chain(self.value.log1p(), 1 / (1 + self.value))

    def exp(self):
        return self.chain(self.value.exp(), self.value.exp())

    __radd__, __rmul__ = __add__, __mul__


def zeros(rows, cols):
    return arb_mat(rows, cols, [0] * (rows * cols))


def identity(size):
    return arb_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])


class Dual:
    """A matrix and its derivatives {parameter: matrix}."""

    def __init__(self, value, slopes=None):
        self.value, self.slopes = value, slopes or {}

    @staticmethod
    def of(rows):
        """From rows of Scalars."""
        rows = [[Scalar.of(x) for x in row] for row in rows]
        shape = (len(rows), len(rows[0]) if rows else 0)
        keys = {k for row in rows for x in row for k in x.slopes}
        value = arb_mat(*shape, [x.value for row in rows for x in row])
        return Dual(value, {k: arb_mat(*shape, [x.slopes.get(k, arb(0)) for row in rows for x in row]) for k in keys})

    def __getitem__(self, at):
        return Scalar(self.value[at], {k: d[at] for k, d in self.slopes.items()})

    def rows(self):
        return self.value.nrows()

    def cols(self):
        return self.value.ncols()

    def __add__(self, other):
        slopes = dict(self.slopes)
        for k, d in other.slopes.items():
            slopes[k] = slopes[k] + d if k in slopes else d
        return Dual(self.value + other.value, slopes)

    def __sub__(self, other):
        return self + other.scaled(arb(-1))

    def scaled(self, factor):
        return Dual(self.value * factor, {k: d * factor for k, d in self.slopes.items()})

    def __mul__(self, other):
        slopes = {k: d * other.value for k, d in self.slopes.items()}
        for k, d in other.slopes.items():
            term = self.value * d
            slopes[k] = slopes[k] + term if k in slopes else term
        return Dual(self.value * other.value, slopes)

    def inverse(self):
        value = self.value.inv()
        return Dual(value, {k: value * d * value * arb(-1) for k, d in self.slopes.items()})

    def without_slopes(self):
        return Dual(self.value)


def block(matrix, rows, cols):
    """The sub-matrix of rows and columns listed."""
    def part(m):
        return arb_mat(len(rows), len(cols), [m[i, j] for i in rows for j in cols])

    return Dual(part(matrix.value), {k: part(d) for k, d in matrix.slopes.items()})
