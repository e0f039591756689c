#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace duet {

/// Exit status of every command; follows sysexits.h where it has a word for the case.
enum class ExitStatus : int {
  done = 0,
  usage = 64,          ///< the command line or the configuration is wrong
  bad_data = 65,       ///< a file is damaged or of the wrong kind
  input_missing = 66,  ///< a file or folder that was named does not exist
  unavailable = 69,    ///< something this machine lacks: a GPU, a program, a port
  internal = 70,       ///< a defect of this program
  cannot_create = 73,  ///< an output exists already or cannot be made
  cannot_write = 74,   ///< disk full, permission lost
  interrupted = 75,    ///< state saved; the same command continues
  rank_lost = 76,      ///< a rank died or hung; resumable
  numerical = 77,      ///< not finite, or no progress; do not requeue
};

/// What a user reads: what happened, where (file, shard, rank, option, value), and what to do about it.
class Error : public std::runtime_error {
 public:
  Error(ExitStatus status, const std::string& message) : std::runtime_error(message), status_(status) {}
  ExitStatus status() const { return status_; }

 private:
  ExitStatus status_;
};

/// One type per kind, so that callers can catch what they can mend. Built like fmt::format:  throw DataError("{}: no such split '{}'",
/// file, name);
template <ExitStatus kStatus>
class ErrorOf : public Error {
 public:
  template <typename... Parts>
  explicit ErrorOf(fmt::format_string<Parts...> form, Parts&&... parts)
      : Error(kStatus, fmt::format(form, std::forward<Parts>(parts)...)) {}
};

using UsageError = ErrorOf<ExitStatus::usage>;
using DataError = ErrorOf<ExitStatus::bad_data>;
using InputMissing = ErrorOf<ExitStatus::input_missing>;
using Unavailable = ErrorOf<ExitStatus::unavailable>;
using InternalError = ErrorOf<ExitStatus::internal>;
using CannotCreate = ErrorOf<ExitStatus::cannot_create>;
using CannotWrite = ErrorOf<ExitStatus::cannot_write>;
using Interrupted = ErrorOf<ExitStatus::interrupted>;
using RankLost = ErrorOf<ExitStatus::rank_lost>;
using NumericalError = ErrorOf<ExitStatus::numerical>;

/// A contract that only a defect of this program can break.
#define DUET_CHECK(condition, ...)                                                                                             \
  do {                                                                                                                         \
    if (!(condition)) throw ::duet::InternalError("{}:{}: {} ({})", __FILE__, __LINE__, fmt::format(__VA_ARGS__), #condition); \
  } while (false)

}  // namespace duet
