#include "comm/coordinator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "comm/command_output.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Variables = std::map<std::string, std::string>;
using Hosts = std::vector<std::string>;

NodeLister answering(Hosts hosts) {
  return [hosts](const std::string&) { return hosts; };
}

CoordinatorAddress address(const Variables& variables, const Hosts& answer = {}) {
  return get_coordinator_address(fixed_environment(variables), answering(answer));
}

template <class ErrorType = CommError>
std::string fault_of(const Variables& variables) {
  try {
    (void)address(variables);
  } catch (const ErrorType& error) {
    return error.what();
  } catch (const Error& error) {
    return std::string("another error: ") + error.what();
  }
  return "no error";
}

const Variables kTwoNodes{{"SLURM_JOB_ID", "1"}, {"SLURM_JOB_NUM_NODES", "2"}, {"SLURM_JOB_NODELIST", "n[1-2]"}};

Variables two_nodes_and(const char* name, const char* value) {
  Variables variables = kTwoNodes;
  variables[name] = value;
  return variables;
}

TEST(Coordinator, IsLocalhostOutsideOfSlurm) { EXPECT_EQ(address({}).text(), "localhost:12345"); }

TEST(Coordinator, IsTheFirstHostThatScontrolNames) {
  const CoordinatorAddress coordinator = address(kTwoNodes, {"n1", "n2"});
  EXPECT_EQ(coordinator.text(), "n1:12345");
  EXPECT_EQ(coordinator.source, "scontrol show hostnames");
  EXPECT_THAT(coordinator.warning, IsEmpty());
}

TEST(Coordinator, IsReadFromTheListWhereScontrolFailsOrErrs) {
  for (const Hosts& answer : {Hosts{}, Hosts{"n1"}, Hosts{"", "n2"}, Hosts{"x", "y", "z"}}) {
    const CoordinatorAddress coordinator = address(kTwoNodes, answer);
    EXPECT_EQ(coordinator.text(), "n1:12345");
    EXPECT_EQ(coordinator.source, "SLURM_JOB_NODELIST");
    EXPECT_THAT(coordinator.warning, HasSubstr("the first host of 'n[1-2]' is taken to be n1"));
  }
}

TEST(Coordinator, VariablesWin) {
  EXPECT_EQ(address(two_nodes_and("SOJOURN_COORDINATOR_ADDRESS", "ib-n1")).text(), "ib-n1:12345");
  EXPECT_EQ(address(two_nodes_and("SOJOURN_COORDINATOR_ADDRESS", "10.0.0.7:4000")).text(), "10.0.0.7:4000");
  EXPECT_EQ(address(two_nodes_and("SOJOURN_COORDINATOR_ADDRESS", "fe80::1%ib0")).text(), "[fe80::1%ib0]:12345");
  EXPECT_EQ(address(two_nodes_and("SOJOURN_COORDINATOR_ADDRESS", "[fe80::1]:7")).text(), "[fe80::1]:7");
  EXPECT_EQ(address(two_nodes_and("SOJOURN_COORDINATOR_PORT", "12346")).text(), "n1:12346");
}

TEST(Coordinator, PortsAndHostsThatAreNone) {
  for (const char* const port : {"0", "65536", "-1", "abc", "", "1e3", "12345 "})
    EXPECT_THAT(fault_of<UsageError>({{"SOJOURN_COORDINATOR_PORT", port}}),
                HasSubstr("a port is a whole number from 1 to 65535"))
        << port;
  for (const char* const host : {"a b", "a;b", "-n1", ":12345", "$(reboot)", "a\n", "[::1", "[]"})
    EXPECT_THAT(fault_of<UsageError>({{"SOJOURN_COORDINATOR_ADDRESS", host}}), HasSubstr("is not a host")) << host;
  EXPECT_THAT(fault_of<UsageError>({{"SOJOURN_COORDINATOR_ADDRESS", "n1:99999"}}),
              HasSubstr("a port is a whole number"));
}

TEST(Coordinator, IsNeverLocalhostWithMoreThanOneNode) {
  for (const char* const host : {"localhost", "127.0.0.1", "127.1.2.3", "::1", "LOCALHOST", "0.0.0.0"})
    EXPECT_THAT(fault_of(two_nodes_and("SOJOURN_COORDINATOR_ADDRESS", host)), HasSubstr("with more than one node"))
        << host;
  Variables listed = kTwoNodes;
  listed["SLURM_JOB_NODELIST"] = "localhost,n2";
  EXPECT_THAT(fault_of(listed), HasSubstr("with more than one node"));
  EXPECT_THAT(fault_of({{"SLURM_JOB_ID", "1"}, {"SLURM_NNODES", "2"}}), HasSubstr("with more than one node"));
  // mpirun over several machines, without SLURM.
  EXPECT_THAT(fault_of({{"OMPI_COMM_WORLD_RANK", "0"},
                        {"OMPI_COMM_WORLD_SIZE", "4"},
                        {"OMPI_COMM_WORLD_LOCAL_RANK", "0"},
                        {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}}),
              HasSubstr("set SOJOURN_COORDINATOR_ADDRESS to the name of the first rank's node"));
  EXPECT_EQ(address({{"OMPI_COMM_WORLD_RANK", "0"},
                     {"OMPI_COMM_WORLD_SIZE", "2"},
                     {"OMPI_COMM_WORLD_LOCAL_RANK", "0"},
                     {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}})
                .host,
            "localhost");
}

