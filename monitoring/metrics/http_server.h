#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"

namespace duet {

/// What the pages say; called from the server's threads, so the functions must be thread-safe and quick. An empty one answers as the
/// comment says.
struct HttpPages {
  std::function<std::string()> metrics = {};  ///< /metrics, Prometheus text; empty: that of duet::metrics()
  std::function<std::string()> unready = {};  ///< /readyz: why it is not training yet, "" (200) when it is; else 503
  std::function<Json()> status = {};          ///< /status, JSON
};

/// The endpoint of one rank: GET (and HEAD) on the pages above and /healthz, which answers 200, nothing else; no file is ever served,
/// requests are bounded in size and time.
class HttpServer {
 public:
  /// Listens on `address` (an IPv4 or IPv6 address) at `port` + `local_rank`, or at any free port when `port` is 0.
  /// A port that is taken, or an address this host does not have, must never stop a training: it is warned about and nullptr returned.
  static std::unique_ptr<HttpServer> start(const std::string& address, int port, int local_rank, HttpPages pages);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  std::string address() const;  ///< what others reach it by: "127.0.0.1:9400", or the host's name when it listens on all addresses
  std::string url() const;      ///< "http://" and that

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace duet
