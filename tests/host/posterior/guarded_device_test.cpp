// Every call of a device's interfaces finds its device current, whatever the caller's is, and leaves the caller's.
#include "device/guarded_device.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "device/evaluation/shared_programs.hpp"
#include "elimination/prc_arrays.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "sojourn/device_tensor.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

constexpr int kCallers = 1, kOwn = 3;

/// Current devices without any.
struct FakeDevices {
  static inline thread_local int now = kCallers;
  static inline int num_switches = 0;
  static int current() { return now; }
  static void choose(int device) {
    now = device;
    ++num_switches;
  }
  static constexpr DeviceSwitch kSwitch{current, choose};
};

/// Counts calls that found another device current.
struct Seen {
  static inline int num_calls = 0, num_elsewhere = 0;
  static void look() {
    ++num_calls;
    if (FakeDevices::now != kOwn) ++num_elsewhere;
  }
  Seen() { look(); }
  ~Seen() { look(); }
};

struct ProbeCloud final : DeviceCloud {
  Seen seen;
  CloudShare share_out(Communicator&, const DeviceMessages&) override { return Seen::look(), CloudShare{}; }
  bool on_any_rank(const std::function<bool()>& work) override { return Seen::look(), work(); }
  void load(const SvgdState&) override { Seen::look(); }
  void begin_turn(std::int64_t) override { Seen::look(); }
  CloudProgress end_turn() override { return Seen::look(), CloudProgress{}; }
  void open_steps(OpenSteps&) override { Seen::look(); }
  CloudProgress settle(const OpenSteps&) override { return Seen::look(), CloudProgress{}; }
  void follow_line(const line_series::Table&) override { Seen::look(); }
  CloudProgress retry() override { return Seen::look(), CloudProgress{}; }
  void begin_save() override { Seen::look(); }
  void end_save(SvgdState&) override { Seen::look(); }
  void worst_errors(double&, double&) override { Seen::look(); }
  double direction_error() override { return Seen::look(), 0.5; }
};
struct ProbePosterior final : DevicePosterior {
  Seen seen;
  [[nodiscard]] std::int32_t dimension() const override { return Seen::look(), 2; }
  [[nodiscard]] std::int64_t most_particles() const override { return Seen::look(), 7; }
  void evaluate(const DeviceTensor&, const DeviceTensor&, const DeviceTensor&, const DeviceTensor&, void*) override {
    Seen::look();
    throw DeviceError("thrown there");
  }
};
struct ProbeLevel final : DeviceLevel {
  Seen seen;
  void evaluate(MatrixView<const double>, bool, DeviceValues&) override { Seen::look(); }
  std::unique_ptr<DeviceCloud> make_cloud(const ParameterTables&, const SvgdOptions&,
                                          const std::string& name) override {
    Seen::look();
    if (name.empty()) return nullptr;
    return std::make_unique<ProbeCloud>();
  }
  std::unique_ptr<DevicePosterior> make_posterior(const ParameterTables&, std::int64_t) override {
    Seen::look();
    return std::make_unique<ProbePosterior>();
  }
};
struct ProbeTensorMoments final : TensorMoments {
  Seen seen;
  [[nodiscard]] std::int64_t num_rates() const override { return Seen::look(), 2; }
  [[nodiscard]] std::int64_t order() const override { return Seen::look(), 3; }
  [[nodiscard]] bool has_gradient() const override { return Seen::look(), true; }
  [[nodiscard]] std::int64_t most_vectors() const override { return Seen::look(), 9; }
  void evaluate(const DeviceTensor&, const DeviceTensor&, const DeviceTensor&, const DeviceTensor&, void*) override {
    Seen::look();
  }
};
struct ProbeTensorDraws final : TensorDraws {
  Seen seen;
  [[nodiscard]] std::int64_t num_rewards() const override { return Seen::look(), 2; }
  void draw(std::uint64_t, std::int64_t, const DeviceTensor&, void*) override { Seen::look(); }
};
struct ProbeMoments final : DeviceMoments {
  Seen seen;
  void evaluate(const MomentLaneShape&, MatrixView<const double>, std::span<const double>, std::span<double>,
                std::span<double>, std::span<unsigned char>) override {
    Seen::look();
  }
  std::unique_ptr<TensorMoments> on_tensors(const MomentLaneShape&, std::span<const double>, std::int64_t) override {
    return Seen::look(), std::make_unique<ProbeTensorMoments>();
  }
  [[nodiscard]] MomentTraffic traffic(const MomentLaneShape&, std::int64_t) const override {
    return Seen::look(), MomentTraffic{};
  }
};
struct ProbeDevice final : LikelihoodDevice, SvgdDevice, MomentDevice, SampleDevice {
  Seen seen;
  [[nodiscard]] std::string name() const override { return Seen::look(), "probe"; }
  std::unique_ptr<DeviceLevel> load(const PrcArrays&, const LikelihoodTables&) override {
    return Seen::look(), std::make_unique<ProbeLevel>();
  }
  std::unique_ptr<DeviceMoments> load(const PrcArrays&) override {
    return Seen::look(), std::make_unique<ProbeMoments>();
  }
  void draw(const JumpTable&, std::uint64_t, std::int64_t, std::span<double>) override { Seen::look(); }
  std::unique_ptr<TensorDraws> on_tensors(const JumpTable&) override {
    return Seen::look(), std::make_unique<ProbeTensorDraws>();
  }
  [[nodiscard]] std::int32_t most_dimensions() const override { return Seen::look(), 16; }
  void direction(Kernel, const DirectionWork&) override { Seen::look(); }
  void direction(Kernel, const DeviceTensor&, const DeviceTensor&, double, const DeviceTensor&, void*) override {
    Seen::look();
  }
};