/// A port of this machine that listens as long as the object lives.
class Listener {
 public:
  Listener() : id_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(id_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(id_, 4), 0);
    EXPECT_EQ(::getsockname(id_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port = ntohs(address.sin_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(id_); }
  int port = 0;

 private:
  int id_;
};

TEST(CoordinatorPort, InUseIsAnErrorWithHostPortAndTheWayOut) {
  CoordinatorAddress coordinator{"n1", 0, "", ""};
  {
    const Listener listener;
    coordinator.port = listener.port;
    try {
      const CoordinatorListener second(coordinator);
      FAIL() << "the port is in use";
    } catch (const CommError& error) {
      EXPECT_THAT(error.what(), HasSubstr(coordinator.text() +
                                          ": the port cannot be taken on this machine (Address already in use)"));
      EXPECT_THAT(error.what(), HasSubstr("set SOJOURN_COORDINATOR_PORT"));
    }
  }
  {
    const CoordinatorListener first(coordinator);
    coordinator.host = "127.0.0.1";
    EXPECT_NO_THROW(expect_coordinator_answers(coordinator, 10));
    EXPECT_THROW(CoordinatorListener{coordinator}, CommError);
  }
  // The port is given back.
  EXPECT_NO_THROW(CoordinatorListener{coordinator});
}

TEST(CoordinatorPort, ReachedOrNotWithinTheDeadline) {
  CoordinatorAddress coordinator{"127.0.0.1", 0, "", ""};
  {
    const Listener listener;
    coordinator.port = listener.port;
    EXPECT_NO_THROW(expect_coordinator_answers(coordinator, 10));
  }
  try {
    expect_coordinator_answers(coordinator, 0.2);
    FAIL() << "nobody listens";
  } catch (const CommError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("coordinator " + coordinator.text() + ": no answer within 0.2 s (Connection refused)"));
    EXPECT_THAT(error.what(), HasSubstr("interface"));
  }
}

/// Programs of a folder of its own, first in PATH.
class CommandOutput : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sojourn-command-XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = std::getenv("PATH");
    setenv("PATH", (folder_ + ":" + path_).c_str(), 1);
  }
  void TearDown() override {
    setenv("PATH", path_.c_str(), 1);
    std::filesystem::remove_all(folder_);
  }
  void program(const std::string& name, const std::string& script) const {
    std::ofstream(folder_ + "/" + name) << "#!/bin/sh\n" << script << "\n";
    ::chmod((folder_ + "/" + name).c_str(), 0755);
  }
  std::string fault;

 private:
  std::string folder_, path_;
};

TEST_F(CommandOutput, GivesWhatTheProgramWrites) {
  program("answer", R"(printf '%s|' "$@"; echo no >&2; cat)");
  // No shell reads the arguments, and standard input is at its end.
  EXPECT_EQ(command_output({"answer", "a b", "$(id)", "*"}, std::chrono::seconds(20), fault), "a b|$(id)|*|");
  EXPECT_EQ(fault, "");
}

TEST_F(CommandOutput, SaysWhatWentWrong) {
  EXPECT_EQ(command_output({"sojourn-no-such-program"}, std::chrono::seconds(20), fault), std::nullopt);
  EXPECT_EQ(fault, "is not there");
  program("bad", "echo half; exit 3");
  EXPECT_EQ(command_output({"bad"}, std::chrono::seconds(20), fault), std::nullopt);
  EXPECT_EQ(fault, "ended with status 3");
  program("shot", "kill -TERM $$");
  EXPECT_EQ(command_output({"shot"}, std::chrono::seconds(20), fault), std::nullopt);
  EXPECT_EQ(fault, "was ended by signal 15");
  program("flood", "exec yes");
  EXPECT_EQ(command_output({"flood"}, std::chrono::seconds(20), fault), std::nullopt);
  EXPECT_EQ(fault, "wrote more than 1048576 bytes");
}

TEST_F(CommandOutput, EndsWhatDoesNotEndItself) {
  // One hangs at once, one closes its output and hangs, one leaves a child that holds the output.
  program("hang", "sleep 1000");
  program("quiet", "exec >&-; sleep 1000");
  program("orphan", "sleep 1000 & exit 0");
  for (const char* const name : {"hang", "quiet", "orphan"}) {
    EXPECT_EQ(command_output({name}, std::chrono::milliseconds(200), fault), std::nullopt) << name;
    EXPECT_EQ(fault, "gave no answer within 0.2 s") << name;
  }
}

TEST_F(CommandOutput, ScontrolThatAnswersAndThatDoesNot) {
  program("scontrol", R"([ "$1 $2 $3" = "show hostnames n[1-2]" ] && printf 'n1\nn2\n')");
  EXPECT_EQ(scontrol_hostnames()("n[1-2]"), (Hosts{"n1", "n2"}));
  program("scontrol", "echo n1; exit 1");
  EXPECT_THAT(scontrol_hostnames()("n[1-2]"), IsEmpty());
}

}  // namespace
}  // namespace sojourn
