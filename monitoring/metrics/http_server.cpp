#include "monitoring/metrics/http_server.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "base/host.h"
#include "base/log.h"
#include "monitoring/metrics/metrics.h"

namespace duet {

namespace {

constexpr unsigned kIpv6Feature = 8;  // of mg_check_feature()

// An address that inet_pton reads, with its port.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;
  bool is_v6 = false;

  bool parse(const std::string& address) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    is_v6 = inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1;
    if (!is_v6 && inet_pton(AF_INET, address.c_str(), &v4->sin_addr) != 1) return false;
    storage.ss_family = is_v6 ? AF_INET6 : AF_INET;
    size = is_v6 ? sizeof *v6 : sizeof *v4;
    return true;
  }

  void set_port(int port) {
    const auto value = htons(static_cast<std::uint16_t>(port));
    (is_v6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port : reinterpret_cast<sockaddr_in*>(&storage)->sin_port) = value;
  }

  void knock() const {
    const int socket = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) return;
    (void)::connect(socket, reinterpret_cast<const sockaddr*>(&storage), size);
    ::close(socket);
  }
};

}  // namespace

struct HttpServer::State {
  HttpPages pages;
  std::string host;  // as a URL has it: IPv6 in brackets
  Endpoint endpoint;
  int port = 0;
  mg_context* context = nullptr;

  // Civetweb looks at its stop flag every two seconds, or when a connection comes: so one is made,
  // else every run would end two seconds late.
  ~State() {
    if (context == nullptr) return;
    std::atomic<bool> stopped = false;
    std::jthread stopping;
    try {
      stopping = std::jthread([&] {
        mg_stop(context);
        stopped = true;
      });
    } catch (const std::system_error&) {  // no thread is granted: then two seconds late
      mg_stop(context);
      return;
    }
    while (!stopped) {
      if (port > 0) endpoint.knock();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
};

namespace {

struct Answer {
  int status;
  std::string body;
  const char* type = "text/plain; charset=utf-8";
};

Answer answer(const HttpPages& pages, std::string_view method, std::string_view path) {
  if (method != "GET" && method != "HEAD") return {405, "Only GET.\n"};
  if (path == "/metrics") return {200, pages.metrics ? pages.metrics() : metrics().text(), "text/plain; version=0.0.4; charset=utf-8"};
  if (path == "/healthz") return {200, "ok\n"};
  if (path == "/readyz") {
    const auto why = pages.unready ? pages.unready() : std::string();
    return why.empty() ? Answer{200, "ok\n"} : Answer{503, why + "\n"};
  }
  if (path == "/status") {
    const auto status = pages.status ? pages.status() : Json::object();
    return {200, json_text(status, 2) + "\n", "application/json"};
  }
  return {404, "There are /metrics, /healthz, /readyz and /status.\n"};
}

void send(mg_connection* connection, const Answer& reply, bool with_body) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n%s\r\n",
            reply.status, mg_get_response_code_text(connection, reply.status), reply.type, reply.body.size(),
            reply.status == 405 ? "Allow: GET, HEAD\r\n" : "");
  if (with_body) mg_write(connection, reply.body.data(), reply.body.size());
}

// Called by civetweb for every request before it looks for a file; a status other than 0 says that all is done, so it never does.
int on_request(mg_connection* connection) {
  const auto* request = mg_get_request_info(connection);
  const auto* pages = static_cast<const HttpPages*>(request->user_data);
  const std::string_view method = request->request_method;
  Answer reply;
  try {
    reply = answer(*pages, method, request->local_uri == nullptr ? "" : request->local_uri);
  } catch (const std::exception& error) {
    reply = {500, std::string(error.what()) + "\n"};
  }
  send(connection, reply, method != "HEAD");
  return reply.status;
}

// Civetweb writes what goes wrong to standard error unless told otherwise; start() says it in our words.
int on_message(const mg_connection*, const char*) { return 1; }

}  // namespace

std::unique_ptr<HttpServer> HttpServer::start(const std::string& address, int port, int local_rank, HttpPages pages) {
  auto state = std::make_unique<State>();
  state->pages = std::move(pages);
  if (!state->endpoint.parse(address)) {
    warn("monitoring.address={} is no IPv4 or IPv6 address; this rank has no endpoint.", address);
    return nullptr;
  }
  if (state->endpoint.is_v6 && mg_check_feature(kIpv6Feature) == 0) {
    warn("monitoring.address={}: the civetweb library here was built without IPv6; this rank has no endpoint. Give an IPv4 address.",
         address);
    return nullptr;
  }
  state->host = state->endpoint.is_v6 ? "[" + address + "]" : address;
  const int wanted = port == 0 ? 0 : port + local_rank;
  const auto listen = fmt::format("{}:{}", state->host, wanted);
  const char* options[] = {"listening_ports",
                           listen.c_str(),
                           "num_threads",
                           "2",
                           "request_timeout_ms",
                           "5000",
                           "max_request_size",
                           "4096",
                           "enable_keep_alive",
                           "no",
                           "enable_directory_listing",
                           "no",
                           "decode_url",
                           "yes",
                           nullptr};
  mg_callbacks callbacks{};
  callbacks.begin_request = on_request;
  callbacks.log_message = on_message;
  state->context = mg_start(&callbacks, &state->pages, options);
  mg_server_port listening{};
  if (state->context == nullptr || mg_get_server_ports(state->context, 1, &listening) < 1) {
    warn(
        "monitoring: {} cannot be listened on (is the port taken?); training goes on without this rank's endpoint. monitoring.port=0 takes "
        "any free port.",
        listen);
    return nullptr;
  }
  state->port = listening.port;
  state->endpoint.set_port(state->port);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() = default;

int HttpServer::port() const { return state_->port; }
std::string HttpServer::address() const {
  const bool everywhere = state_->host == "0.0.0.0" || state_->host == "[::]";
  return fmt::format("{}:{}", everywhere ? host_name() : state_->host, state_->port);
}
std::string HttpServer::url() const { return "http://" + address(); }

}  // namespace duet
