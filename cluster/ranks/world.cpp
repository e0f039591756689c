#include "cluster/ranks/world.h"

#include <mpi.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <vector>

#include "base/environment.h"
#include "base/host.h"
#include "base/log.h"
#include "cluster/communicate/mpi_communicator.h"
#include "cluster/run/last_words.h"
#include "cluster/run/started.h"

namespace duet {
namespace {

constexpr int kConcerns = 4;
constexpr const char* kNames[kConcerns] = {"control", "gradients", "statistics", "data"};

/// A rank's entry in the memory that the ranks of a host share.
struct SharedEntry {
  std::int64_t process;
  std::int64_t rank;
  Pulse pulses[kConcerns];
};

/// The supervisor says how many it had started, and by what.
void require_all_that_were_started(int seen) {
  const auto [started, launcher] = started_ranks();
  if (started.empty() || started == std::to_string(seen)) return;
  throw Unavailable(
      "the launcher {} started {} ranks that do not see each other: this one sees {}. It belongs to another MPI than the Open MPI that "
      "this program was built with; put that one's mpirun first in PATH. None of the ranks trains.",
      launcher, started, seen);
}

/// Open MPI ends a process by SIGBUS, or hangs, where its shared memory does not fit.
void require_shared_memory() {
  auto folder = environment("OMPI_MCA_btl_vader_backing_directory");
  if (folder.empty()) folder = "/dev/shm";
  struct statvfs space = {};
  if (::statvfs(folder.c_str(), &space) != 0) return;  // Open MPI then looks for another place
  if (const auto free = space.f_bavail * space.f_frsize; free < kSharedBytesOfRank)
    throw Unavailable(
        "{}: {:.1f} MiB of shared memory are free, a rank needs {} MiB. Give the container a larger one (--shm-size=1g), or "
        "set OMPI_MCA_btl_vader_backing_directory and OMPI_MCA_osc_sm_backing_directory to a folder with room.",
        folder, static_cast<double>(free) / (1 << 20), kSharedBytesOfRank >> 20);
}

}  // namespace

struct World::State {
  bool mpi = false;
  int rank = 0, size = 1, local_rank = 0, local_size = 1;
  std::string host = host_name();
  MPI_Comm local = MPI_COMM_NULL;
  MPI_Win window = MPI_WIN_NULL;
  std::unique_ptr<Communicator> concerns[kConcerns];

  void begin_mpi(double timeout_seconds);
  bool failed() const;
};

World::World(const WorldOptions& options) : state_(std::make_unique<State>()) {
  if (started_by_launcher()) {
    require_shared_memory();
    state_->begin_mpi(options.timeout_seconds);
    if (state_->rank == 0) note_joined_ranks();
    return;
  }
  require_all_that_were_started(1);
  const auto tasks = tasks_of_step();
  if (!tasks.empty() && tasks != "1") {
    throw UsageError("srun started {} tasks, but this process cannot see the others. Use `srun --mpi=pmix`, or `duet train --ranks {}`.",
                     tasks, tasks);
  }
  for (int i = 0; i < kConcerns; ++i) state_->concerns[i] = make_self_communicator(kNames[i]);
}

void World::State::begin_mpi(double timeout_seconds) {
  int granted = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &granted);
  if (granted < MPI_THREAD_MULTIPLE)
    throw Unavailable("this MPI library does not let several threads communicate (MPI_THREAD_MULTIPLE); use another build of it.");
  mpi = true;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  require_all_that_were_started(size);
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &local);
  MPI_Comm_rank(local, &local_rank);
  MPI_Comm_size(local, &local_size);

  SharedEntry* own = nullptr;
  MPI_Win_allocate_shared(sizeof(SharedEntry), 1, MPI_INFO_NULL, local, &own, &window);
  new (own) SharedEntry{.process = ::getpid(), .rank = rank, .pulses = {}};
  MPI_Barrier(local);
  std::vector<const SharedEntry*> entries;
  for (int peer = 0; peer < local_size; ++peer) {
    MPI_Aint bytes = 0;
    int unit = 0;
    SharedEntry* entry = nullptr;
    MPI_Win_shared_query(window, peer, &bytes, &unit, &entry);
    entries.push_back(entry);
  }
  for (int i = 0; i < kConcerns; ++i) {
    std::vector<LocalPeer> peers;
    for (const auto* entry : entries)
      peers.push_back({.rank = static_cast<int>(entry->rank), .process = entry->process, .pulse = &entry->pulses[i]});
    concerns[i] = std::make_unique<MpiCommunicator>(MPI_COMM_WORLD, kNames[i], timeout_seconds, &own->pulses[i], std::move(peers));
  }
}

bool World::State::failed() const {
  for (const auto& concern : concerns) {
    if (static_cast<const MpiCommunicator&>(*concern).failed()) return true;
  }
  return false;
}

World::~World() {
  if (!state_->mpi) return;
  // Finalising waits for all ranks. When this one leaves because of an error the others may never come;
  // the launcher sees it go and ends them.
  if (std::uncaught_exceptions() > 0 || state_->failed()) {
    for (auto& concern : state_->concerns) static_cast<void>(concern.release());  // a thread of theirs may still hang in MPI
    return;
  }
  try {
    control().barrier();  // with the time-out that MPI_Finalize lacks
  } catch (const Error& error) {
    warn("{}", error.what());
    abort(error);
  }
  for (auto& concern : state_->concerns) concern.reset();
  MPI_Win_free(&state_->window);
  MPI_Finalize();
}

int World::rank() const { return state_->rank; }
int World::size() const { return state_->size; }
int World::local_rank() const { return state_->local_rank; }
int World::local_size() const { return state_->local_size; }
const std::string& World::host() const { return state_->host; }
Communicator& World::control() { return *state_->concerns[0]; }
Communicator& World::gradients() { return *state_->concerns[1]; }
Communicator& World::statistics() { return *state_->concerns[2]; }
Communicator& World::data() { return *state_->concerns[3]; }

void World::abort(const Error& error) {
  std::fflush(nullptr);
  const int status = static_cast<int>(error.status());
  if (state_->mpi) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

}  // namespace duet
