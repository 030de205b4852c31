"""`infer --plan` for a device that need not be here."""

import unittest

from program_case import RUN, ProgramCase


class DevicePlan(ProgramCase):
    def setUp(self):
        super().setUp()
        info = self.good_json("info")
        if not info["cuda"]:
            self.skipTest("this build has no CUDA")
        self.has_device = bool(info["devices"])
        self.write("run.yaml", RUN.replace("model: exponential.yaml", "model: mix.yaml").replace(
            "{rate: {gamma: {shape: 2, rate: 1}}}", "{a: {gamma: {shape: 2, rate: 1}}, b: {gamma: {shape: 2, rate: 1}}}"))

    def test_a_device_that_is_not_here_is_assumed_and_said(self):
        text = self.good("infer", "run.yaml", "--plan", "--assume-device", "h200")
        self.assertIn("device              assumed: NVIDIA H200\n", text)
        self.assertRegex(text, r"device memory       .* of 139 GiB: batch .*, data .*, particles .*, program ")
        self.assertRegex(text, r"batch               100 of a device's 100 particles at once, which stay there")
        self.assertRegex(text, r"an iteration there  about .* \(predicted from constants that are not measured: preparation .*, transforms ")
        if not self.has_device:
            self.assertIn("assumed: NVIDIA H200", self.good("infer", "run.yaml", "--plan", "--device", "cuda"))
            self.assertIn("assumed: NVIDIA H200", self.good("infer", "run.yaml", "--plan", env={"SOJOURN_DEVICE": "cuda:3"}))
            # A run itself is not for a device that is assumed.
            self.bad(6, "no CUDA device is visible", "infer", "run.yaml", "--device", "cuda")
        self.assertNotIn("device memory", self.good("infer", "run.yaml", "--plan", "--device", "cpu"))

    def test_bytes_grow_with_the_particles_until_they_do_not_fit(self):
        def plan(particles, device):
            return self.good_json("infer", "run.yaml", "--plan", "--particles", str(particles), "--assume-device", device)["device_plan"]

        few, many = plan(100, "h200"), plan(3200, "h200")
        self.assertTrue(few["assumed"] and few["fits"] and few["resident"])
        self.assertIs(few["constants_measured"], False)
        self.assertEqual(few["parts"]["program"], many["parts"]["program"])
        self.assertAlmostEqual(many["parts"]["batch"], 32 * few["parts"]["batch"], delta=0.1 * many["parts"]["batch"])
        self.assertAlmostEqual(sum(many["parts"].values()), many["predicted_bytes"])
        self.assertGreater(many["predicted_seconds_iteration"], few["predicted_seconds_iteration"])
        tight = plan(100000, "48MiB")
        self.assertEqual((tight["fits"], tight["memory_bytes"]), (True, 48 * 2**20))
        self.assertLess(tight["batch"], 100000)
        none = plan(100, "4KiB")
        self.assertFalse(none["fits"])
        self.assertRegex(none["fault"], r"out of memory: asked for \d+ bytes, \d+ of 4096 are free")
        self.assertIn("does not fit        CUDA: out of memory",
                      self.good("infer", "run.yaml", "--plan", "--assume-device", "4KiB"))

    def test_bad_requests(self):
        self.bad(2, "--assume-device 'v100' is neither a device that is known", "infer", "run.yaml", "--plan", "--assume-device", "v100")
        self.bad(2, "only --plan is for a device that is not here", "infer", "run.yaml", "--assume-device", "h200")
        # A law that devices do not know.
        self.write("run.yaml", RUN.replace("model: exponential.yaml", "model: mix.yaml\nrewards: first").replace(
            "{rate: {gamma: {shape: 2, rate: 1}}}", "{a: {gamma: {shape: 2, rate: 1}}, b: {gamma: {shape: 2, rate: 1}}}"))
        self.bad(6, "not evaluated on a device", "infer", "run.yaml", "--plan", "--assume-device", "h200")

    def test_counts_go_step_by_step(self):
        self.write("counts.csv", "count\n1\n3\n")
        # The second of two trials, whose chances differ.
        self.write("trials.yaml", "schema: sojourn/model/1\nname: trials\ntime: discrete\nparameters: [{name: p, lower: 0, upper: 1}, "
                                  "{name: q, lower: 0, upper: 1}]\nstates: 3\ninitial: [[0, 0.5], [1, 0.5]]\n"
                                  "edges: [[0, 1, 0, [1, 0]], [1, 2, 0, [0, 1]]]\n")
        run = RUN.replace("exponential.yaml", "trials.yaml").replace("times.csv", "counts.csv")
        self.write("run.yaml", run.replace("{rate: {gamma: {shape: 2, rate: 1}}}", "{p: {beta: {a: 2, b: 2}}, q: {beta: {a: 2, b: 2}}}"))
        text = self.good("infer", "run.yaml", "--plan", "--assume-device", "h200")
        self.assertRegex(text, "100 of a device's 100 particles at once; to the host in each iteration: .*step by step")
        self.assertIn("step by step to the largest count, whose time is not predicted", text)
        # With one free parameter the particles read a line instead.
        self.write("run.yaml", run.replace("trials.yaml", "geometric.yaml").replace("{rate: {gamma: {shape: 2, rate: 1}}}",
                                                                                     "{p: {beta: {a: 2, b: 2}}}"))
        text = self.good("infer", "run.yaml", "--plan", "--assume-device", "h200")
        self.assertRegex(text, "none of a device's 100 particles at once; to the host in each iteration: .*step by step")
        self.assertIn("one free parameter", text)


if __name__ == "__main__":
    unittest.main()
