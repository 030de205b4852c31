"""`sojourn bench`: its numbers are of this machine, so the tests hold what they must agree on, never how large they are."""

import json
import math
import re
import unittest
import xml.etree.ElementTree

from program_case import ProgramCase

SCALES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
# Short enough for any machine; one particle count, so that no row is left out.
SHORT = ("--quick", "--repetitions", "2", "--seconds", "0.001", "--observations", "20", "--particles", "40")
QUANTITIES = ["log_likelihood", "log_likelihood_gradient", "mean", "mean_gradient"]


def read_rate(text):
    """"1.03 M (2 %) [35]" as a number."""
    number, letter = re.match(r"([0-9.e+-]+)(?: ([kMGT]))?(?: \(|$)", text).groups()
    return float(number) * SCALES[letter or ""]


class Bench(ProgramCase):
    def check(self, out, by_contours=True):
        """What every JSON object must hold."""
        self.assertEqual(out["schema"], "sojourn/bench/1")
        self.assertTrue(out["machine"]["cpu"])
        self.assertGreaterEqual(out["machine"]["usable_cores"], 1)
        self.assertEqual(len(out["machine"]["load_average_before"]), 3)
        limits = {limit["threads"]: limit for limit in out["limits"]}
        for limit in limits.values():
            for name in ("multiply_adds_per_second", "copied_bytes_per_second"):
                self.assertGreater(limit[name]["low"], 0)
        cases = {case["name"]: case for case in out["cases"]}
        for row in out["measurements"]:
            self.assertIn(row["quantity"], QUANTITIES)
            self.assertIn(row["precision"], ("fp64", "fp32"))
            self.assertEqual(row["device"], "cpu")
            if row["status"] != "ok":
                self.assertEqual(row["status"], "not measured")
                self.assertTrue(row["reason"])
                continue
            rate = row["per_second"]
            self.assertTrue(0 < rate["low"] <= rate["median"] <= rate["high"])
            if not row["quantity"].startswith("mean") and not by_contours:
                self.assertEqual((row["share"], row["limit"], row["multiply_adds_per_second"]), (None, None, None))
                continue
            if not row["quantity"].startswith("mean"):
                # Draws of these cases go by contours. 16 nodes and a complex factor, once, are the least of them.
                self.assertTrue(0 < row["share"] <= 1.2, row)
                self.assertEqual((row["limit"], row["share_of_copy"]), ("multiply_adds", None))
                self.assertGreater(row["multiply_adds_per_second"],
                                   16 * 4 * cases[row["case"]]["factor_multiply_adds"] * rate["median"])
                continue
            # Nothing beats a loop of nothing but multiply-adds; a busy machine may have slowed that loop down.
            # The loop is in fp64: twice as many fit a register in fp32.
            self.assertTrue(0 < row["share"] <= (1.2 if row["precision"] == "fp64" else 2.4), row)
            case = cases[row["case"]]
            solves = 2 if row["quantity"] == "mean_gradient" else 1
            counted = case["factor_multiply_adds"] + solves * case["solve_multiply_adds"]
            if counted == 0:  # one state needs none
                self.assertIsNone(row["multiply_adds_per_second"])
                continue
            self.assertAlmostEqual(row["multiply_adds_per_second"] / (counted * rate["median"]), 1, delta=1e-12)
            best = max(v["multiply_adds_per_second"]["high"] for k, v in limits.items() if k <= row["threads"])
            self.assertAlmostEqual(row["share_of_multiply_adds"] / (row["multiply_adds_per_second"] / best), 1,
                                   delta=1e-12)
            self.assertEqual(row["share"], max(row["share_of_multiply_adds"], row["share_of_copy"]))
        (device,) = out["devices"]
        self.assertEqual((device["device"], device["status"]), ("cuda", "not measured"))
        self.assertTrue(device["reason"])

    def test_quick_json(self):
        before = self.files()
        out = self.good_json("bench", "--quick")
        self.check(out)
        self.assertTrue(out["quick"])
        self.assertEqual([case["name"] for case in out["cases"]],
                         ["coalescent_blocks_20", "two_deme_blocks_10", "coalescent_lineages_10", "coxian_10"])
        self.assertEqual({row["threads"] for row in out["measurements"]}, {1, 2})
        self.assertEqual(len(out["measurements"]), 4 * 2 * 4)
        # 4 quantities of each case and number of threads, all measured
        self.assertEqual({row["status"] for row in out["measurements"]}, {"ok"})
        self.assertEqual(sorted(out["speedup"]), sorted(QUANTITIES))
        self.assertEqual(self.files(), before)

    def test_table_and_json_agree(self):
        table = self.good("bench", "coxian_10", "coalescent_lineages_10", *SHORT, "--threads", "2,1", "--save", "b.json")
        out = json.loads((self.folder / "b.json").read_text())
        self.check(out)
        rows = {}
        for row in out["measurements"]:
            rows.setdefault((row["case"], row["threads"], row["particles"]), {})[row["quantity"]] = row
        lines = [re.split(r"  +", line) for line in table.splitlines() if re.match(r"co\w+_10  +fp64  +[12]  +40 ", line)]
        self.assertEqual(len(lines), 4, table)
        for case, _, threads, particles, *cells in lines:
            of = rows[case, int(threads), int(particles)]
            # Three significant digits.
            for quantity, cell in zip(QUANTITIES, cells):
                self.assertAlmostEqual(read_rate(cell) / of[quantity]["per_second"]["median"], 1, delta=0.0051, msg=cell)
            self.assertAlmostEqual(read_rate(cells[4]) / of["mean"]["multiply_adds_per_second"], 1, delta=0.0051)
            share = float(cells[5].rstrip(" %"))
            self.assertAlmostEqual(share, 100 * of["mean"]["share"], delta=max(0.0051, 0.051 * share))
            counted = of["log_likelihood"]
            self.assertAlmostEqual(read_rate(cells[6]) / counted["multiply_adds_per_second"], 1, delta=0.0051)
            share = float(cells[7].rstrip(" %"))
            self.assertAlmostEqual(share, 100 * counted["share"], delta=max(0.0051, 0.051 * share))
        self.assertIn(out["machine"]["cpu"], table)
        self.assertIn("load", table)
        self.assertRegex(table, r"device cuda: not measured, \w+")

    def test_precisions(self):
        out = self.good_json("bench", "coxian_10", *SHORT, "--threads", "1", "--precision", "fp32,fp64")
        self.check(out)
        rows = [(row["precision"], row["quantity"], row["status"]) for row in out["measurements"]]
        self.assertEqual(rows[:4], [("fp64", quantity, "ok") for quantity in QUANTITIES])
        self.assertEqual(rows[4:], [("fp32", quantity, "ok" if quantity.startswith("mean") else "not measured")
                                    for quantity in QUANTITIES])
        table = self.good("bench", "coxian_10", *SHORT, "--threads", "1", "--precision", "fp32")
        self.assertRegex(table, r"coxian_10 +fp32 +1 +40 +- +- +[\d.]+ ")

    def test_model_file(self):
        out = self.good_json("bench", "mix.yaml", *SHORT, "--theta", "1.3,0.4", "--threads", "1")
        self.check(out)
        self.assertEqual([(case["name"], case["states"]) for case in out["cases"]], [("mix.yaml", 3)])
        self.assertEqual([row["status"] for row in out["measurements"]], ["ok"] * 4)
        self.assertTrue(all(value is None for value in out["speedup"].values()))
        discrete = self.good_json("bench", "geometric.yaml", *SHORT, "--threads", "1")
        self.check(discrete, by_contours=False)  # steps are not counted
        self.assertIn("ok", [row["status"] for row in discrete["measurements"]])

    def test_a_quantity_that_fails_is_a_row_and_a_case_that_fails_an_error(self):
        # Weight 1 - a is negative at a = 2, so nothing can be measured there.
        self.write("cut.yaml", "schema: sojourn/model/1\nname: cut\nparameters: [a]\nstates: 2\ninitial: [[0, 1]]\n"
                               "edges: [[0, 1, 1.0, [-1.0]]]\n")
        self.bad(4, "cut.yaml.*weight", "bench", "./cut.yaml", *SHORT, "--theta", "2")

    def test_plot_is_a_picture_of_its_own(self):
        self.good("bench", "coxian_10", *SHORT, "--threads", "1,2", "--plot", "b.svg")
        picture = (self.folder / "b.svg").read_text()
        root = xml.etree.ElementTree.fromstring(picture)
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        width = float(root.get("viewBox").split()[2])
        self.assertLessEqual(width, 400)  # a phone shows it without turning
        self.assertIn("coxian_10", picture)
        self.assertNotIn("http", picture.replace("http://www.w3.org/2000/svg", ""))
        for element in root.iter():
            for name in ("x", "y", "width", "height"):
                if element.get(name):
                    self.assertTrue(math.isfinite(float(element.get(name))))

    def test_errors(self):
        self.bad(2, "unknown case 'coxian_1'; did you mean 'coxian_10'\\?; there are: coalescent_blocks_20", "bench", "coxian_1")
        self.bad(2, "unknown case 'two_deme_block_10'; did you mean 'two_deme_blocks_10'\\?", "bench", "--quick", "two_deme_block_10")
        self.bad(2, "unknown case 'nothing-like-it'; there are: .*MODEL.yaml", "bench", "nothing-like-it")
        self.bad(5, "missing.yaml", "bench", "missing.yaml")
        self.bad(2, "--precision: 'fp16' is not measured", "bench", "--precision", "fp16")
        self.bad(2, "--threads: 0 is out of range", "bench", "--threads", "0")
        self.bad(2, "--threads: 'x' is not a whole number", "bench", "--threads", "1,x")
        self.bad(2, "--particles: '' is not a whole number", "bench", "--particles", "1,")
        self.bad(2, "--repetitions: 0 is out of range", "bench", "--repetitions", "0")
        self.bad(2, "unknown flag --quik; did you mean '--quick'\\?", "bench", "--quik")
        self.bad(2, "--plot: times.csv exists; give --overwrite", "bench", "--plot", "times.csv")
        self.bad(2, "--save: give a file", "bench", "--save=-")
        self.bad(5, "--save: folder nowhere does not exist", "bench", "--save", "nowhere/b.json")
        self.bad(2, "2 values|wrong|length|parameters", "bench", "mix.yaml", "--theta", "1")
        self.bad(6, "cuda", "bench", "--device", "cuda:99")

    def test_help(self):
        text = self.good("bench", "--help")
        self.assertIn("Examples:\n  sojourn bench --quick", text)
        self.assertIn("grid_100x100", text)


if __name__ == "__main__":
    unittest.main()
