#pragma once
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"

namespace duet {

/// How a program ended.
struct Outcome {
  int status = -1;         ///< exit status; minus the signal's number when one ended it
  bool timed_out = false;  ///< it was killed because it took too long
  std::string out, error;  ///< what it wrote
};

/// For failed expectations: all that is known of the end.
std::ostream& operator<<(std::ostream& stream, const Outcome& outcome);

struct ChildOptions {
  std::map<std::string, std::string> environment = {};  ///< beside this process's own, from which launchers' and Duet's are taken out
  std::optional<std::uint64_t> file_size_limit = {};    ///< bytes; a file that grows beyond cannot be written, as on a full disk
};

/// A program that runs beside the test, with output captured. It and all that it starts carry a mark of their own in their environment, by
/// which they are found, wherever they were re-parented; on destruction, whoever of them still runs is killed.
class Child {
 public:
  explicit Child(const std::vector<std::string>& command, const ChildOptions& options = {});
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void send(int signal) const;

  /// Waits for the end; kills all after so many seconds.
  Outcome wait(double seconds = 300);

  /// The processes, of those it started and itself, that still run.
  std::vector<pid_t> processes() const;
  /// The process of one rank, started under a launcher; waits for it. Throws std::runtime_error when there is none.
  pid_t process_of_rank(int rank) const;

  std::string error_so_far() const;

 private:
  TemporaryFolder folder_;
  std::string mark_;
  pid_t pid_ = -1;
  std::optional<int> ended_;
};

/// Runs a program to its end.
Outcome run(const std::vector<std::string>& command, const ChildOptions& options = {}, double seconds = 300);

/// Asks `condition` every 20 milliseconds until it holds. False when it did not within `seconds`.
bool wait_until(const std::function<bool()>& condition, double seconds = 120);

}  // namespace duet
