#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/command_line.hpp"
#include "cli/verb.hpp"
#include "comm/launcher.hpp"
#include "device/support/architecture.hpp"
#include "expects.hpp"
#include "host/evaluation/host_loop_moments.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "host/sampler/host_loop_svgd.hpp"
#include "sojourn/error.hpp"
#include "sojourn/info.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn::cli {
namespace {

using ::testing::HasSubstr;

TEST(DeviceText, NamesReasonsThatOccurred) {
  EXPECT_EQ(device_text(DeviceReport{}), "");
  EXPECT_EQ(device_text(DeviceReport{.name = "cuda:0 X", .num_served = 12'000}), "12,000 likelihoods on cuda:0 X");
  EXPECT_EQ(device_text(DeviceReport{.name = "cuda:0 X", .num_served = 5, .num_uncertified = 2, .num_in_doubt = 1}),
            "5 likelihoods on cuda:0 X, 3 on the CPU instead: 2 with values that are not certified there, "
            "1 with a gradient in doubt");
  EXPECT_EQ(device_text(DeviceReport{.name = "cuda:0 X", .num_served = 5, .num_by_steps = 4, .num_many_steps = 1}),
            "5 likelihoods on cuda:0 X (4 by steps), 1 on the CPU instead: 1 with too many steps");
}

TEST(OpenDevice, IsNoneOnTheCpu) {
  unsetenv("SOJOURN_DEVICE");
  for (const char* name : {"", "auto", "cpu"}) {
    EXPECT_FALSE(open_device(name));
    EXPECT_NO_THROW(expect_cpu(name, "means are"));
  }
  setenv("SOJOURN_DEVICE", "cpu", 1);
  EXPECT_FALSE(open_device(""));
  setenv("SOJOURN_DEVICE", "tpu", 1);
  EXPECT_THROW((void)open_device(""), UsageError);
  EXPECT_FALSE(open_device("cpu"));
  unsetenv("SOJOURN_DEVICE");
}

TEST(OpenDevice, AutoByNameSaysThatItIsTheCpu) {
  const auto text = [](const char* requested, const char* variable) {
    return auto_device_text(requested, fixed_environment({{"SOJOURN_DEVICE", variable}}));
  };
  set_device_lister([] { return std::vector<std::string>{}; });
  const std::string why = build_info().cuda ? "no CUDA device is visible" : "this build has no CUDA";
  EXPECT_EQ(text("auto", ""), "--device auto: the CPU is used, as " + why);
  EXPECT_EQ(text("", "auto"), "SOJOURN_DEVICE auto: the CPU is used, as " + why);
  // Who did not ask, or asked for the CPU, is told nothing.
  EXPECT_EQ(text("", ""), "");
  EXPECT_EQ(text("cpu", "auto"), "");
  set_device_lister([] { return std::vector<std::string>{"cuda:0 X, 1 GiB"}; });
  if (build_info().cuda) {
    EXPECT_EQ(text("auto", ""), "--device auto: the CPU is used; --device cuda takes cuda:0 X, 1 GiB");
  }
  set_device_lister(nullptr);
}

TEST(OpenDevice, ReadsTheEnvironmentThatItIsGiven) {
  EXPECT_FALSE(open_device("", fixed_environment({{"SOJOURN_DEVICE", "cpu"}})));
  EXPECT_FALSE(open_device("", fixed_environment({{"SOJOURN_DEVICE", ""}})));
  EXPECT_THROW((void)open_device("", fixed_environment({{"SOJOURN_DEVICE", "tpu"}})), UsageError);
}

TEST(OpenDevice, RefusesNamesThatAreNone) {
  for (const char* name : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:12345", "CUDA"})
    EXPECT_THROW((void)open_device(name), UsageError) << name;
}

TEST(OpenDevice, WithoutADeviceIsADeviceError) {
  if (!build_info().devices.empty()) GTEST_SKIP() << "a CUDA device is present";
  EXPECT_THROW((void)open_device("cuda"), DeviceError);
  EXPECT_THROW((void)open_device("cuda:0"), DeviceError);
  EXPECT_THROW(expect_cpu("cuda", "means are"), DeviceError);
}

TEST(DeviceText, NamesWhatIterationsAndMomentsDid) {
  DeviceIterations report;
  EXPECT_EQ(device_text(report), "");
  report.name = "cuda:0 X";
  report.num_resident = 500;
  EXPECT_EQ(device_text(report), "500 iterations on cuda:0 X, particles staying there");
  report.num_halts = 3;
  EXPECT_THAT(device_text(report), HasSubstr("in 3 of them some came to the CPU"));
  report.messages = "NCCL 2.28.9";
  EXPECT_THAT(device_text(report), HasSubstr("; between the devices of ranks by NCCL 2.28.9"));
  report = {};
  report.name = "X";
  report.num_directions = 7;
  report.why_not_resident = "so";
  EXPECT_EQ(device_text(report), "7 directions of SVGD on X; particles come to the host in each iteration: so");
  report = {};
  report.name = "X";
  report.why_no_directions = "no";
  EXPECT_EQ(device_text(report), "directions of SVGD on the CPU, not on X: no");
  EXPECT_EQ(device_text(MomentReport{}), "");
  EXPECT_EQ(
      device_text(MomentReport{.name = "X", .num_served = 9, .num_in_doubt = 1, .num_not_finite = 2, .traffic = {}}),
      "moments at 9 parameter vectors on X, at 1 with a gradient in doubt on the CPU instead, at 2 with numbers "
      "beyond double precision on the CPU instead");
}

/// A host loop in a device's place, for as long as a test runs.
class HostLoopAsDevice {
 public:
  HostLoopAsDevice() {
    set_device_lister([] { return std::vector<std::string>{"cuda:0 host loop, 1 GiB"}; });
    set_device_opener([](int, LikelihoodDevice::Report report) {
      const auto likelihood = std::make_shared<testing::HostLoopDevice>();
      likelihood->report = std::move(report);
      return Device{.likelihood = likelihood,
                    .svgd = std::make_shared<testing::HostLoopSvgd>(),
                    .moments = std::make_shared<testing::HostLoopMoments>(),
                    .sampling = nullptr,
                    .limits = nullptr};
    });
  }
  ~HostLoopAsDevice() {
    testing::UnwrittenMemory::largest_piece = std::numeric_limits<std::size_t>::max();
    set_device_lister(nullptr);
    set_device_opener(nullptr);
  }
};

/// A folder with a run of two demes, and the program in this process.
struct ProgramWithRun {
  explicit ProgramWithRun(const std::string& name) : folder(std::filesystem::path(::testing::TempDir()) / name) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    write("model.yaml",
          "schema: sojourn/model/1\nname: demes\n"
          "family: {structured_coalescent: {samples: [2, 2], state: blocks}}\n");
    write("times.csv", "time\n0.4\n0.9\n1.3\n2.2\n3.1\n0.7\n");
  }
  ~ProgramWithRun() { std::filesystem::remove_all(folder); }
  void write(const char* name, const std::string& text) const { std::ofstream(folder / name) << text; }
  void write_run(const std::string& sampler) const {
    std::string priors;
    for (const char* name : {"coal_0", "coal_1", "mig_0_1", "mig_1_0"})
      priors += fmt::format("  {}: {{lognormal: {{mean: 0, sd: 0.5}}}}\n", name);
    write("run.yaml", "schema: sojourn/run/1\nmodel: model.yaml\ndata: {file: times.csv}\npriors:\n" + priors +
                          "sampler: {" + sampler + "}\nseed: 1\n");
  }
  [[nodiscard]] std::string path(const char* name) const { return (folder / name).string(); }
  static int run(std::vector<std::string> words) {
    words.insert(words.begin(), "sojourn");
    std::vector<const char*> arguments;
    for (const std::string& word : words) arguments.push_back(word.c_str());
    return run_command_line(static_cast<int>(arguments.size()), arguments.data());
  }
  /// The run on the device; what it said on standard error.
  [[nodiscard]] std::string infer_there(const char* output, int expected) const {
    ::testing::internal::CaptureStderr();
    const int code = run({"infer", path("run.yaml"), "--output", path(output), "--device", "cuda", "--quiet"});
    std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(code, expected) << said;
    return said;
  }
  [[nodiscard]] std::string particles(const std::string& output) const { return text(output + "/particles.csv"); }
  [[nodiscard]] std::string text(const std::string& name) const {
    std::ifstream file(folder / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::filesystem::path folder;
};

/// Row 46 of the bad inputs, from an allocation that a driver refuses to the line on standard error.
TEST(ThroughTheProgram, OutOfDeviceMemory) {
  if (!build_info().cuda) GTEST_SKIP() << "this build has no CUDA and refuses every device";
  if (launcher_rank("").size > 1) GTEST_SKIP() << "a run on several ranks needs the program, which has MPI";
  const HostLoopAsDevice device;
  const ProgramWithRun program("out_of_device_memory");
  std::size_t& largest_piece = testing::UnwrittenMemory::largest_piece;
  program.write_run("particles: 600, iterations: 2, start: prior");
  EXPECT_EQ(program.infer_there("whole", 0), "");

  // Half of what is asked for is there: what was done is said, and the particles are the same.
  largest_piece = 1'000'000;
  const std::string halved = program.infer_there("halved", 0);
  EXPECT_THAT(halved, HasSubstr("warning: CUDA: out of memory: asked for 1310400 bytes, 1000000 of 1099511627776 are "
                                "free: the batch is halved to 300\n"));
  EXPECT_THAT(halved, ::testing::Not(HasSubstr("halved to 150")));
  EXPECT_EQ(program.particles("halved"), program.particles("whole"));
  EXPECT_THAT(program.text("halved/summary.json"), HasSubstr("the batch is halved to 300\""));
  EXPECT_THAT(program.text("whole/summary.json"), ::testing::Not(HasSubstr("halved")));
  EXPECT_NE(program.particles("whole"), "");

  // Batches of few particles still go.
  largest_piece = 20'000;
  const std::string few = program.infer_there("few", 6);
  // How many are asked for at once, and so what their halves come to, follows how long they take.
  EXPECT_THAT(few, ::testing::ContainsRegex("the batch is halved to [0-9]\n"));
  EXPECT_THAT(few, HasSubstr("a run's 600 particles stay on the device"));

  // Not even one particle.
  largest_piece = 1'000;
  const std::string none = program.infer_there("none", 6);
  EXPECT_THAT(none,
              ::testing::ContainsRegex(
                  "error: CUDA: out of memory: asked for [0-9]+ bytes, 1000 of 1099511627776 are free; that is for one "
                  "block of lanes, whatever the batch: free memory there, take a device with more, or use --device "
                  "cpu\n$"));
  EXPECT_FALSE(std::filesystem::exists(program.folder / "none"));

  // Batches fit, but not all particles of a run beside each other.
  program.write_run("particles: 30000, iterations: 2, start: prior");
  largest_piece = 5'000'000;
  const std::string many = program.infer_there("many", 6);
  EXPECT_THAT(many, ::testing::ContainsRegex(
                        "error: CUDA: out of memory: asked for [0-9]+ bytes, 5000000 of .* are free; a run's 30000 "
                        "particles stay on the device; about [0-9]+ fit: give --particles that many, or "
                        "use --device cpu\n$"));
  EXPECT_FALSE(std::filesystem::exists(program.folder / "many"));
}

/// Row 44, from a device of an architecture that the program was not compiled for to the line on standard error.
TEST(ThroughTheProgram, ADeviceThatThereIsNoCodeFor) {
  if (!build_info().cuda) GTEST_SKIP() << "this build has no CUDA and refuses every device";
  if (launcher_rank("").size > 1) GTEST_SKIP() << "a run on several ranks needs the program, which has MPI";
  const HostLoopAsDevice device;
  const ProgramWithRun program("no_code");
  program.write_run("particles: 10, iterations: 2, start: prior");
  set_device_opener([](int, LikelihoodDevice::Report) -> Device {
    expect_code_for("cuda:0 Tesla T4, 14 GiB", 75, "80,90");
    return {};
  });
  EXPECT_EQ(
      program.infer_there("none", 6),
      "error: cuda:0 Tesla T4, 14 GiB: its compute capability is 7.5, and this program has code for 80,90 only; use "
      "--device cpu, or build with -DCMAKE_CUDA_ARCHITECTURES=75\n");
  EXPECT_FALSE(std::filesystem::exists(program.folder / "none"));
}

/// The verbs with `--device cuda`, through the whole program, where it was built to ask for a device.
TEST(ThroughTheProgram, InferAndEvaluateOnADevice) {
  if (!build_info().cuda) GTEST_SKIP() << "this build has no CUDA and refuses every device";
  if (launcher_rank("").size > 1) GTEST_SKIP() << "a run on several ranks needs the program, which has MPI";
  const HostLoopAsDevice device;
  const ProgramWithRun program("through_the_program");
  program.write_run("particles: 40, iterations: 30");
  const auto path = [&](const char* name) { return program.path(name); };
  const auto run = ProgramWithRun::run;
  const auto summary = [&](const char* result) {
    return nlohmann::json::parse(std::ifstream(program.folder / result / "summary.json"));
  };
  ASSERT_EQ(run({"infer", path("run.yaml"), "--output", path("there"), "--device", "cuda", "--quiet"}), 0);
  ASSERT_EQ(run({"infer", path("run.yaml"), "--output", path("here"), "--device", "cpu", "--quiet"}), 0);
  const nlohmann::json there = summary("there"), here = summary("here");
  EXPECT_EQ(there["device_iterations"]["resident"], 30);
  EXPECT_EQ(there["device_iterations"]["halts"], 0);
  EXPECT_EQ(there["device_iterations"]["messages"], "") << "one rank";
  EXPECT_TRUE(here["device_iterations"].is_null());
  // The start's curvature is a difference of scores at steps of 1e-4 and more: their roundings count 1e4 times there.
  for (const char* name : {"coal_0", "mig_1_0"})
    EXPECT_NEAR(there["parameters"][name]["mean"].get<double>(), here["parameters"][name]["mean"].get<double>(), 1e-6);
  EXPECT_EQ(run({"evaluate", path("model.yaml"), "--theta", "1,2,0.5,0.7", "--moments", "2", "--gradient", "--device",
                 "cuda:0", "--json"}),
            0);
  EXPECT_EQ(run({"evaluate", path("model.yaml"), "--theta", "1,2,0.5,0.7", "--pdf", "1", "--device", "cuda"}), 6);
  EXPECT_EQ(run({"evaluate", path("model.yaml"), "--theta", "1,2,0.5,0.7", "--moments", "5", "--device", "cuda"}), 6);
}

/// A law of counts: step by step there, directions as well, particles on the host in between.
TEST(ThroughTheProgram, InfersFromCountsOnADevice) {
  if (!build_info().cuda) GTEST_SKIP() << "this build has no CUDA and refuses every device";
  if (launcher_rank("").size > 1) GTEST_SKIP() << "a run on several ranks needs the program, which has MPI";
  const HostLoopAsDevice device;
  const ProgramWithRun program("counts_through_the_program");
  program.write("model.yaml",
                "schema: sojourn/model/1\nname: tries\ntime: discrete\nstates: 4\ninitial: [[0, 1]]\n"
                "parameters: [{name: p, lower: 0, upper: 1}, {name: q, lower: 0, upper: 1}]\n"
                "edges: [[0, 1, 0, [1, 0]], [1, 0, 0.25, [0, -0.25]], [1, 2, 0, [0, 0.5]], [2, 3, 0, [0.5, 0]]]\n"
                "rewards: {first: [1, 1, 0, 0]}\n");
  program.write("counts.csv",
                "count,event,lower,upper,entry\n4,1,,,\n9,1,,,\n30,0,,,\n,,5,90,\n12,1,,,6\n,,,7,\n7,1,,,\n");
  const auto write_run = [&](const char* more) {
    program.write("run.yaml", std::string("schema: sojourn/run/1\nmodel: model.yaml\ndata: {file: counts.csv}\n"
                                          "priors: {p: {beta: {a: 2, b: 2}}, q: {beta: {a: 2, b: 2}}}\n"
                                          "sampler: {particles: 40, iterations: 30}\nseed: 1\n") +
                                  more);
  };
  write_run("");
  const auto infer = [&](const char* output, const char* where) {
    EXPECT_EQ(program.run(
                  {"infer", program.path("run.yaml"), "--output", program.path(output), "--device", where, "--quiet"}),
              0);
    return nlohmann::json::parse(std::ifstream(program.folder / output / "summary.json"));
  };
  const nlohmann::json there = infer("there", "cuda"), here = infer("here", "cpu");
  const nlohmann::json& likelihoods = there["device_likelihoods"];
  EXPECT_GE(likelihoods["by_steps"], 40 * 30);
  EXPECT_EQ(likelihoods["by_steps"], likelihoods["served"]);
  EXPECT_EQ(likelihoods["on_cpu"], 0);
  EXPECT_EQ(there["device_iterations"]["resident"], 0);
  EXPECT_EQ(there["device_iterations"]["directions"], 30);
  EXPECT_THAT(there["device_iterations"]["why_not_resident"].get<std::string>(), HasSubstr("step by step"));
  for (const char* name : {"p", "q"})
    EXPECT_NEAR(there["parameters"][name]["mean"].get<double>(), here["parameters"][name]["mean"].get<double>(), 1e-6);
  // Steps that count for nothing are the CPU's.
  write_run("rewards: first\n");
  EXPECT_THAT(program.infer_there("none", 6),
              HasSubstr("state 2 earns a reward of 0 a step; in discrete time only steps are counted there; use "
                        "--device cpu"));
}

}  // namespace
}  // namespace sojourn::cli
