#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/system/http.h"
#include "tests/system/tiny_run.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

/// The port that a rank's log names; 0 when it names none.
int port_of(const TinyRun& tiny, int rank) {
  for (const auto& line : tiny.log(rank)) {
    if (!line.contains("endpoint")) continue;
    const auto url = line.at("endpoint").get<std::string>();
    return std::stoi(url.substr(url.rfind(':') + 1));
  }
  return 0;
}

TEST(Endpoints, AnswerOnEveryRankWhileItTrains) {
  const TinyRun tiny;
  Child program(tiny.train(endless() + Words{"--ranks", "2"}));
  wait_for_steps(program, tiny, 3);
  for (int rank = 0; rank < 2; ++rank) {
    const int port = port_of(tiny, rank);
    ASSERT_GT(port, 0) << rank;
    const auto metrics = get(port, "/metrics");
    EXPECT_THAT(metrics, StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(metrics, testing::ContainsRegex(fmt::format("duet_steps_total\\{{[^}}]*rank=\"{}\"[^}}]*\\}} [1-9]", rank)));
    for (const char* name : {"duet_loss{", "duet_step_seconds_bucket", "duet_samples_total", "duet_data_wait_seconds_total"})
      EXPECT_THAT(metrics, HasSubstr(name));
    EXPECT_THAT(get(port, "/healthz"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(get(port, "/readyz"), StartsWith("HTTP/1.1 200"));
    const auto status = parse_json(body_of(get(port, "/status")), "/status");
    EXPECT_EQ(status.at("rank"), rank);
    EXPECT_EQ(status.at("stage"), "retrieval");
    EXPECT_GE(status.at("counts").at("retrieval").get<int>(), 1);
    EXPECT_THAT(get(port, "/../tiny.cfg"), testing::Not(StartsWith("HTTP/1.1 200")));
  }
  program.send(SIGTERM);
  EXPECT_EQ(program.wait().status, 75);
}

TEST(Endpoints, APortThatIsTakenStopsNoTraining) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(socket, 1), 0);
  socklen_t length = sizeof address;
  ASSERT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const auto port = std::to_string(ntohs(address.sin_port));

  const TinyRun tiny;
  const auto planned = run(tiny.train({"--monitoring.port", port, "--dry-run"}));
  EXPECT_EQ(planned.status, 0) << planned;
  EXPECT_THAT(planned.out, HasSubstr("0 of 1 can listen on 127.0.0.1, port " + port));
  EXPECT_THAT(planned.error, AllOf(HasSubstr("warning"), HasSubstr("127.0.0.1:" + port)));
  const auto outcome = run(tiny.train({"--monitoring.port", port, "--joint.steps=0"}));
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("warning"), HasSubstr(port)));
  EXPECT_EQ(port_of(tiny, 0), 0);
  ::close(socket);
}

}  // namespace
}  // namespace duet
