#include "result/netcdf_file.hpp"

#include <gtest/gtest.h>
#include <netcdf.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "host/result/made_up_run.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

class NetcdfFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("sojourn-netcdf-" + std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

std::vector<double> values_of(int group, const char* name, std::vector<std::string> dimensions) {
  int variable = 0, count = 0, ids[8];
  EXPECT_EQ(nc_inq_varid(group, name, &variable), NC_NOERR) << name;
  EXPECT_EQ(nc_inq_var(group, variable, nullptr, nullptr, &count, ids, nullptr), NC_NOERR);
  EXPECT_EQ(count, static_cast<int>(dimensions.size()));
  std::size_t size = 1;
  for (int i = 0; i < count; ++i) {
    char dimension[NC_MAX_NAME + 1];
    std::size_t length = 0;
    EXPECT_EQ(nc_inq_dim(group, ids[i], dimension, &length), NC_NOERR);
    EXPECT_EQ(dimensions[i], dimension);
    size *= length;
  }
  std::vector<double> values(size);
  EXPECT_EQ(nc_get_var_double(group, variable, values.data()), NC_NOERR);
  return values;
}

TEST_F(NetcdfFileTest, ReadsBackInTheArvizLayout) {
  const auto run = made_up_run();
  write_posterior_netcdf(path("posterior.nc"), run->facts);
  int file = 0, posterior = 0, stats = 0, observed = 0;
  ASSERT_EQ(nc_open(path("posterior.nc").c_str(), NC_NOWRITE, &file), NC_NOERR);
  ASSERT_EQ(nc_inq_ncid(file, "posterior", &posterior), NC_NOERR);
  ASSERT_EQ(nc_inq_ncid(file, "sample_stats", &stats), NC_NOERR);
  ASSERT_EQ(nc_inq_ncid(file, "observed_data", &observed), NC_NOERR);
  EXPECT_EQ(values_of(posterior, "theta", {"chain", "draw"}), run->facts.parameters[0].natural);
  EXPECT_EQ(values_of(posterior, "growth_rate", {"chain", "draw"}), run->facts.parameters[1].natural);
  EXPECT_EQ(values_of(posterior, "chain", {"chain"}), (std::vector<double>{0}));
  EXPECT_EQ(values_of(posterior, "draw", {"draw"})[199], 199);
  EXPECT_EQ(values_of(stats, "lp", {"chain", "draw"}), run->result.svgd.log_density);
  const auto time = values_of(observed, "time", {"observation"});
  const auto event = values_of(observed, "event", {"observation"});
  for (std::size_t i = 0; i < 120; ++i) {
    EXPECT_EQ(time[i], run->observations.items[i].lower);
    EXPECT_EQ(event[i], run->observations.items[i].right_censored() ? 0 : 1);
  }
  EXPECT_EQ(values_of(observed, "weight", {"observation"}), std::vector<double>(120, 1.0));
  char library[8] = {};
  ASSERT_EQ(nc_get_att_text(posterior, NC_GLOBAL, "inference_library", library), NC_NOERR);
  EXPECT_EQ(std::string(library, 7), "sojourn");
  nc_close(file);
}

TEST_F(NetcdfFileTest, SameRunSameBytes) {
  const auto run = made_up_run();
  std::ostringstream one, other;
  write_posterior_netcdf(path("one.nc"), run->facts);
  // Past a full second any clock in the file would show.
  usleep(1'100'000);
  write_posterior_netcdf(path("other.nc"), run->facts);
  one << std::ifstream(path("one.nc"), std::ios::binary).rdbuf();
  other << std::ifstream(path("other.nc"), std::ios::binary).rdbuf();
  EXPECT_TRUE(one.str() == other.str());
}

TEST_F(NetcdfFileTest, NamesThatTheLayoutForbids) {
  const auto run = made_up_run(4, 3);
  const char* names[] = {"draw", "a/b", "a b", "2nd"};
  for (int k = 0; k < 4; ++k) run->facts.parameters[k].summary.name = names[k];
  write_posterior_netcdf(path("posterior.nc"), run->facts);
  int file = 0, posterior = 0;
  ASSERT_EQ(nc_open(path("posterior.nc").c_str(), NC_NOWRITE, &file), NC_NOERR);
  ASSERT_EQ(nc_inq_ncid(file, "posterior", &posterior), NC_NOERR);
  EXPECT_EQ(values_of(posterior, "draw_", {"chain", "draw"}), run->facts.parameters[0].natural);
  EXPECT_EQ(values_of(posterior, "a_b", {"chain", "draw"}), run->facts.parameters[1].natural);
  EXPECT_EQ(values_of(posterior, "a_b_", {"chain", "draw"}), run->facts.parameters[2].natural);
  EXPECT_EQ(values_of(posterior, "_2nd", {"chain", "draw"}), run->facts.parameters[3].natural);
  nc_close(file);
}

TEST_F(NetcdfFileTest, UnwritablePathIsAnIoError) {
  const auto run = made_up_run(1, 3);
  std::ofstream(path("file")) << "x";
  EXPECT_THROW(write_posterior_netcdf(path("file") + "/posterior.nc", run->facts), IoError);
  EXPECT_THROW(write_posterior_netcdf(path("missing") + "/posterior.nc", run->facts), IoError);
}

}  // namespace
}  // namespace sojourn
