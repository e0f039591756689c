#include "tests/slurm/cluster.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace duet {
namespace {

Words words_of(const std::string& text) {
  std::istringstream in(text);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace

VirtualCluster::VirtualCluster(const VirtualClusterOptions& options) : hosts_(options.hosts) {
  Words command{"up", "--owner", std::to_string(::getpid()), "--node-timeout", fmt::format("{}", options.node_timeout_seconds)};
  if (hosts_) command.push_back("--hosts");
  const auto up = script(command + Words{(place_ / "c").string(), std::to_string(options.nodes), std::to_string(options.cores)});
  if (up.status != 0) throw std::runtime_error("no virtual cluster: " + up.error);
  nodes_ = words_of(read_file(place_ / "c" / "nodes"));
}

VirtualCluster::~VirtualCluster() { expect_done({"down", (place_ / "c").string()}); }

// Without the mark by which Child ends what it started: the daemons stay.
Outcome VirtualCluster::script(const Words& arguments) const {
  return run(Words{"env", "--unset=SYSTEM_TEST_MARK", CLUSTER_SCRIPT} + arguments, {}, 60);
}

void VirtualCluster::expect_done(const Words& arguments) const {
  const auto outcome = script(arguments);
  EXPECT_EQ(outcome.status, 0) << fmt::format("cluster.sh {}: ", fmt::join(arguments, " ")) << outcome;
}

Words VirtualCluster::inside(const Words& command) const {
  const auto place = (place_ / "c").string();
  // Without the mark by which Child finds its processes: a job is not ended with the command that submitted it.
  const Words user{"bash", "-c", "source \"$0/environment\"; unset SYSTEM_TEST_MARK; exec \"$@\"", place};
  const Words on_first = hosts_ ? Words{CLUSTER_SCRIPT, "exec", place, nodes_.front()} : Words{};
  return on_first + user + command;
}

Outcome VirtualCluster::call(const Words& command, const ChildOptions& options) const {
  return run(inside(Words{"timeout", "120"} + command), options);
}

int VirtualCluster::submit(const Words& arguments, const ChildOptions& options) const {
  const auto outcome = call(Words{"sbatch", "--parsable"} + arguments, options);
  EXPECT_EQ(outcome.status, 0) << outcome;
  return std::atoi(outcome.out.c_str());
}

std::string VirtualCluster::field(int job, const std::string& name) const {
  const auto outcome = call({"scontrol", "--oneliner", "show", "job", std::to_string(job)});
  for (const auto& word : words_of(outcome.out)) {
    if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
  }
  return "";
}

std::string VirtualCluster::wait_for_state(int job, const std::vector<std::string>& states, double seconds) const {
  std::string now;
  wait_until(
      [&] {
        now = state(job);
        if (std::ranges::find(states, now) != states.end()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return false;
      },
      seconds);
  return now;
}

void VirtualCluster::release_requeued(int job, double seconds) const {
  std::string now, reason;
  const bool requeued = wait_until(
      [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        now = state(job);
        reason = field(job, "Reason");
        return (now == "PENDING" && reason == "BeginTime") || (field(job, "Restarts") != "0" && (now == "RUNNING" || now == "COMPLETED"));
      },
      seconds);
  EXPECT_TRUE(requeued) << "job " << job << " was not requeued, it is " << now;
  // After the loss of a node it may start at once. As long as its former start is not cleared away, the requeueing is not over and
  // overwrites an update, and for some seconds more the nodes refuse to launch tasks of that job.
  auto pending_since = std::chrono::steady_clock::now();
  wait_until(
      [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        now = state(job);
        const auto clock = std::chrono::steady_clock::now();
        if (now != "PENDING") pending_since = clock;
        if (clock - pending_since > std::chrono::seconds(5)) {
          call({"scontrol", "update", fmt::format("JobId={}", job), "StartTime=now"});
          pending_since = clock;
        }
        return now != "PENDING" && now != "COMPLETING" && now != "REQUEUED" && now != "CONFIGURING";
      },
      90);
  EXPECT_THAT(now, testing::AnyOf("RUNNING", "COMPLETED")) << "job " << job << " does not start: " << field(job, "Reason");
}

void VirtualCluster::cancel(int job) const { call({"scancel", std::to_string(job)}); }

std::vector<pid_t> VirtualCluster::processes(const std::string& node) const {
  const auto outcome = script(Words{"processes", (place_ / "c").string()} + (node.empty() ? Words{} : Words{node}));
  EXPECT_EQ(outcome.status, 0) << outcome;
  std::vector<pid_t> found;
  for (const auto& word : words_of(outcome.out)) found.push_back(std::atoi(word.c_str()));
  return found;
}

void VirtualCluster::kill_node(const std::string& node) const { expect_done({"kill", (place_ / "c").string(), node}); }
void VirtualCluster::start_node(const std::string& node) const { expect_done({"start", (place_ / "c").string(), node}); }
void VirtualCluster::cut_off(const std::string& node) const { expect_done({"cut", (place_ / "c").string(), node}); }
void VirtualCluster::connect(const std::string& node) const { expect_done({"heal", (place_ / "c").string(), node}); }

}  // namespace duet
