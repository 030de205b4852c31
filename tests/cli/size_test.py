"""What a model takes is told before it is done, and what cannot fit is refused."""

import unittest

from program_case import ProgramCase

COALESCENT = "schema: sojourn/model/1\nfamily: {coalescent: {samples: SAMPLES, state: blocks}}\n"
QUEUE = "schema: sojourn/model/1\nfamily: {mm1k: {capacity: CAPACITY}}\n"
DEMES = """\
schema: sojourn/model/1
parameters: [c, m]
variables: {a: {initial: 300}, b: {initial: 0}}
rules:
  - {when: a >= 1 && a + b >= 2, rate: c * a, effect: {a: a-1}}
  - {when: a >= 1, rate: m * a, effect: {a: a-1, b: b+1}}
  - {when: b >= 1, rate: m * b, effect: {a: a+1, b: b-1}}
absorbing: a + b == 1
"""


class Size(ProgramCase):
    def setUp(self):
        super().setUp()
        self.write("coalescent.yaml", COALESCENT.replace("SAMPLES", "30"))
        self.write("queue.yaml", QUEUE.replace("CAPACITY", "20000"))
        self.write("demes.yaml", DEMES)

    def test_inspect_predicts_what_elimination_makes(self):
        for model in ("coalescent.yaml", "queue.yaml", "demes.yaml", "mix.yaml"):
            found = self.good_json("inspect", model)
            predicted = found["predicted"]
            self.assertTrue(found["fits"])
            self.assertTrue(predicted["exact"])
            self.assertLess(abs(predicted["program_bytes"] - found["bytes"]), 0.2 * found["bytes"])
            self.assertGreater(predicted["elimination_bytes"], found["bytes"])
            self.assertGreater(predicted["gradient_bytes_per_vector"], predicted["value_bytes_per_vector"])
            self.assertGreater(found["bytes_left"], predicted["elimination_bytes"])
        self.assertEqual(self.good_json("inspect", "queue.yaml")["predicted"]["factor_multiply_adds"], 19999)

    def test_inspect_takes_no_look_that_is_not_quick(self):
        self.write("large.yaml", QUEUE.replace("CAPACITY", "1000000"))
        seen = self.good_json("inspect", "large.yaml")["identifiability"]
        self.assertFalse(seen["assessed"])
        self.assertIn("too large for a quick look", seen["reason"])
        self.assertTrue(self.good_json("inspect", "queue.yaml")["identifiability"]["assessed"])

    def test_same_model_whatever_the_threads(self):
        for model in ("coalescent.yaml", "demes.yaml"):
            digests = {self.good_json("inspect", model, "--threads", threads)["digest"] for threads in ("1", "2", "3")}
            self.assertEqual(len(digests), 1)

    def test_limit_below_what_the_program_holds(self):
        self.bad(3, "--max-memory", "inspect", "demes.yaml", "--max-memory", "1M")
        self.bad(3, r"20001 states.*--max-memory", "inspect", "queue.yaml", "--max-memory", "1M")
        self.bad(3, "--max-memory", "evaluate", "demes.yaml", "--theta", "1,1", "--moments", "1", env={"SOJOURN_MAX_MEMORY": "1M"})

    def grid(self, side):
        edges = []
        for i in range(side):
            for j in range(side):
                s = i * side + j
                steps = [(i > 0, -side), (j > 0, -1), (j + 1 < side, 1), (i + 1 < side, side)]
                edges += [f"[{s},{s + step},0,[1]]" for possible, step in steps if possible]
        edges.append(f"[{side * side - 1},{side * side},0,[1]]")
        return (f"schema: sojourn/model/1\nparameters: [r]\nstates: {side * side + 1}\ninitial: [[0, 1]]\n"
                f"edges: [{', '.join(edges)}]\n")

    def test_what_does_not_fit_is_refused_and_nothing_written(self):
        self.write("grid.yaml", self.grid(100))
        found = self.good_json("inspect", "grid.yaml")
        needed = found["predicted"]["elimination_bytes"]
        self.assertGreater(needed, 14 << 20)
        self.write("grid-run.yaml", "schema: sojourn/run/1\nmodel: grid.yaml\ndata: {file: times.csv}\n"
                   "priors: {r: {gamma: {shape: 2, rate: 1}}}\n")
        # What the process holds after reading, and half of what the program takes.
        roomy = 400 << 20
        held = roomy - self.good_json("inspect", "grid.yaml", "--max-memory", str(roomy))["bytes_left"]
        limit = str(held + needed // 2)
        told = self.good_json("inspect", "grid.yaml", "--max-memory", limit)
        self.assertFalse(told["fits"])
        self.assertLess(abs(told["predicted"]["elimination_bytes"] - needed), 0.2 * needed)
        self.assertLess(told["bytes_left"], needed)
        self.assertIn("does not fit", told["identifiability"]["reason"])
        self.assertRegex(self.good("inspect", "grid.yaml", "--max-memory", limit), "fits +no, .* are left")
        self.bad(3, r"10001 states.*need about .*allowed are .*--max-memory", "evaluate", "grid.yaml", "--theta", "1",
                 "--moments", "1", "--max-memory", limit)
        self.bad(3, "--max-memory", "infer", "grid-run.yaml", "--output", "out", "--max-memory", limit)

    def test_sizes(self):
        for size in ("0", "-1", "lots", "1X", ""):
            if size:
                self.bad(2, "--max-memory", "inspect", "mix.yaml", "--max-memory", size)
        self.bad(2, "SOJOURN_MAX_MEMORY='lots'", "inspect", "mix.yaml", env={"SOJOURN_MAX_MEMORY": "lots"})
        self.good("inspect", "mix.yaml", "--max-memory", "4GiB")


if __name__ == "__main__":
    unittest.main()
