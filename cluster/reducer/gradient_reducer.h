#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/named_tensor.h"
#include "cluster/communicate/communicator.h"
#include "cluster/reducer/transport.h"

namespace duet {

struct ReducerOptions {
  std::int64_t first_bucket_bytes = 1 << 20;  ///< small, so that communication starts early in the backward pass
  std::int64_t bucket_bytes = 25 << 20;
  /// All buckets are at most this share of all gradients, or kSmallestShare where that is more: a small network's few buckets would all
  /// leave near the end of the backward pass, which then hides little. 1: as large as the sizes above allow.
  int shares = 8;
  static constexpr std::int64_t kSmallestShare = 256 << 10;  ///< bytes; below, what each collective costs by itself counts more
  Transport transport = Transport::native;                   ///< number format between ranks; sums are kept in the parameters' own
};

struct ReducerStatistics {
  std::int64_t steps = 0;
  std::int64_t buckets = 0;                  ///< sent, over all steps
  std::int64_t buckets_during_backward = 0;  ///< of these, before finish() was called
  std::int64_t bytes = 0;                    ///< sent, in the transport's format
  double seconds_in_flight = 0;              ///< sum over buckets
  double seconds_waited = 0;                 ///< inside finish(): what the backward pass did not hide
};

/// Sums the gradients of one set of parameters over all ranks while the backward pass still runs. SUM, no averaging: losses are written as
/// the rank's share of the global loss. Works on the parameters that a phase trains; several reducers may own the same parameter as long as
/// only one of them is armed.
///
///   reducer.arm();  loss.backward();  reducer.finish();  optimiser.step();      // the same on all ranks
///
/// Gradients are views into flat buckets, in the layout of their parameter. Buckets leave in one order, fixed for all ranks: reverse
/// declaration order in the first step; from the second on the order in which the gradients of the first became ready on rank 0. That order
/// is part of the sums' rounding: save it with the checkpoint. Never set a gradient to undefined between arm() and finish().
///
/// On a device with a communicator of host memory, buckets are staged through pinned host memory.
/// Made, armed and finished by the thread that calls backward(). Must outlive a running backward pass.
class GradientReducer {
 public:
  /// Names are unique and for errors and order(). All parameters: leaves that require gradients, of one floating type and device, dense;
  /// the same on all ranks.
  GradientReducer(std::span<const NamedTensor> parameters, Communicator& communicator, const ReducerOptions& options = {});
  /// Parameters whose gradients still are views into its buckets are left without gradient, so that the buckets' memory goes too.
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  /// Sets all gradients to zero, in place, and watches the next `backwards` backward passes (gradient accumulation); buckets leave during
  /// the last one.
  void arm(int backwards = 1);

  /// Collective. Afterwards every gradient is the sum over ranks, the same bits on all of them.
  /// Throws on all ranks alike: NumericalError naming rank and parameter when a gradient was not finite before it was sent (or, with bf16
  /// or fp16, when it did not survive the transport); InternalError naming rank and parameter when one got no gradient.
  /// RankLost as Communicator.
  void finish();
  /// Gives up what arm() started without sending anything more; only when the step failed on all ranks, or before leaving.
  void disarm();

  /// Parameter names in the agreed order; empty before the first finish().
  std::vector<std::string> order() const;
  /// Before arm(), with what order() said in the run that is resumed (may be empty).
  /// Throws DataError unless it names exactly these parameters.
  void set_order(const std::vector<std::string>& names);

  const ReducerStatistics& statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace duet
