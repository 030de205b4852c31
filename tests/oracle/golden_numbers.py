"""Numbers of the golden scripts: exact input, 25-digit output. See make_golden.py."""
import json
import math

from flint import arb, fmpq


def digits(value):
    """25 significant digits as a JSON number; null for -inf and above the range of double; 0 below it."""
    if value is None or abs(value) > arb("1e308"):
        return None
    if value == 0 or abs(value) < arb("1e-300"):
        return 0.0
    assert value.rel_accuracy_bits() > 85, value
    return Number(value.str(25, radius=False))


class Number(float):
    """A float that json writes with all the digits of its text."""

    def __new__(cls, text):
        self = super().__new__(cls, float(text))
        self.text = text
        return self

    def __repr__(self):
        return self.text


def exact(x):
    numerator, denominator = float(x).as_integer_ratio()
    return arb(fmpq(numerator, denominator))


def four_bits(t):
    """The nearest (8..15) * 2^j, so that the time is a double and a short sum of powers of two."""
    mantissa, exponent = math.frexp(t)
    multiple = min(max(round(mantissa * 16), 8), 15)
    return multiple, exponent - 4


def dump(x):
    if isinstance(x, Number):
        return x.text
    if isinstance(x, dict):
        return "{\n" + ",\n".join(f" {json.dumps(k)}: {dump(v)}" for k, v in x.items()) + "}"
    if isinstance(x, list):
        return "[" + ",".join(dump(v) for v in x) + "]"
    return json.dumps(x)