/// References that nobody reads.
template <class T>
T& nothing() {
  alignas(64) static char there[1 << 14];
  return *reinterpret_cast<T*>(there);
}

TEST(GuardedDevice, EveryCallFindsItsDeviceAndLeavesTheCallers) {
  Seen::num_calls = Seen::num_elsewhere = 0;
  {
    Device device;
    {
      const CurrentDevice here(FakeDevices::kSwitch, kOwn);
      const auto probe = std::make_shared<ProbeDevice>();
      device = guarded(FakeDevices::kSwitch, kOwn,
                       {.likelihood = probe, .svgd = probe, .moments = probe, .sampling = probe, .limits = [] {
                          Seen::look();
                          return DeviceLimits{};
                        }});
    }
    // Each is expected to be one call more, to have left the caller's device, and to have found its own.
    int num_calls = Seen::num_calls;
    const auto once = [&](const char* what, const auto& call, int calls = 1) {
      call();
      EXPECT_EQ(Seen::num_calls, num_calls += calls) << what;
      EXPECT_EQ(Seen::num_elsewhere, 0) << what;
      EXPECT_EQ(FakeDevices::now, kCallers) << what;
    };
    std::unique_ptr<DeviceLevel> level;
    std::unique_ptr<DeviceMoments> moments;
    std::unique_ptr<TensorMoments> tensor_moments;
    std::unique_ptr<TensorDraws> draws;
    std::unique_ptr<DeviceCloud> cloud;
    std::unique_ptr<DevicePosterior> posterior;
    DeviceValues values;
    OpenSteps steps;
    double x = 0;
    // Where something is made its constructor looks as well.
    once("limits", [&] { device.limits(); });
    once("name", [&] { EXPECT_EQ(device.name(), "probe"); });
    once("svgd name", [&] { EXPECT_EQ(device.svgd->name(), "probe"); });
    once("moments name", [&] { EXPECT_EQ(device.moments->name(), "probe"); });
    once("sampling name", [&] { EXPECT_EQ(device.sampling->name(), "probe"); });
    once("most dimensions", [&] { EXPECT_EQ(device.svgd->most_dimensions(), 16); });
    once("direction", [&] { device.svgd->direction(Kernel{}, {}); });
    once("direction there", [&] { device.svgd->direction(Kernel{}, {}, {}, 1.0, {}, nullptr); });
    once("draw", [&] { device.sampling->draw(nothing<JumpTable>(), 1, 0, {}); });
    once(
        "draws", [&] { draws = device.sampling->on_tensors(nothing<JumpTable>()); }, 2);
    once("draws' rewards", [&] { EXPECT_EQ(draws->num_rewards(), 2); });
    once("draw there", [&] { draws->draw(1, 0, {}, nullptr); });
    once("end of the draws", [&] { draws.reset(); });
    once(
        "load", [&] { level = device.likelihood->load(nothing<PrcArrays>(), nothing<LikelihoodTables>()); }, 2);
    once(
        "load moments", [&] { moments = device.moments->load(nothing<PrcArrays>()); }, 2);
    once("evaluate", [&] { level->evaluate({}, false, values); });
    once("moments", [&] { moments->evaluate(nothing<MomentLaneShape>(), {}, {}, {}, {}, {}); });
    once("traffic", [&] { moments->traffic(nothing<MomentLaneShape>(), 9); });
    once(
        "tensor moments", [&] { tensor_moments = moments->on_tensors(nothing<MomentLaneShape>(), {}, 9); }, 2);
    once("rates", [&] { EXPECT_EQ(tensor_moments->num_rates(), 2); });
    once("order", [&] { EXPECT_EQ(tensor_moments->order(), 3); });
    once("derivatives", [&] { EXPECT_TRUE(tensor_moments->has_gradient()); });
    once("vectors", [&] { EXPECT_EQ(tensor_moments->most_vectors(), 9); });
    once("moments there", [&] { tensor_moments->evaluate({}, {}, {}, {}, nullptr); });
    once("end of tensor moments", [&] { tensor_moments.reset(); });
    const auto& parameters = nothing<ParameterTables>();
    once("no cloud", [&] { EXPECT_EQ(level->make_cloud(parameters, {}, ""), nullptr); });
    once(
        "cloud", [&] { cloud = level->make_cloud(parameters, {}, "one"); }, 2);
    once("share", [&] { cloud->share_out(nothing<Communicator>(), {}); });
    once("any rank", [&] { EXPECT_TRUE(cloud->on_any_rank([] { return true; })); });
    once("load cloud", [&] { cloud->load(nothing<SvgdState>()); });
    once("begin", [&] { cloud->begin_turn(1); });
    once("end", [&] { cloud->end_turn(); });
    once("open", [&] { cloud->open_steps(steps); });
    once("settle", [&] { cloud->settle(steps); });
    once("line", [&] { cloud->follow_line(nothing<line_series::Table>()); });
    once("retry", [&] { cloud->retry(); });
    once("begin save", [&] { cloud->begin_save(); });
    once("end save", [&] { cloud->end_save(nothing<SvgdState>()); });
    once("errors", [&] { cloud->worst_errors(x, x); });
    once("direction error", [&] { EXPECT_EQ(cloud->direction_error(), 0.5); });
    once(
        "posterior", [&] { posterior = level->make_posterior(parameters, 7); }, 2);
    once("dimension", [&] { EXPECT_EQ(posterior->dimension(), 2); });
    once("most", [&] { EXPECT_EQ(posterior->most_particles(), 7); });
    once("thrown", [&] { EXPECT_THROW(posterior->evaluate({}, {}, {}, {}, nullptr), DeviceError); });
    once("end of the cloud", [&] { cloud.reset(); });
    once("end of the posterior", [&] { posterior.reset(); });
    once("end of the level", [&] { level.reset(); });
    once("end of the moments", [&] { moments.reset(); });
  }
  // The device itself has gone too.
  EXPECT_EQ(Seen::num_elsewhere, 0);
  EXPECT_EQ(FakeDevices::now, kCallers);
}

