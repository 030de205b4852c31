"""`sojourn evaluate` against closed forms."""

import json
import math
import unittest

from program_case import ProgramCase


class Evaluate(ProgramCase):
    def close(self, got, wanted, relative=1e-12):
        self.assertAlmostEqual(got, wanted, delta=relative * abs(wanted) + 1e-300)

    def test_moments_and_gradient_of_an_exponential(self):
        out = self.good_json("evaluate", "exponential.yaml", "--theta", "2", "--theta", "0.5", "--moments", "3", "--gradient")
        self.assertEqual(out["theta"], [[2], [0.5]])
        self.assertEqual(out["status"], ["ok", "ok"])
        for k, rate in enumerate([2, 0.5]):
            for order in (1, 2, 3):
                # E[Y^k] = k! / rate^k
                self.close(out["moments"][k][order - 1], math.factorial(order) / rate**order)
                self.close(out["gradient"]["moments"][k][order - 1][0], -order * math.factorial(order) / rate ** (order + 1))

    def test_multi_precision(self):
        out = self.good_json("evaluate", "exponential.yaml", "--theta", "1.5", "--pdf", "2", "--moments", "1", "--gradient",
                             "--precision", "multi", "--digits", "40")
        # 1.5 exp(-3) and 2 / 3, by mpmath with 60 digits.
        self.assertEqual(out["digits"]["pdf"][0][0][:42], "7.4680602551795914469013623475092664947549")
        self.assertEqual(out["digits"]["moments"][0][0][:42], "6.6666666666666666666666666666666666666667")
        self.assertEqual(out["method"]["pdf"], [["multi"]])
        self.assertLessEqual(out["error_bound"]["pdf"][0][0], 1e-40)
        self.close(out["gradient"]["pdf"][0][0][0], (1 - 3) * math.exp(-3))

    def test_law_of_an_exponential(self):
        times = [0.0, 0.25, 1.0, 7.5]
        out = self.good_json("evaluate", "exponential.yaml", "--theta", "1.5", "--pdf", "0,0.25,1,7.5", "--cdf", "0,0.25,1,7.5",
                             "--logpdf", "800", "--quantile", "0.1,0.5,0.99", "--laplace", "0,1", "--gradient")
        for i, t in enumerate(times):
            # The certified relative accuracy is 1e-9.
            self.close(out["pdf"][0][i], 1.5 * math.exp(-1.5 * t), 1e-9)
            self.close(out["cdf"][0][i], -math.expm1(-1.5 * t), 1e-9)
            self.close(out["gradient"]["pdf"][0][i][0], (1 - 1.5 * t) * math.exp(-1.5 * t), 1e-8)
        # exp(-1200) underflows, its logarithm does not.
        self.close(out["logpdf"][0][0], math.log(1.5) - 1200, 1e-9)
        for p, q in zip([0.1, 0.5, 0.99], out["quantile"][0]):
            self.close(q, -math.log1p(-p) / 1.5, 1e-8)
        self.close(out["laplace"][0][0], 1)
        self.close(out["laplace"][0][1], 1.5 / 2.5)
        self.assertEqual(len(out["method"]["pdf"][0]), 4)
        self.assertEqual(len(out["error_bound"]["pdf"][0]), 4)

    def test_mixture_with_two_parameters(self):
        a, b = 1.3, 0.4
        c = 2 * a + b
        out = self.good_json("evaluate", "mix.yaml", "--theta", f"{a},{b}", "--moments", "1", "--cdf", "0.7", "--pdf", "0.7",
                             "--gradient")
        self.close(out["moments"][0][0], 0.9 / a + 1 / c)
        self.close(out["gradient"]["moments"][0][0][0], -0.9 / a**2 - 2 / c**2)
        self.close(out["gradient"]["moments"][0][0][1], -1 / c**2)
        t = 0.7
        pdf = 0.9 * a * c / (c - a) * (math.exp(-a * t) - math.exp(-c * t)) + 0.1 * c * math.exp(-c * t)
        self.close(out["pdf"][0][0], pdf, 1e-9)

    def test_gradients_name_their_precision(self):
        # Time to empty a queue of one customer and room for 60 under a load of 2: 1e18 visits, and no digit lost.
        room = 60
        edges = [f"[{i}, {i + 1}, 0, [1, 0]]" for i in range(1, room)] + [f"[{i}, {i - 1}, 0, [0, 1]]" for i in range(1, room + 1)]
        self.write("queue.yaml", "schema: sojourn/model/1\nname: queue\nparameters: [arrival, service]\n"
                                 f"states: {room + 1}\ninitial: [[1, 1]]\nedges: [{', '.join(edges)}]\n")
        out = self.good_json("evaluate", "queue.yaml", "--theta", "2,1", "--theta", "0.5,1", "--moments", "1", "--laplace", "1e-18",
                             "--gradient")
        self.assertNotIn("gradient_precision", out)
        # sum over k < 60 of arrival^k / service^(k + 1)
        self.close(out["gradient"]["moments"][0][0][0], sum(k * 2.0 ** (k - 1) for k in range(room)), 1e-9)
        # 60,000 stages before a walk on a square whose steps right and left nearly cancel: too long a way to be sure.
        self.write("square.yaml", """schema: sojourn/model/1
name: square
parameters: [right, left]
variables: {w: {initial: 60000, min: 0, max: 60000}, x: {initial: 0, min: 0, max: 15}, y: {initial: 0, min: 0, max: 15}, d: {initial: 0, min: 0, max: 1}}
rules:
  - {when: w > 0, rate: "100000", effect: {w: w - 1}}
  - {when: w == 0 && x < 15, rate: right, effect: {x: x + 1}}
  - {when: w == 0 && x > 0, rate: left, effect: {x: x - 1}}
  - {when: w == 0 && y < 15, rate: "1", effect: {y: y + 1}}
  - {when: w == 0 && y > 0, rate: "0.9", effect: {y: y - 1}}
  - {when: w == 0 && x == 15 && y == 15, rate: "1", effect: {d: 1}}
absorbing: d == 1
""")
        out = self.good_json("evaluate", "square.yaml", "--theta", "1.1,0.8", "--moments", "1", "--laplace", "0.01", "--gradient")
        self.assertEqual(out["gradient_precision"], {"moments": ["multi"], "laplace": ["multi"]})
        table = self.good("evaluate", "square.yaml", "--theta", "1.1,0.8", "--laplace", "0.01", "--gradient")
        self.assertIn("gradient in multi", table)
        out = self.good_json("evaluate", "square.yaml", "--theta", "1.1,0.8", "--pdf", "100", "--gradient", "--method", "contour")
        self.assertEqual(out["gradient_precision"], {"pdf": ["fp64 in doubt"]})

    def test_rewards_and_covariance(self):
        a, b = 1.3, 0.4
        c = 2 * a + b
        # first = Bernoulli(0.9) * Exp(a), whole = first + Exp(c)
        variance_first = 0.9 * 2 / a**2 - (0.9 / a) ** 2
        out = self.good_json("evaluate", "mix.yaml", "--theta", f"{a},{b}", "--covariance", "--gradient")
        self.assertEqual(out["covariance_rewards"], ["whole", "first"])
        (ww, wf), (fw, ff) = out["covariance"][0]
        self.close(ff, variance_first)
        self.close(wf, variance_first)
        self.close(fw, variance_first)
        self.close(ww, variance_first + 1 / c**2)
        self.close(out["gradient"]["covariance"][0][0][0][1], -2 / c**3)
        first = self.good_json("evaluate", "mix.yaml", "--theta", f"{a},{b}", "--rewards", "first", "--moments", "1",
                               "--cdf", "0", "--covariance")
        self.assertEqual(first["variable"], "first")
        self.close(first["moments"][0][0], 0.9 / a)
        self.close(first["cdf"][0][0], 0.1, 1e-9)  # the atom at zero
        self.assertEqual(first["covariance_rewards"], ["first"])
        named = self.good_json("evaluate", "mix.yaml", "--theta", "1,1", "--rewards", "first", "--rewards", "whole",
                               "--covariance")
        self.assertEqual(named["covariance_rewards"], ["first", "whole"])

    def test_states(self):
        a, b, t = 1.3, 0.4, 0.6
        c = 2 * a + b
        out = self.good_json("evaluate", "mix.yaml", "--theta", f"{a},{b}", "--sojourn", "--state-probability", str(t))
        self.close(out["sojourn"][0][0], 0.9 / a)
        self.close(out["sojourn"][0][1], 1 / c)
        self.assertEqual(out["sojourn"][0][2], 0)
        p0 = 0.9 * math.exp(-a * t)
        p1 = 0.1 * math.exp(-c * t) + 0.9 * a / (c - a) * (math.exp(-a * t) - math.exp(-c * t))
        self.close(out["state_probability"][0][0], p0, 1e-9)
        self.close(out["state_probability"][0][1], p1, 1e-9)
        self.close(sum(out["state_probability"][0]), 1, 1e-9)

    def test_discrete(self):
        p = 0.3
        out = self.good_json("evaluate", "geometric.yaml", "--theta", str(p), "--pmf", "0:4:5", "--cdf", "2,2.7", "--moments", "2",
                             "--logpdf", "4000", "--gradient")
        for n in range(5):
            self.close(out["pmf"][0][n], 0 if n == 0 else p * (1 - p) ** (n - 1), 1e-9)
        self.assertEqual(out["cdf"][0][0], out["cdf"][0][1])
        self.close(out["cdf"][0][0], 1 - (1 - p) ** 2, 1e-9)
        self.close(out["moments"][0][0], 1 / p)
        self.close(out["moments"][0][1], (2 - p) / p**2)
        self.close(out["logpdf"][0][0], math.log(p) + 3999 * math.log1p(-p), 1e-9)
        self.close(out["gradient"]["pmf"][0][2][0], 1 - 2 * p, 1e-8)

    def test_log_likelihood(self):
        self.write("censored.csv", "time,event,weight\n0.5,1,2\n1.25,0,1\n2,1,1\n")
        out = self.good_json("evaluate", "exponential.yaml", "--theta", "1.5", "--theta", "3", "--loglik", "censored.csv",
                             "--gradient")
        for k, rate in enumerate([1.5, 3]):
            total, events = 2 * 0.5 + 1.25 + 2, 3
            self.close(out["log_likelihood"][k], events * math.log(rate) - rate * total, 1e-9)
            self.close(out["gradient"]["log_likelihood"][k][0], events / rate - total, 1e-8)

    def test_the_error_bound_of_a_log_likelihood_holds_where_it_is_near_zero(self):
        # Of n exponential times that add up to s the log likelihood is n log a - a s, here about zero at a = e.
        count = 400
        times = [(i + 0.5) / count * 2 / math.e for i in range(count)]
        self.write("many.csv", "time\n" + "".join(f"{t:.17g}\n" for t in times))
        total = math.fsum(float(f"{t:.17g}") for t in times)
        rates = [math.e, math.e * (1 + 1e-3), 1.5]
        asked = [part for rate in rates for part in ("--theta", repr(rate))]
        for mode in ("auto", "off"):
            out = self.good_json("evaluate", "exponential.yaml", *asked, "--loglik", "many.csv", "--data-compression", mode)
            for k, rate in enumerate(rates):
                value, bound = out["log_likelihood"][k], out["error_bound"]["log_likelihood"][k]
                truth = math.fsum([count * math.log(rate), -rate * total])
                # The truth itself is rounded to some 1e-13 here.
                self.assertLessEqual(abs(value - truth), bound * abs(value) + 2e-13)
                self.assertLess(bound * abs(value), 1e-6)
            self.assertEqual(out["data_compression"]["mode"], mode)
            self.assertEqual(out["data_compression"]["points"], count)
            self.assertEqual(out["data_compression"]["exact_evaluations"], 0 if mode == "auto" else 3)
        # A bound of the densities alone would be far below what the sum is off, relative to a sum near zero.
        self.assertGreater(out["error_bound"]["log_likelihood"][0], 10 * out["error_bound"]["log_likelihood"][2])

    def test_log_likelihood_needs_no_parameters_and_judges_each_theta_alone(self):
        # A chain of rate 2 without parameters: log likelihood n log 2 - 2 sum.
        self.write("known.yaml", "schema: sojourn/model/1\nname: known\nparameters: []\nstates: 2\ninitial: [[0, 1]]\n"
                                 "edges: [[0, 1, 2, []]]\n")
        out = self.good_json("evaluate", "known.yaml", "--loglik", "times.csv", "--gradient")
        self.close(out["log_likelihood"][0], 5 * math.log(2) - 2 * 4.6, 1e-9)
        # Counts from two steps: 3 is impossible where the second step is certain (p = 1), and fine elsewhere.
        self.write("steps.yaml", "schema: sojourn/model/1\nname: steps\ntime: discrete\nparameters: [{name: p, lower: 0, upper: 1}]\n"
                                 "states: 3\ninitial: [[0, 1]]\nedges: [[0, 1, 1, [0]], [1, 2, 0, [1]]]\n")
        self.write("counts.csv", "count\n2\n3\n")
        for order in (("1", "0.25"), ("0.25", "1")):
            result = self.run_program("evaluate", "steps.yaml", "--theta", order[0], "--theta", order[1], "--loglik", "counts.csv",
                                      "--json")
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertRegex(result.stderr, r"\Aerror: p=1: [^\n]*counts.csv: row 3[^\n]*zero density[^\n]*\n\Z")
            value = json.loads(result.stdout)["log_likelihood"]
            self.assertIsNone(value[order.index("1")])
            self.close(value[order.index("0.25")], 2 * math.log(0.25) + math.log(0.75), 1e-9)

    def test_the_atom_at_zero_is_part_of_the_likelihood(self):
        self.write("zero.csv", "time\n1\n0\n")
        out = self.good_json("evaluate", "mix.yaml", "--theta", "1,1", "--rewards", "first", "--loglik", "zero.csv")
        self.close(out["log_likelihood"][0], math.log(0.9) - 1 + math.log(0.1), 1e-9)

    def test_what_cannot_be_computed_is_null_with_status_4(self):
        result = self.run_program("evaluate", "exponential.yaml", "--theta", "0", "--theta", "2", "--moments", "1", "--json")
        self.assertEqual(result.returncode, 4)
        out = json.loads(result.stdout)
        self.assertEqual(out["moments"], [[None], [0.5]])
        self.assertNotEqual(out["status"][0], "ok")
        self.assertEqual(out["status"][1], "ok")
        self.assertRegex(result.stderr, r"\Aerror: rate=0: [^\n]+\n\Z")

    def test_infinite_log_density_is_null_with_a_status(self):
        self.write("erlang.yaml", "schema: sojourn/model/1\nname: e\nfamily: {erlang: {stages: 2}}\n")
        out = self.good_json("evaluate", "erlang.yaml", "--theta", "1", "--logpdf", "0,1")
        self.assertIsNone(out["logpdf"][0][0])
        self.close(out["logpdf"][0][1], -1, 1e-9)
        self.assertRegex(out["status"][0], "logpdf: t=0 is -inf")

    def test_theta_file_by_header_and_without(self):
        self.write("named.csv", "b,extra,a\n0.4,9,1.3\n1,9,2\n")
        self.write("bare.csv", "1.3,0.4\n2,1\n")
        named = self.good_json("evaluate", "mix.yaml", "--theta-file", "named.csv", "--moments", "1")
        bare = self.good_json("evaluate", "mix.yaml", "--theta-file", "bare.csv", "--moments", "1")
        self.assertEqual(named["theta"], [[1.3, 0.4], [2, 1]])
        self.assertEqual(named["moments"], bare["moments"])

    def test_ranges_table_and_stdin(self):
        model = (self.folder / "exponential.yaml").read_text()
        out = self.good_json("evaluate", "-", "--theta", "1", "--cdf", "0:2:5", stdin=model)
        self.assertEqual(out["points"]["cdf"], [0, 0.5, 1, 1.5, 2])
        text = self.good("evaluate", "exponential.yaml", "--theta", "0.1", "--moments", "1", "--gradient")
        self.assertIn("rate=0.10000000000000001", text)
        self.assertRegex(text, r"moments +1 +(10|9\.9999999999999\d*|10\.0000000000000\d*)")
        self.assertIn("d/drate", text)

    def test_methods_agree(self):
        values = []
        for method in ("auto", "contour", "saddlepoint", "uniformization"):
            out = self.good_json("evaluate", "mix.yaml", "--theta", "1,2", "--pdf", "0.3,2", "--method", method)
            values.append(out["pdf"][0])
        for other in values[1:]:
            for x, y in zip(values[0], other):
                self.close(x, y, 1e-8)

    def test_threads_do_not_change_a_bit(self):
        arguments = ("evaluate", "mix.yaml", "--theta", "1,2", "--theta", "2,1", "--pdf", "0.1:5:40", "--gradient")
        self.assertEqual(self.good_json(*arguments, "--threads", "1"), self.good_json(*arguments, "--threads", "2"))

    def test_fp32_bounds_its_errors_and_says_what_answered(self):
        arguments = ("evaluate", "mix.yaml", "--theta", "1.3,0.4", "--theta", "1e-25,1e-25", "--moments", "2", "--gradient")
        exact, out = self.good_json(*arguments), self.good_json(*arguments, "--precision", "fp32")
        self.assertEqual(out["precision"], {"moments": ["fp32", "fp64"]})
        self.assertNotIn("precision", exact)
        for k in range(2):
            for j in range(2):
                bound = out["error_bound"]["moments"][k][j]
                self.assertLess(bound, 1e-3 if k == 0 else 1e-12)
                self.close(out["moments"][k][j], exact["moments"][k][j], bound)
                for p in range(2):
                    bound = out["gradient_error_bound"]["moments"][k][j][p]
                    self.close(out["gradient"]["moments"][k][j][p], exact["gradient"]["moments"][k][j][p], bound)
        self.assertNotEqual(out["moments"][0], exact["moments"][0])
        self.assertEqual(out["moments"][1], exact["moments"][1])
        self.assertEqual(out, self.good_json(*arguments, "--precision", "fp32", "--threads", "1"))
        table = self.good(*arguments, "--precision", "fp32")
        self.assertRegex(table, r"moments +2 .*e-0[4-9] +fp32")
        self.assertRegex(table, r"moments +2 .*e-1\d +fp64")


if __name__ == "__main__":
    unittest.main()
