#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "cluster/reducer/gradient_reducer.h"
#include "trainer/config.h"
#include "trainer/learning/adam.h"

namespace duet {

/// Shortens the gradients of these parameters together to norm `limit`, where they are longer; 0: no limit.
void clip_gradients(const NamedTensors& parameters, double limit);

/// One of several losses of an update.
struct LearnerLoss {
  Tensor loss;            ///< the rank's share
  std::string part = {};  ///< of LearnerOptions::parts, whose parameters it concerns; empty: it concerns all
};

/// Some of a learner's parameters, which a loss of their own may concern. Their gradients are always carried in their own number format.
struct LearnerPart {
  std::string name;
  NamedTensors parameters;
};

struct LearnerOptions {
  AdamOptions adam = {};
  std::int64_t skipped_limit = 0;  ///< so many updates in a row may be left out because a gradient was not finite
  /// Running statistics that each rank's forward passes have moved its own way (batch norm `local`); apply() makes them the mean over ranks.
  NamedTensors statistics = {};
  std::string network = {};             ///< whose parameters these are, for messages
  std::vector<LearnerPart> parts = {};  ///< for losses that concern some parameters only
  double clip_each = 0;  ///< largest norm of each loss's gradients, before they are added; 0: none. adam.clip is of their sum
};

/// A set of parameters that is trained together: their gradients' reduction and their optimiser.
class Learner {
 public:
  Learner(NamedTensors parameters, Communicator& gradients, const ClusterConfig& cluster, LearnerOptions options = {});

  /// One update: a backward pass for each loss in turn, during which its gradients are summed over ranks; each loss's gradients clipped, and
  /// added; a step of the optimiser. The last loss must concern all parameters. Returns the gradients' norm; not a number when the update
  /// was skipped.
  /// Collective. Throws as GradientReducer::finish; but when a gradient is not finite and the limit is not reached, nothing is changed.
  double apply(const std::vector<LearnerLoss>& losses, double learning_rate);
  double apply(const Tensor& loss, double learning_rate) { return apply(std::vector<LearnerLoss>{{.loss = loss}}, learning_rate); }

  const NamedTensors& parameters() const { return parameters_; }

  /// Moments and step count, as Adam::state(); and the reducer's order, which is part of the sums' rounding. Those of parts are apart.
  NamedTensors state() const { return adam_.state(); }
  Json order() const { return reduced_.front().reducer->order(); }
  std::int64_t skipped_in_a_row() const { return skipped_in_a_row_; }
  void load(const NamedTensors& state, const Json& order, std::int64_t skipped_in_a_row);
  std::vector<std::string> order_of(const std::string& part) const { return reduced(part).reducer->order(); }
  void set_order_of(const std::string& part, const std::vector<std::string>& order) { reduced(part).reducer->set_order(order); }

 private:
  /// Parameters that one backward pass reaches.
  struct Reduced {
    LearnerPart part;
    std::unique_ptr<GradientReducer> reducer;
  };

  const Reduced& reduced(const std::string& part) const;
  void reduce(const Reduced& reduced, const Tensor& loss);
  double step(double learning_rate);
  void skip(const NumericalError& error);
  void average_statistics();

  NamedTensors parameters_, statistics_;
  Communicator& ranks_;
  std::vector<Reduced> reduced_;  ///< all parameters, then the parts
  Adam adam_;
  double clip_each_;
  std::int64_t skipped_limit_, skipped_in_a_row_ = 0;
  std::string network_;
  bool skips_ = false;  ///< the update that is being made
};

}  // namespace duet