TEST(GuardedDevice, DoesNotSwitchWhereItsDeviceIsCurrent) {
  const int before = FakeDevices::num_switches;
  { const CurrentDevice here(FakeDevices::kSwitch, kCallers); }
  EXPECT_EQ(FakeDevices::num_switches, before);
}

/// Counts what is uploaded.
struct FakeProgram {
  static inline int num_made = 0;
  explicit FakeProgram(PrcArrays sorted) : own(std::move(sorted)) { ++num_made; }
  [[nodiscard]] const PrcArrays& arrays() const { return own; }
  PrcArrays own;
};

TEST(SharedPrograms, AreUploadedOnceWhileTheyAreUsed) {
  const std::int32_t two_demes[] = {3, 2};
  const Prc prc = eliminate(structured_coalescent_blocks(two_demes).graph),
            other = eliminate(coalescent_blocks(5).graph);
  SharedPrograms<FakeProgram> programs;
  FakeProgram::num_made = 0;
  std::shared_ptr<const FakeProgram> first = programs.find(prc.arrays());
  const PrcArrays copy = prc.arrays();
  EXPECT_EQ(programs.find(copy), first);
  EXPECT_EQ(FakeProgram::num_made, 1);
  EXPECT_NE(programs.find(other.arrays()), first);
  EXPECT_EQ(FakeProgram::num_made, 2);
  // The same structure with other numbers is another program.
  PrcArrays changed = prc.arrays();
  changed.alpha.front() += 0.25;
  EXPECT_NE(programs.find(changed), first);
  EXPECT_EQ(FakeProgram::num_made, 3);
  first.reset();
  (void)programs.find(prc.arrays());
  EXPECT_EQ(FakeProgram::num_made, 4);
}

}  // namespace
}  // namespace sojourn
