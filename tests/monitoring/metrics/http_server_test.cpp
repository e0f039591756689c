#include "monitoring/metrics/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "base/host.h"
#include "monitoring/metrics/metrics.h"

namespace duet {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// What the server answers to these bytes, up to the end of the connection.
std::string ask(int port, const std::string& request) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    (void)::send(socket, request.data(), request.size(), MSG_NOSIGNAL);
    char part[4096];
    for (ssize_t got; (got = ::recv(socket, part, sizeof part, 0)) > 0;) answer.append(part, static_cast<std::size_t>(got));
  }
  ::close(socket);
  return answer;
}

std::string get(const HttpServer& server, const std::string& path) {
  return ask(server.port(), "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

TEST(HttpServer, ServesTheFourPages) {
  std::atomic<bool> training = false;
  const auto server = HttpServer::start("127.0.0.1", 0, 0,
                                        {.metrics = [] { return std::string("duet_steps_total 7\n"); },
                                         .unready = [&] { return std::string(training ? "" : "opening the stores"); },
                                         .status =
                                             [] {
                                               return Json{{"stage", "joint"}, {"step", 12}};
                                             }});
  ASSERT_NE(server, nullptr);
  EXPECT_GT(server->port(), 0);
  EXPECT_EQ(server->url(), "http://127.0.0.1:" + std::to_string(server->port()));

  const auto page = get(*server, "/metrics");
  EXPECT_THAT(page, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(page, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(page, HasSubstr("\r\n\r\nduet_steps_total 7\n"));
  EXPECT_THAT(get(*server, "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(get(*server, "/readyz"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("opening the stores")));
  training = true;
  EXPECT_THAT(get(*server, "/readyz"), StartsWith("HTTP/1.1 200 "));
  const auto status = get(*server, "/status?verbose=1");
  EXPECT_EQ(Json::parse(status.substr(status.find("\r\n\r\n")))["step"], 12);
}

TEST(HttpServer, ServesTheProcessMetricsByDefault) {
  metrics().gauge("duet_reward").set(41);
  const auto server = HttpServer::start("127.0.0.1", 0, 0, {});
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(get(*server, "/metrics"), HasSubstr("duet_reward{"));
}

TEST(HttpServer, ServesNothingElse) {
  const auto server = HttpServer::start("127.0.0.1", 0, 0, {});
  ASSERT_NE(server, nullptr);
  for (const char* path :
       {"/", "/etc/passwd", "/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/metrics/../../etc/passwd", "//etc/passwd"}) {
    EXPECT_THAT(get(*server, path), AllOf(AnyOf(StartsWith("HTTP/1.1 404 "), StartsWith("HTTP/1.1 400 ")), Not(HasSubstr("root:"))))
        << path;
  }
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "PATCH"}) {
    const auto answer = ask(server->port(), std::string(method) + " /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 ")) << method;
  }
  const auto head = ask(server->port(), "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(head, AllOf(StartsWith("HTTP/1.1 200 "), testing::EndsWith("\r\n\r\n")));
}

TEST(HttpServer, RefusesRequestsWithoutBound) {
  const auto server = HttpServer::start("127.0.0.1", 0, 0, {});
  ASSERT_NE(server, nullptr);
  const auto answer = ask(server->port(), "GET /metrics HTTP/1.1\r\nX-Filler: " + std::string(100'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(answer, Not(HasSubstr("200 OK")));
  EXPECT_THAT(get(*server, "/healthz"), StartsWith("HTTP/1.1 200 ")) << "and goes on serving";
}

TEST(HttpServer, APageThatFailsIsAnAnswerNotACrash) {
  const auto server = HttpServer::start("127.0.0.1", 0, 0, {.status = []() -> Json { throw std::runtime_error("no status now"); }});
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(get(*server, "/status"), AllOf(StartsWith("HTTP/1.1 500 "), HasSubstr("no status now")));
}

TEST(HttpServer, ABusyPortIsAWarning) {
  const auto first = HttpServer::start("127.0.0.1", 0, 0, {});
  ASSERT_NE(first, nullptr);
  testing::internal::CaptureStderr();
  EXPECT_EQ(HttpServer::start("127.0.0.1", first->port(), 0, {}), nullptr);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(std::to_string(first->port())));
  testing::internal::CaptureStderr();
  EXPECT_EQ(HttpServer::start("not an address", 0, 0, {}), nullptr);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("monitoring.address=not an address"));
}

TEST(HttpServer, AnAddressThatTheLibraryCannotTakeIsSaidAsSuch) {
  testing::internal::CaptureStderr();
  const auto server = HttpServer::start("::1", 0, 0, {});
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(server || said.find("built without IPv6") != std::string::npos) << said;
}

TEST(HttpServer, RanksOfAHostFollowEachOther) {
  std::vector<std::unique_ptr<HttpServer>> bases;
  std::unique_ptr<HttpServer> next;
  while (next == nullptr && bases.size() < 20) {  // where the port behind one belongs to somebody else, another is tried
    bases.push_back(HttpServer::start("127.0.0.1", 0, 0, {}));
    ASSERT_NE(bases.back(), nullptr);
    next = HttpServer::start("127.0.0.1", bases.back()->port(), 1, {});
  }
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->port(), bases.back()->port() + 1);
}

TEST(HttpServerDeathTest, EndsWithoutAThreadToHelp) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto work = [] {
    auto server = HttpServer::start("127.0.0.1", 0, 0, {});
    const rlimit nothing_more{1, RLIM_INFINITY};
    ::setrlimit(RLIMIT_AS, &nothing_more);
    server.reset();
    std::_Exit(0);
  };
  EXPECT_EXIT(work(), ::testing::ExitedWithCode(0), "");
}

TEST(HttpServer, AnswersSeveralAtOnce) {
  const auto server = HttpServer::start("127.0.0.1", 0, 0, {});
  ASSERT_NE(server, nullptr);
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 10; ++k) good += get(*server, "/healthz").starts_with("HTTP/1.1 200 ");
      });
    }
  }
  EXPECT_EQ(good, 80);
}

TEST(HttpServer, OnAllAddressesIsReachedByTheHostsName) {
  const auto server = HttpServer::start("0.0.0.0", 0, 0, {});
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->address(), fmt::format("{}:{}", host_name(), server->port()));
  EXPECT_EQ(server->url(), "http://" + server->address());
}

}  // namespace
}  // namespace duet
