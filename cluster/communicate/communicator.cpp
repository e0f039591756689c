#include "cluster/communicate/communicator.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/time.h"
#include "cluster/communicate/operation_queue.h"
#include "monitoring/metrics/metrics.h"

namespace duet {

std::int64_t size_of(DataType type) {
  switch (type) {
    case DataType::float32:
    case DataType::int32:
      return 4;
    case DataType::float64:
    case DataType::int64:
      return 8;
    case DataType::bfloat16:
    case DataType::float16:
      return 2;
    case DataType::uint8:
      return 1;
  }
  throw InternalError("no such data type: {}", static_cast<int>(type));
}

const char* name_of(DataType type) {
  switch (type) {
    case DataType::float32:
      return "float32";
    case DataType::float64:
      return "float64";
    case DataType::bfloat16:
      return "bfloat16";
    case DataType::float16:
      return "float16";
    case DataType::int32:
      return "int32";
    case DataType::int64:
      return "int64";
    case DataType::uint8:
      return "uint8";
  }
  throw InternalError("no such data type: {}", static_cast<int>(type));
}

namespace {

/// Counts how long the caller stands still in a collective.
class Waiting {
 public:
  Waiting() = default;
  ~Waiting() {
    static const auto waited = metrics().counter("duet_communication_wait_seconds_total");
    waited.add(since_.seconds());
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  Stopwatch since_;
};

}  // namespace

void Completion::wait() {
  const Waiting waiting;
  do_wait();
}

std::unique_ptr<Completion> Communicator::all_reduce_async(void* data, std::int64_t count, DataType type, ReduceOp op) {
  DUET_CHECK(count >= 0 && (data || count == 0), "{}: all_reduce of {} elements", name(), count);
  return start_all_reduce(data, count, type, op);
}

void Communicator::all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) {
  DUET_CHECK(count >= 0 && (data || count == 0), "{}: all_reduce of {} elements", name(), count);
  const Waiting waiting;
  do_all_reduce(data, count, type, op);
}

void Communicator::broadcast(void* data, std::int64_t count, DataType type, int root) {
  DUET_CHECK(count >= 0 && (data || count == 0), "{}: broadcast of {} elements", name(), count);
  DUET_CHECK(root >= 0 && root < size(), "{}: broadcast from rank {} of {}", name(), root, size());
  const Waiting waiting;
  do_broadcast(data, count, type, root);
}

void Communicator::all_gather(const void* in, void* out, std::int64_t count_each, DataType type) {
  DUET_CHECK(count_each >= 0 && ((in && out) || count_each == 0), "{}: all_gather of {} elements", name(), count_each);
  const Waiting waiting;
  do_all_gather(in, out, count_each, type);
}

void Communicator::barrier() {
  const Waiting waiting;
  do_barrier();
}

void Communicator::all_reduce(std::span<double> values, ReduceOp op) {
  all_reduce(values.data(), static_cast<std::int64_t>(values.size()), DataType::float64, op);
}
void Communicator::all_reduce(std::span<float> values, ReduceOp op) {
  all_reduce(values.data(), static_cast<std::int64_t>(values.size()), DataType::float32, op);
}
void Communicator::all_reduce(std::span<std::int64_t> values, ReduceOp op) {
  all_reduce(values.data(), static_cast<std::int64_t>(values.size()), DataType::int64, op);
}
double Communicator::all_reduce(double value, ReduceOp op) {
  all_reduce(&value, 1, DataType::float64, op);
  return value;
}
std::int64_t Communicator::all_reduce(std::int64_t value, ReduceOp op) {
  all_reduce(&value, 1, DataType::int64, op);
  return value;
}
bool Communicator::any(bool value) { return all_reduce(std::int64_t{value}, ReduceOp::max) != 0; }

void Communicator::broadcast(std::span<double> values, int root) {
  broadcast(values.data(), static_cast<std::int64_t>(values.size()), DataType::float64, root);
}
void Communicator::broadcast(std::span<std::int64_t> values, int root) {
  broadcast(values.data(), static_cast<std::int64_t>(values.size()), DataType::int64, root);
}

void Communicator::broadcast_string(std::string& text, int root) {
  auto length = static_cast<std::int64_t>(text.size());
  broadcast(&length, 1, DataType::int64, root);
  text.resize(static_cast<std::size_t>(length));
  broadcast(text.data(), length, DataType::uint8, root);
}

std::vector<std::string> Communicator::all_gather_strings(const std::string& text) {
  const auto length = static_cast<std::int64_t>(text.size());
  std::vector<std::int64_t> lengths(size());
  all_gather(&length, lengths.data(), 1, DataType::int64);
  const auto longest = *std::max_element(lengths.begin(), lengths.end());
  std::string padded = text;
  padded.resize(longest);
  std::string all(longest * size(), '\0');
  all_gather(padded.data(), all.data(), longest, DataType::uint8);
  std::vector<std::string> texts;
  texts.reserve(lengths.size());
  for (int rank = 0; rank < size(); ++rank) texts.push_back(all.substr(rank * longest, lengths[rank]));
  return texts;
}

namespace {

class SelfCommunicator : public Communicator {
 public:
  explicit SelfCommunicator(const std::string& name) : name_(name) {}
  int rank() const override { return 0; }
  int size() const override { return 1; }
  const std::string& name() const override { return name_; }
  bool device_memory() const override { return false; }

 private:
  std::unique_ptr<Completion> start_all_reduce(void*, std::int64_t, DataType, ReduceOp) override { return completed(); }
  void do_all_reduce(void*, std::int64_t, DataType, ReduceOp) override {}
  void do_broadcast(void*, std::int64_t, DataType, int) override {}
  void do_all_gather(const void* in, void* out, std::int64_t count_each, DataType type) override {
    if (count_each > 0 && in != out) std::memmove(out, in, static_cast<std::size_t>(count_each * size_of(type)));
  }
  void do_barrier() override {}

  std::string name_;
};

}  // namespace

std::unique_ptr<Communicator> make_self_communicator(const std::string& name) { return std::make_unique<SelfCommunicator>(name); }

}  // namespace duet
