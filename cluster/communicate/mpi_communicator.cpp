#include "cluster/communicate/mpi_communicator.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "base/process.h"
#include "base/time.h"
#include "cluster/communicate/half.h"
#include "monitoring/trace/trace.h"

namespace duet {
namespace {

void check(int code, const std::string& subject) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw RankLost("{}: MPI reports '{}'. A rank was probably lost; the run can be continued from its last checkpoint.", subject,
                 std::string(text, length));
}

template <float (*kWiden)(std::uint16_t), std::uint16_t (*kRound)(float), ReduceOp kOp>
void reduce_halves(void* in, void* in_out, int* count, MPI_Datatype*) {
  const auto* left = static_cast<const std::uint16_t*>(in);
  auto* right = static_cast<std::uint16_t*>(in_out);
  for (int i = 0; i < *count; ++i) {
    const float a = kWiden(left[i]), b = kWiden(right[i]);
    right[i] = kOp == ReduceOp::sum ? kRound(a + b) : kOp == ReduceOp::max ? kRound(a > b ? a : b) : kRound(a < b ? a : b);
  }
}

/// Types and operators that MPI does not bring. Made once, after MPI_Init; freed by MPI_Finalize.
struct HalfTypes {
  MPI_Datatype bfloat16, float16;
  MPI_Op bfloat16_ops[3], float16_ops[3];

  HalfTypes() {
    for (auto* type : {&bfloat16, &float16}) {
      MPI_Type_contiguous(2, MPI_BYTE, type);
      MPI_Type_commit(type);
    }
    make(bfloat16_ops, reduce_halves<bfloat16_to_float, float_to_bfloat16, ReduceOp::sum>,
         reduce_halves<bfloat16_to_float, float_to_bfloat16, ReduceOp::max>,
         reduce_halves<bfloat16_to_float, float_to_bfloat16, ReduceOp::min>);
    make(float16_ops, reduce_halves<float16_to_float, float_to_float16, ReduceOp::sum>,
         reduce_halves<float16_to_float, float_to_float16, ReduceOp::max>,
         reduce_halves<float16_to_float, float_to_float16, ReduceOp::min>);
  }
  static void make(MPI_Op (&ops)[3], MPI_User_function* sum, MPI_User_function* max, MPI_User_function* min) {
    MPI_Op_create(sum, 1, &ops[static_cast<int>(ReduceOp::sum)]);
    MPI_Op_create(max, 1, &ops[static_cast<int>(ReduceOp::max)]);
    MPI_Op_create(min, 1, &ops[static_cast<int>(ReduceOp::min)]);
  }
};
const HalfTypes& half_types() {
  static const HalfTypes types;
  return types;
}

MPI_Datatype mpi_type(DataType type) {
  switch (type) {
    case DataType::float32:
      return MPI_FLOAT;
    case DataType::float64:
      return MPI_DOUBLE;
    case DataType::bfloat16:
      return half_types().bfloat16;
    case DataType::float16:
      return half_types().float16;
    case DataType::int32:
      return MPI_INT32_T;
    case DataType::int64:
      return MPI_INT64_T;
    case DataType::uint8:
      return MPI_UINT8_T;
  }
  throw InternalError("no such data type: {}", static_cast<int>(type));
}

MPI_Op mpi_op(DataType type, ReduceOp op) {
  if (type == DataType::bfloat16) return half_types().bfloat16_ops[static_cast<int>(op)];
  if (type == DataType::float16) return half_types().float16_ops[static_cast<int>(op)];
  return op == ReduceOp::sum ? MPI_SUM : op == ReduceOp::max ? MPI_MAX : MPI_MIN;
}

}  // namespace

struct MpiCommunicator::Call {
  Call(const char* what, std::int64_t size, std::int64_t sequence, const std::string& communicator)
      : operation(what), bytes(size), number(sequence) {
    span.with("communicator", communicator).with("bytes", bytes).with("number", number);
  }
  const char* operation;
  std::int64_t bytes;
  std::int64_t number;
  Stopwatch since;
  TraceSpan span{operation, SpanKind::communication};
};

MpiCommunicator::MpiCommunicator(MPI_Comm parent, const std::string& name, double timeout_seconds, Pulse* own, std::vector<LocalPeer> peers)
    : name_(name), timeout_seconds_(timeout_seconds), own_(own), peers_(std::move(peers)), queue_(name) {
  check(MPI_Comm_dup(parent, &communicator_), name_);
  check(MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN), name_);
  MPI_Comm_rank(communicator_, &rank_);
  MPI_Comm_size(communicator_, &size_);
}

std::unique_ptr<Completion> MpiCommunicator::start_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) {
  return queue_.start([this, data, count, type, op] { all_reduce_now(data, count, type, op); });
}

void MpiCommunicator::do_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) {
  queue_.run([&] { all_reduce_now(data, count, type, op); });
}

