#pragma once
#include <netinet/in.h>

#include <string>

namespace duet {

/// 127.0.0.1 at `port`; 0: any free one.
sockaddr_in loopback(int port);

/// The whole answer, header and body; empty when nobody answers.
std::string get(int port, const std::string& page);
std::string body_of(const std::string& answer);

/// A port of 127.0.0.1 that was free a moment ago.
int free_port();

}  // namespace duet
