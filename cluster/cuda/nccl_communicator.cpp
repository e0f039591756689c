#include "cluster/cuda/nccl_communicator.h"

#include <chrono>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/thread.h"
#include "base/time.h"
#include "cluster/cuda/check.h"

namespace duet {
namespace {

constexpr cudaStream_t kDefaultStream = nullptr;

ncclDataType_t nccl_type(DataType type) {
  switch (type) {
    case DataType::float32:
      return ncclFloat32;
    case DataType::float64:
      return ncclFloat64;
    case DataType::bfloat16:
      return ncclBfloat16;
    case DataType::float16:
      return ncclFloat16;
    case DataType::int32:
      return ncclInt32;
    case DataType::int64:
      return ncclInt64;
    case DataType::uint8:
      return ncclUint8;
  }
  throw InternalError("no such data type: {}", static_cast<int>(type));
}

ncclRedOp_t nccl_op(ReduceOp op) { return op == ReduceOp::sum ? ncclSum : op == ReduceOp::max ? ncclMax : ncclMin; }

/// Owns an event that measures time.
class Event {
 public:
  Event() { check_cuda(cudaEventCreate(&event_), "create an event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace

struct NcclCommunicator::Operation {
  std::string subject;
  Stopwatch since;
  Event ready;          // what was issued before it is done
  Event finished;       // recorded by the issuing thread
  bool issued = false;  // under the communicator's mutex
};

class NcclCommunicator::OperationCompletion : public Completion {
 public:
  OperationCompletion(NcclCommunicator& owner, std::shared_ptr<Operation> operation, std::unique_ptr<Completion> issuing)
      : owner_(owner), operation_(std::move(operation)), issuing_(std::move(issuing)) {}

  void do_wait() override {
    issuing_->wait();
    owner_.throw_if_failed();
    check_cuda(cudaStreamWaitEvent(kDefaultStream, operation_->finished.get(), 0), "let the default stream wait for NCCL");
  }
  bool done() override { return issuing_->done() && cudaEventQuery(operation_->finished.get()) != cudaErrorNotReady; }
  double seconds() const override {
    float milliseconds = 0;
    const auto code = cudaEventElapsedTime(&milliseconds, operation_->ready.get(), operation_->finished.get());
    return code == cudaSuccess ? milliseconds * 1e-3 : 0;
  }

 private:
  NcclCommunicator& owner_;
  std::shared_ptr<Operation> operation_;
  std::unique_ptr<Completion> issuing_;
};

NcclCommunicator::NcclCommunicator(Communicator& control, const std::string& name, int device, double timeout_seconds)
    : name_(name),
      rank_(control.rank()),
      size_(control.size()),
      device_(device),
      timeout_seconds_(timeout_seconds),
      queue_(std::make_unique<OperationQueue>(name)) {
  std::string id(sizeof(ncclUniqueId), '\0');
  ncclResult_t made = ncclSuccess;
  if (rank_ == 0) made = ncclGetUniqueId(reinterpret_cast<ncclUniqueId*>(id.data()));
  if (control.any(made != ncclSuccess))
    throw Unavailable("NCCL cannot start: {}.", made == ncclSuccess ? "rank 0 failed" : ncclGetErrorString(made));
  control.broadcast_string(id, 0);
  ncclUniqueId shared;
  std::memcpy(&shared, id.data(), sizeof shared);
  check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "create a stream");
  check_cuda(cudaMalloc(&scratch_, sizeof(std::int32_t)), "allocate 4 bytes");
  check_cuda(cudaMemset(scratch_, 0, sizeof(std::int32_t)), "clear 4 bytes");
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  settle(ncclCommInitRankConfig(&communicator_, size_, shared, rank_, &config), fmt::format("connecting {} ranks on '{}'", size_, name_));
  watcher_ = start_thread("watch " + name_, [this] { watch(); });
}

NcclCommunicator::~NcclCommunicator() {
  queue_.reset();  // everything is issued
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();  // leaves when everything has finished or failed
  if (failure_.empty() && communicator_) {
    cudaStreamSynchronize(stream_);
    try {
      settle(ncclCommFinalize(communicator_), "leaving");
      ncclCommDestroy(communicator_);
    } catch (const Error&) {
      // settle() has aborted it.
    }
  }
  cudaFree(scratch_);
  cudaStreamDestroy(stream_);
}

void NcclCommunicator::settle(ncclResult_t result, const std::string& subject) {
  const Stopwatch since;
  while (result == ncclInProgress) {
    throw_if_failed();
    if (since.seconds() > timeout_seconds_) {
      fail(fmt::format(
          "{} did not end within {:g} s on rank {} of {}: a rank is missing. The run can be continued from its last checkpoint.", subject,
          timeout_seconds_, rank_, size_));
      throw_if_failed();
    }
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    const auto asked = ncclCommGetAsyncError(communicator_, &result);
    if (asked != ncclSuccess) result = asked;
  }
  if (result != ncclSuccess) {
    fail(fmt::format("{}: NCCL reports '{}'. The run can be continued from its last checkpoint.", subject, ncclGetErrorString(result)));
    throw_if_failed();
  }
}

std::unique_ptr<Completion> NcclCommunicator::start(const char* name, std::int64_t bytes, Issue issue) {
  auto operation = std::make_shared<Operation>();
  operation->subject = fmt::format("{} number {} on '{}' ({} bytes)", name, ++sequence_, name_, bytes);
  check_cuda(cudaEventRecord(operation->ready.get(), kDefaultStream), "record an event");
  auto issuing = queue_->start([this, operation, issue = std::move(issue)] {
    throw_if_failed();
    check_cuda(cudaSetDevice(device_), "select the device");
    check_cuda(cudaStreamWaitEvent(stream_, operation->ready.get(), 0), "let NCCL's stream wait");
    settle(issue(stream_), operation->subject);
    check_cuda(cudaEventRecord(operation->finished.get(), stream_), "record an event");
    {
      std::lock_guard lock(mutex_);
      in_flight_.push_back(operation);
    }
    changed_.notify_all();
  });
  return std::make_unique<OperationCompletion>(*this, std::move(operation), std::move(issuing));
}

void NcclCommunicator::watch() {
  cudaSetDevice(device_);
  std::unique_lock lock(mutex_);
  while (!(ending_ && in_flight_.empty())) {
    if (in_flight_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto oldest = in_flight_.front();
    lock.unlock();
    const auto state = cudaEventQuery(oldest->finished.get());
    ncclResult_t error = ncclSuccess;
    if (state == cudaErrorNotReady && ncclCommGetAsyncError(communicator_, &error) == ncclSuccess && error != ncclSuccess &&
        error != ncclInProgress) {
      fail(fmt::format("{}: NCCL reports '{}'. The run can be continued from its last checkpoint.", oldest->subject,
                       ncclGetErrorString(error)));
    } else if (state == cudaErrorNotReady && oldest->since.seconds() > timeout_seconds_) {
      fail(
          fmt::format("{} did not end within {:g} s on rank {} of {}: a rank is missing. The run can be continued from its last "
                      "checkpoint; if the rank was only slow, raise cluster.timeout_seconds.",
                      oldest->subject, timeout_seconds_, rank_, size_));
    } else if (state != cudaErrorNotReady && state != cudaSuccess) {
      fail(fmt::format("{}: CUDA reports '{}'.", oldest->subject, cudaGetErrorString(state)));
    }
    if (state == cudaErrorNotReady) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    lock.lock();
    if (!failure_.empty()) {
      in_flight_.clear();
    } else if (state == cudaSuccess) {
      in_flight_.pop_front();
    }
  }
}

void NcclCommunicator::fail(const std::string& reason) {
  {
    std::lock_guard lock(mutex_);
    if (!failure_.empty()) return;
    failure_ = reason;
  }
  if (communicator_) ncclCommAbort(communicator_);
}

void NcclCommunicator::throw_if_failed() const {
  std::lock_guard lock(mutex_);
  if (!failure_.empty()) throw RankLost("{}", failure_);
}

std::unique_ptr<Completion> NcclCommunicator::start_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) {
  return start("all_reduce", count * size_of(type), [this, data, count, type, op](cudaStream_t stream) {
    return ncclAllReduce(data, data, static_cast<std::size_t>(count), nccl_type(type), nccl_op(op), communicator_, stream);
  });
}

void NcclCommunicator::do_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) {
  start_all_reduce(data, count, type, op)->wait();
}

void NcclCommunicator::do_broadcast(void* data, std::int64_t count, DataType type, int root) {
  start("broadcast", count * size_of(type), [=, this](cudaStream_t stream) {
    return ncclBroadcast(data, data, static_cast<std::size_t>(count), nccl_type(type), root, communicator_, stream);
  })->wait();
}

void NcclCommunicator::do_all_gather(const void* in, void* out, std::int64_t count_each, DataType type) {
  start("all_gather", count_each * size_of(type), [=, this](cudaStream_t stream) {
    return ncclAllGather(in, out, static_cast<std::size_t>(count_each), nccl_type(type), communicator_, stream);
  })->wait();
}

void NcclCommunicator::do_barrier() {
  start_all_reduce(scratch_, 1, DataType::int32, ReduceOp::max)->wait();
  check_cuda(cudaStreamSynchronize(kDefaultStream), "wait for the barrier");
  throw_if_failed();
}

}  // namespace duet
