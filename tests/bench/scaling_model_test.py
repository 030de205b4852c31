"""The cost model of bench/scaling.py on synthetic times whose constants are known."""

import math
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

from scaling_model import TERMS, Gpu, bytes_sent, fit, seconds_of  # noqa: E402


def measured(constants, settings, noise=0.0):
    rows = []
    for at, (particles, ranks) in enumerate(settings):
        sent = bytes_sent(particles, 4, ranks)
        seconds = seconds_of(constants, particles, ranks, sent)
        rows.append((particles, ranks, sent, seconds * (1 + noise * (-1) ** at)))
    return rows


MANY = [(n, k) for k in (1, 2, 4, 8, 16) for n in (64, 500, 4000)]


class Fit(unittest.TestCase):
    def test_formula_by_hand(self):
        # 10 particles on 4 ranks: blocks of 3, 30 pairs, 720 bytes, two doublings.
        constants = {"row": 1e-3, "pair": 1e-5, "byte": 1e-9, "doubling": 1e-4}
        self.assertEqual(bytes_sent(10, 4, 4), 720)
        self.assertAlmostEqual(seconds_of(constants, 10, 4, 720), 3e-3 + 3e-4 + 7.2e-7 + 2e-4, delta=1e-15)
        self.assertAlmostEqual(seconds_of(constants, 10, 1, 0), 10e-3 + 1e-3, delta=1e-15)

    def test_known_constants_come_back(self):
        constants = {"row": 1.3e-3, "pair": 2e-7, "byte": 4e-9, "doubling": 1.5e-3}
        found = fit(measured(constants, MANY))
        self.assertLess(found.error, 1e-9)
        self.assertEqual(found.left_out, [])
        for term in TERMS:
            self.assertAlmostEqual(found.constants[term] / constants[term], 1, delta=1e-6, msg=term)

    def test_terms_that_cost_nothing_are_left_out(self):
        constants = {"row": 1e-3, "doubling": 2e-3}
        found = fit(measured(constants, MANY))
        self.assertEqual(sorted(found.left_out), ["byte", "pair"])
        self.assertAlmostEqual(found.constants["row"], 1e-3, delta=1e-12)
        self.assertAlmostEqual(found.constants["doubling"], 2e-3, delta=1e-12)

    def test_noise_moves_the_constants_by_about_as_much(self):
        constants = {"row": 1e-3, "pair": 1e-6, "doubling": 2e-3}
        found = fit(measured(constants, MANY, noise=0.01))
        for term, value in constants.items():
            self.assertAlmostEqual(found.constants[term] / value, 1, delta=0.1, msg=term)
        self.assertAlmostEqual(found.error, 0.01, delta=0.005)

    def test_fewer_terms_than_settings(self):
        # Three settings, as of two cores: a third term would take their noise for the cost of pairs.
        found = fit([(64, 1, 0, 0.0836), (64, 2, 4956, 0.0461), (64, 1, 0, 0.088), (128, 2, 9820, 0.0907)])
        self.assertEqual(sorted(found.constants), ["doubling", "row"])
        for value in found.constants.values():
            self.assertGreater(value, 0)

    def test_superlinear_rows_give_no_negative_latency(self):
        # Two ranks faster than half of one: rows alone are left.
        found = fit([(64, 1, 0, 0.080), (64, 2, 4608, 0.035), (128, 2, 9216, 0.070)])
        self.assertTrue(all(value > 0 for value in found.constants.values()))
        self.assertNotIn("doubling", found.constants)


class Gpus(unittest.TestCase):
    def test_constants_give_back_what_they_are_from(self):
        gpu = Gpu()
        # docs/device.md: 46 + 11 ms for 10,000 vectors; directions of 100,000 in 19 ms; an eighth on eight in 2.4 ms.
        self.assertAlmostEqual(3 * gpu.wave, 57e-3, delta=1e-12)
        self.assertEqual(math.ceil(10_000 / gpu.lanes), 3)
        self.assertAlmostEqual(gpu.pair * 1e10, 19e-3, delta=1e-12)
        only = Gpu(wave=0, repeated=0, latency=0, inside=math.inf)
        self.assertAlmostEqual(only.seconds(100_000, 8, 4), 2.375e-3, delta=1e-9)

    def test_a_gpu_that_is_not_full_takes_as_long(self):
        gpu = Gpu(pair=0, repeated=0, latency=0, inside=math.inf, between=math.inf)
        self.assertEqual(gpu.seconds(1000, 1, 4), gpu.seconds(1000, 64, 4))
        self.assertAlmostEqual(gpu.seconds(4 * gpu.lanes, 1, 4) / gpu.seconds(4 * gpu.lanes, 4, 4), 4, delta=1e-12)

    def test_messages(self):
        gpu = Gpu(wave=0, pair=0, repeated=0)
        # Two exchanges of d and d + 4 numbers, three doublings.
        self.assertAlmostEqual(gpu.seconds(100_000, 8, 4), 9.6e6 / 1e11 + 2 * 3 * 20e-6, delta=1e-12)
        self.assertAlmostEqual(gpu.seconds(100_000, 16, 4), 9.6e6 / 2.5e10 + 2 * 4 * 20e-6, delta=1e-12)


if __name__ == "__main__":
    unittest.main()
