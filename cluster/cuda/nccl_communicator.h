#pragma once
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "cluster/communicate/communicator.h"
#include "cluster/communicate/operation_queue.h"

namespace duet {

/// Device memory over NCCL. All calls are issued by one thread, in program order, on one stream of its own.
///
/// An operation starts when what was issued on the device's default stream before is done; what is issued there after wait() comes after
/// the operation. The host is held up by barrier() only. Where an operation exceeds the time-out, a watching thread aborts NCCL, which
/// frees the device, and every later call throws RankLost. Destroy it before World: devices are drained, then NCCL goes, then MPI.
class NcclCommunicator : public Communicator {
 public:
  /// Collective over `control`, which carries NCCL's id. `device` is this process's current one and no other rank's.
  NcclCommunicator(Communicator& control, const std::string& name, int device, double timeout_seconds);
  ~NcclCommunicator() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& name() const override { return name_; }
  bool device_memory() const override { return true; }

 private:
  struct Operation;
  class OperationCompletion;
  using Issue = std::function<ncclResult_t(cudaStream_t)>;

  std::unique_ptr<Completion> start_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override;
  void do_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override;
  void do_broadcast(void* data, std::int64_t count, DataType type, int root) override;
  void do_all_gather(const void* in, void* out, std::int64_t count_each, DataType type) override;
  void do_barrier() override;

  std::unique_ptr<Completion> start(const char* name, std::int64_t bytes, Issue issue);
  /// Waits until NCCL has taken a call in: its calls return before they are done, so that a lost rank cannot block them.
  void settle(ncclResult_t result, const std::string& subject);
  void watch();
  /// Aborts NCCL once; the first reason stays.
  void fail(const std::string& reason);
  void throw_if_failed() const;

  std::string name_;
  int rank_ = 0;
  int size_ = 1;
  int device_ = 0;
  double timeout_seconds_;
  std::int64_t sequence_ = 0;
  ncclComm_t communicator_ = nullptr;
  cudaStream_t stream_ = nullptr;
  void* scratch_ = nullptr;  // barrier's one element

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::shared_ptr<Operation>> in_flight_;
  std::string failure_;
  bool ending_ = false;
  std::thread watcher_;
  std::unique_ptr<OperationQueue> queue_;
};

}  // namespace duet
