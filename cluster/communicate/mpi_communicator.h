#pragma once
#include <mpi.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "cluster/communicate/communicator.h"
#include "cluster/communicate/operation_queue.h"

namespace duet {

/// How far a rank has come on one communicator; lies in memory that the ranks of a host share, so that a rank that waits in vain can say
/// for whom.
struct Pulse {
  std::atomic<std::int64_t> started{0};
};
struct LocalPeer {
  int rank;
  std::int64_t process;
  const Pulse* pulse;
};

/// Host memory over MPI. Collectives are non-blocking ones that are polled, so that a lost rank ends in an error instead of a hang.
class MpiCommunicator : public Communicator {
 public:
  /// Collective: duplicates `parent`. `own` and the peers' pulses outlive the communicator.
  MpiCommunicator(MPI_Comm parent, const std::string& name, double timeout_seconds, Pulse* own, std::vector<LocalPeer> peers);

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& name() const override { return name_; }
  bool device_memory() const override { return false; }
  bool failed() const { return queue_.failed(); }

  /// Messages above this are sent in pieces: MPI counts in int, and its temporary buffers grow with the message.
  static constexpr std::int64_t kPieceBytes = 64 << 20;
  /// Sums are made in pieces that stay in the processor's cache: 25 MiB at once take two to four times as long.
  static constexpr std::int64_t kReducePieceBytes = 4 << 20;

 private:
  std::unique_ptr<Completion> start_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override;
  void do_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override;
  void do_broadcast(void* data, std::int64_t count, DataType type, int root) override;
  void do_all_gather(const void* in, void* out, std::int64_t count_each, DataType type) override;
  void do_barrier() override;

  struct Call;  // one collective: what it is called in an error, and since when it runs
  void all_reduce_now(void* data, std::int64_t count, DataType type, ReduceOp op);
  void broadcast_pieces(Call& call, char* data, std::int64_t bytes, int root);
  Call begin(const char* operation, std::int64_t bytes);
  /// Issues one MPI operation and polls it to its end.
  void complete(Call& call, std::int64_t bytes, const std::function<int(MPI_Request*)>& issue);
  [[noreturn]] void give_up(const Call& call) const;

  MPI_Comm communicator_ = MPI_COMM_NULL;
  std::string name_;
  double timeout_seconds_;
  int rank_ = 0;
  int size_ = 1;
  std::int64_t sequence_ = 0;
  Pulse* own_;
  std::vector<LocalPeer> peers_;
  OperationQueue queue_;  // last: its thread uses all of the above
};

}  // namespace duet
