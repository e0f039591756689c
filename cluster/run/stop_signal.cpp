#include "cluster/run/stop_signal.h"

#include <signal.h>
#include <unistd.h>

#include "cluster/run/last_words.h"
#include "cluster/run/started.h"

namespace duet {

std::atomic<int> detail::stop_signal{0};

namespace {

std::atomic<bool> by_supervisor{false};  // which passes USR1 on, whatever it was sent itself

void save_and_stop(int number) { detail::stop_signal.store(number); }

void peer_died(int) { leave_because_of_peer(); }

void save_or_leave(int number) {
  if (detail::stop_signal.exchange(number) == number) ::_exit(128 + number);  // the user asks again: do not make them wait
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(number, &action, nullptr);
}

}  // namespace

StartedBy started_by() {
  if (!own_supervisor().empty()) return StartedBy::supervised;
  return started_by_launcher() ? StartedBy::launched : StartedBy::alone;
}

void install_stop_signals() {
  const auto by = started_by();
  by_supervisor = by == StartedBy::supervised;
  handle(SIGUSR1, save_and_stop);
  handle(SIGUSR2, save_and_stop);
  handle(SIGTERM, by == StartedBy::supervised ? peer_died : save_and_stop);
  struct sigaction hangup = {};
  ::sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) handle(SIGHUP, by == StartedBy::alone ? save_and_stop : SIG_IGN);  // ignored: nohup
  handle(SIGINT, by == StartedBy::alone ? save_or_leave : SIG_IGN);
}

bool stop_requested() { return detail::stop_signal.load() != 0; }

std::string stop_reason() {
  const int number = detail::stop_signal.load();
  if (number == SIGUSR1 && by_supervisor) return "asked to by its supervisor";
  return number == 0 ? "" : std::string("signal ") + sigabbrev_np(number);
}

}  // namespace duet
