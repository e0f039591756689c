#pragma once
#include <cstring>

#include "cluster/communicate/operation_queue.h"
#include "cluster/ranks/ranks.h"

namespace duet {

/// A kind of reduction that a training step does, to be taken out.
enum class Reduction {
  none,
  gradients,        ///< sums of the reducers' buckets
  norm_forward,     ///< batch statistics of the forward pass, gathered
  norm_backward,    ///< sums of batch normalisation's backward pass
  batch_mean,       ///< sums of one number: the batch's mean divergence, mean reward
  embeddings,       ///< gathered embeddings of the global batch
  photo_identities  ///< gathered indices of the photos that the rows show
};

inline const char* name_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::none:
      return "none";
    case Reduction::gradients:
      return "the sum of gradients";
    case Reduction::norm_forward:
      return "the statistics of batch normalisation, forward";
    case Reduction::norm_backward:
      return "the sums of batch normalisation, backward";
    case Reduction::batch_mean:
      return "the mean over the batch";
    case Reduction::embeddings:
      return "the gathered embeddings";
    case Reduction::photo_identities:
      return "the gathered photo indices";
  }
  return "";
}

/// Where a communicator serves a phase, for telling reductions apart.
enum class Concern { gradients, statistics, data };

/// A communicator in which one kind of reduction leaves each rank with its own part: a sum keeps the rank's own values, a gathering fills
/// in the rank's own rows and zeros for all others. Everything else passes.
class WithoutReduction : public Communicator {
 public:
  WithoutReduction(Communicator& inner, Concern concern, Reduction taken_out) : inner_(inner), concern_(concern), taken_out_(taken_out) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  const std::string& name() const override { return inner_.name(); }
  bool device_memory() const override { return inner_.device_memory(); }

  /// How many were left out so far.
  int left_out() const { return left_out_; }

 private:
  static bool is_floating(DataType type) { return type == DataType::float64 || type == DataType::float32; }

  Reduction kind_of_sum(std::int64_t count, DataType type) const {
    if (!is_floating(type)) return Reduction::none;
    if (concern_ == Concern::gradients) return Reduction::gradients;
    return count == 1 ? Reduction::batch_mean : Reduction::norm_backward;
  }
  Reduction kind_of_gathering(DataType type) const {
    if (concern_ == Concern::statistics) return Reduction::norm_forward;
    return is_floating(type) ? Reduction::embeddings : Reduction::photo_identities;
  }
  bool leave_out(Reduction kind) {
    if (kind == Reduction::none || kind != taken_out_) return false;
    ++left_out_;
    return true;
  }

  std::unique_ptr<Completion> start_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override {
    if (leave_out(kind_of_sum(count, type))) return completed();
    return inner_.all_reduce_async(data, count, type, op);
  }
  void do_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override {
    if (!leave_out(kind_of_sum(count, type))) inner_.all_reduce(data, count, type, op);
  }
  void do_broadcast(void* data, std::int64_t count, DataType type, int root) override { inner_.broadcast(data, count, type, root); }
  void do_all_gather(const void* in, void* out, std::int64_t count_each, DataType type) override {
    if (!leave_out(kind_of_gathering(type))) return inner_.all_gather(in, out, count_each, type);
    const auto bytes = static_cast<std::size_t>(count_each * size_of(type));
    std::memset(out, 0, bytes * static_cast<std::size_t>(size()));
    std::memcpy(static_cast<char*>(out) + bytes * static_cast<std::size_t>(rank()), in, bytes);
  }
  void do_barrier() override { inner_.barrier(); }

  Communicator& inner_;
  Concern concern_;
  Reduction taken_out_;
  int left_out_ = 0;
};

/// The ranks of a training without one kind of reduction.
class RanksWithout {
 public:
  RanksWithout(const Ranks& ranks, Reduction taken_out)
      : control_(ranks.control),
        gradients_(ranks.gradients, Concern::gradients, taken_out),
        statistics_(ranks.statistics, Concern::statistics, taken_out),
        data_(ranks.data, Concern::data, taken_out) {}

  Ranks ranks() { return {control_, gradients_, statistics_, data_}; }
  int left_out() const { return gradients_.left_out() + statistics_.left_out() + data_.left_out(); }

 private:
  Communicator& control_;
  WithoutReduction gradients_, statistics_, data_;
};

}  // namespace duet
