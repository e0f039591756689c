#include "monitoring/metrics/push.h"

#include <civetweb.h>

#include <charconv>
#include <optional>

#include "base/base64.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "monitoring/metrics/metrics.h"

namespace duet {
namespace {

constexpr int kTimeoutMilliseconds = 5000;

struct Gateway {
  std::string host;
  int port = 9091;
};

std::optional<Gateway> parse(std::string url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return {};
  url.erase(0, kScheme.size());
  if (url.ends_with('/')) url.pop_back();
  if (url.empty() || url.find_first_of("/@?# \t\r\n") != std::string::npos) return {};
  Gateway gateway{.host = url};
  const auto colon = url.rfind(':');
  if (colon == std::string::npos || url.ends_with(']')) return gateway;
  gateway.host = url.substr(0, colon);
  const auto* end = url.data() + url.size();
  const auto [read, fault] = std::from_chars(url.data() + colon + 1, end, gateway.port);
  if (gateway.host.empty() || fault != std::errc() || read != end || gateway.port < 1 || gateway.port > 65535) return {};
  return gateway;
}

}  // namespace

void check_push_url(const std::string& option, const std::string& url) {
  if (!url.empty() && !parse(url)) throw UsageError("{} = '{}': takes http://HOST:PORT, or nothing.", option, url);
}

bool push_metrics(const std::string& url, const std::string& run) {
  const auto gateway = parse(url);
  if (!gateway) throw UsageError("'{}' is no http://HOST:PORT.", url);
  const auto body = metrics().text();
  char fault[256] = {};
  auto* connection = mg_connect_client(gateway->host.c_str(), gateway->port, 0, fault, sizeof fault);
  if (connection == nullptr) {
    warn("{}: the Pushgateway cannot be reached: {}. The run's last state is not left there.", url, fault);
    return false;
  }
  // The gateway's own way for names that hold what a path cannot: it takes a '/' in no other.
  mg_printf(connection, "PUT /metrics/job/duet/run@base64/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
            base64_for_paths(bytes_of(printable(run, 200))).c_str(), gateway->host.c_str(), body.size());
  mg_write(connection, body.data(), body.size());
  const int answered = mg_get_response(connection, fault, sizeof fault, kTimeoutMilliseconds);
  const auto* response = answered < 0 ? nullptr : mg_get_response_info(connection);
  const int status = response == nullptr ? 0 : response->status_code;
  mg_close_connection(connection);
  if (status / 100 == 2) return true;
  warn("{}: the Pushgateway did not take the run's last state: {}.", url,
       status == 0 ? std::string(fault) : fmt::format("status {}", status));
  return false;
}

}  // namespace duet
