#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace duet {

enum class DataType { float32, float64, bfloat16, float16, int32, int64, uint8 };
enum class ReduceOp { sum, max, min };

/// Bytes of one element.
std::int64_t size_of(DataType type);
const char* name_of(DataType type);

/// An operation that is under way. Its buffers must stay alive and untouched until wait() returned or done() said true.
class Completion {
 public:
  virtual ~Completion() = default;
  /// Blocks until the result may be used: by the host, or, on device memory, by what is issued on the device's default stream afterwards.
  /// Throws what the operation threw (RankLost, NumericalError …), each time it is called.
  void wait();
  /// True once wait() would not block, errors included.
  virtual bool done() = 0;
  /// From the moment the operation was handed over to its end; 0 as long as that is not known.
  virtual double seconds() const = 0;

 private:
  virtual void do_wait() = 0;
};

/// Ranks that compute together. Operations are collective: every rank calls the same ones in the same order, with the same count and type;
/// that order is the order in which they run, asynchronous ones included. One communicator belongs to one concern (architecture: control,
/// gradients, statistics, data), so that small messages do not queue behind large ones. Different communicators may be used from different
/// threads at the same time; one communicator is used by one thread at a time.
///
/// Counts are elements, not bytes, and may exceed 2^31. bfloat16 and float16 are added in float32 and rounded once an addition.
/// Sums are the same bits on all ranks, and again in a second run with the same number of ranks.
///
/// A collective that takes longer than the time-out throws RankLost naming operation, sequence number, bytes and the ranks that are known
/// to be missing. After that the communicator is of no further use, and its buffers may still be written to: the process must leave
/// (World::abort).
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// "gradients": named in errors.
  virtual const std::string& name() const = 0;
  /// True when buffers must lie in the memory of the device (NCCL), false when in the host's (MPI, self).
  virtual bool device_memory() const = 0;

  /// In place.
  std::unique_ptr<Completion> all_reduce_async(void* data, std::int64_t count, DataType type, ReduceOp op = ReduceOp::sum);
  void all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op = ReduceOp::sum);
  void broadcast(void* data, std::int64_t count, DataType type, int root);
  /// `out` holds size() · count_each elements: the ranks' inputs in the order of ranks.
  void all_gather(const void* in, void* out, std::int64_t count_each, DataType type);
  /// Returns on no rank before all ranks have called it.
  void barrier();

  // Conveniences over the above. Only for communicators of host memory.
  void all_reduce(std::span<double> values, ReduceOp op = ReduceOp::sum);
  void all_reduce(std::span<float> values, ReduceOp op = ReduceOp::sum);
  void all_reduce(std::span<std::int64_t> values, ReduceOp op = ReduceOp::sum);
  double all_reduce(double value, ReduceOp op = ReduceOp::sum);
  std::int64_t all_reduce(std::int64_t value, ReduceOp op = ReduceOp::sum);
  bool any(bool value);
  void broadcast(std::span<double> values, int root);
  void broadcast(std::span<std::int64_t> values, int root);
  void broadcast_string(std::string& text, int root);
  /// The texts of all ranks, in the order of ranks; they may differ in length.
  std::vector<std::string> all_gather_strings(const std::string& text);

 private:
  // Arguments are checked by the public methods; count may be 0, which must be a no-op that keeps the order of operations.
  virtual std::unique_ptr<Completion> start_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) = 0;
  virtual void do_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) = 0;
  virtual void do_broadcast(void* data, std::int64_t count, DataType type, int root) = 0;
  virtual void do_all_gather(const void* in, void* out, std::int64_t count_each, DataType type) = 0;
  virtual void do_barrier() = 0;
};

/// A world of one: every operation returns at once. Needs no MPI.
std::unique_ptr<Communicator> make_self_communicator(const std::string& name = "self");

}  // namespace duet