void MpiCommunicator::all_reduce_now(void* data, std::int64_t count, DataType type, ReduceOp op) {
  auto call = begin("all_reduce", count * size_of(type));
  const auto piece = kReducePieceBytes / size_of(type);
  for (std::int64_t first = 0; first < count; first += piece) {
    const auto part = static_cast<int>(std::min(piece, count - first));
    auto* start = static_cast<char*>(data) + first * size_of(type);
    complete(call, part * size_of(type), [&](MPI_Request* request) {
      return MPI_Iallreduce(MPI_IN_PLACE, start, part, mpi_type(type), mpi_op(type, op), communicator_, request);
    });
  }
}

void MpiCommunicator::do_broadcast(void* data, std::int64_t count, DataType type, int root) {
  queue_.run([&] {
    auto call = begin("broadcast", count * size_of(type));
    broadcast_pieces(call, static_cast<char*>(data), count * size_of(type), root);
  });
}

void MpiCommunicator::broadcast_pieces(Call& call, char* data, std::int64_t bytes, int root) {
  for (std::int64_t first = 0; first < bytes; first += kPieceBytes) {
    const auto part = static_cast<int>(std::min(kPieceBytes, bytes - first));
    complete(call, part, [&](MPI_Request* request) { return MPI_Ibcast(data + first, part, MPI_BYTE, root, communicator_, request); });
  }
}

void MpiCommunicator::do_all_gather(const void* in, void* out, std::int64_t count_each, DataType type) {
  queue_.run([&] {
    const auto bytes = count_each * size_of(type);
    auto call = begin("all_gather", bytes);
    if (bytes == 0) return;
    if (bytes * size_ <= kPieceBytes) {
      complete(call, bytes * size_, [&](MPI_Request* request) {
        return MPI_Iallgather(in, static_cast<int>(bytes), MPI_BYTE, out, static_cast<int>(bytes), MPI_BYTE, communicator_, request);
      });
      return;
    }
    // MPI cannot gather in pieces, since each rank's part would have to lie apart; as many broadcasts move the same bytes.
    auto* all = static_cast<char*>(out);
    std::memmove(all + rank_ * bytes, in, static_cast<std::size_t>(bytes));
    for (int root = 0; root < size_; ++root) broadcast_pieces(call, all + root * bytes, bytes, root);
  });
}

void MpiCommunicator::do_barrier() {
  queue_.run([&] {
    auto call = begin("barrier", 0);
    complete(call, 0, [&](MPI_Request* request) { return MPI_Ibarrier(communicator_, request); });
  });
}

MpiCommunicator::Call MpiCommunicator::begin(const char* operation, std::int64_t bytes) {
  own_->started.store(++sequence_, std::memory_order_relaxed);
  return Call(operation, bytes, sequence_, name_);
}

void MpiCommunicator::complete(Call& call, std::int64_t bytes, const std::function<int(MPI_Request*)>& issue) {
  MPI_Request request = MPI_REQUEST_NULL;
  const auto subject = [&] { return fmt::format("{} number {} on '{}' ({} bytes)", call.operation, call.number, name_, call.bytes); };
  if (const int code = issue(&request); code != MPI_SUCCESS) check(code, subject());
  // MPI moves data only while it is called: yield for about as long as the transfer takes, then sleep, so that ranks that wait for a slow
  // one leave the cores to it.
  const double eager_seconds = 0.5e-3 + static_cast<double>(bytes) * 4e-9;
  Stopwatch waiting;
  for (;;) {
    int done = 0;
    if (const int code = MPI_Test(&request, &done, MPI_STATUS_IGNORE); code != MPI_SUCCESS) check(code, subject());
    if (done) return;
    if (waiting.seconds() < eager_seconds) {
      sched_yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      if (call.since.seconds() > timeout_seconds_) give_up(call);
    }
  }
}

void MpiCommunicator::give_up(const Call& call) const {
  std::string missing;
  for (const auto& peer : peers_) {
    const auto reached = peer.pulse->started.load(std::memory_order_relaxed);
    const auto state = process_state(peer.process);
    if (peer.rank == rank_ || (reached >= call.number && state == ProcessState::at_work)) continue;
    const auto process = state == ProcessState::gone || state == ProcessState::zombie ? std::string("its process is gone; it was")
                         : state == ProcessState::stopped ? fmt::format("its process {} is stopped,", peer.process)
                                                          : fmt::format("process {} still", peer.process);
    missing += fmt::format("{}rank {} ({} at number {})", missing.empty() ? "" : ", ", peer.rank, process, reached);
  }
  if (missing.empty())
    missing = static_cast<int>(peers_.size()) < size_ ? "a rank of another host" : "none of them; the transfer itself hangs";
  throw RankLost(
      "{} number {} on '{}' ({} bytes) did not end within {:g} s on rank {} of {}. Missing: {}. The run can be continued from its last "
      "checkpoint; if the rank was only slow, raise cluster.timeout_seconds.",
      call.operation, call.number, name_, call.bytes, timeout_seconds_, rank_, size_, missing);
}

}  // namespace duet
