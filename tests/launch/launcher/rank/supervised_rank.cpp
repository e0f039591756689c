// One rank of supervise_test: supervised_rank BEHAVIOUR RUN_FOLDER. It leaves its process id in RUN_FOLDER/pid-RANK.
#include <signal.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "base/file.h"
#include "cluster/ranks/world.h"
#include "cluster/run/last_words.h"
#include "cluster/run/started.h"
#include "cluster/run/stop_signal.h"

using namespace duet;

namespace {

void leave(World& world, const Error& error) {
  write_last_words(error.status(), error.what());
  world.abort(error);
}

void be_deaf() {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  for (;;) ::pause();
}

int behave(World& world, const std::string& behaviour, const std::filesystem::path& folder) {
  const bool last = world.rank() == world.size() - 1;
  if (behaviour == "killed" && last) ::raise(SIGKILL);
  if (behaviour == "killed-beside-deaf") last ? static_cast<void>(::raise(SIGKILL)) : be_deaf();
  if (behaviour == "bad-data" && last) leave(world, DataError("pool.store: shard 3 is damaged"));
  if (behaviour == "terminated" && last) ::raise(SIGTERM);
  if (behaviour == "missed" && last) leave(world, RankLost("sum number 7 did not end. Missing: rank 0 (its process is stopped)."));
  if (behaviour == "exits" && last) ::_exit(5);
  if (behaviour == "orphan" && ::fork() == 0) be_deaf();
  if (behaviour == "stubborn") {
    write_file_atomically(folder / fmt::format("ready-{}", world.rank()), "");
    be_deaf();
  }
  if (behaviour == "fine" || behaviour == "orphan") return 0;
  write_file_atomically(folder / fmt::format("ready-{}", world.rank()), "");
  while (!world.control().any(stop_requested())) ::usleep(1000);
  write_file_atomically(folder / fmt::format("saved-{}", world.rank()), stop_reason());
  return static_cast<int>(ExitStatus::interrupted);
}

}  // namespace

int main(int, char** values) {
  const std::string behaviour = values[1];
  const std::filesystem::path folder = values[2];
  if (behaviour == "usage") return static_cast<int>(ExitStatus::usage);
  begin_last_words(folder, launcher_rank());
  install_stop_signals();
  std::optional<World> joined;
  try {
    joined.emplace(WorldOptions{.timeout_seconds = 60});
  } catch (const Error& error) {
    write_last_words(error.status(), error.what());
    return static_cast<int>(error.status());
  }
  World& world = *joined;
  write_file_atomically(folder / fmt::format("pid-{}", world.rank()), std::to_string(::getpid()));
  world.control().barrier();
  try {
    const int status = behave(world, behaviour, folder);
    write_last_words(static_cast<ExitStatus>(status), "");
    return status;
  } catch (const Error& error) {
    leave(world, error);
  }
}
