#include "trainer/objectives/adversarial.h"

namespace duet {

Tensor adversarial_terms(const Tensor& logits, PairOrigin origin) {
  // −log σ(x) and −log(1 − σ(x)) = −log σ(−x), without ever forming σ.
  return -at::log_sigmoid(origin == PairOrigin::human ? logits : -logits).flatten(1).mean(1);
}

Tensor adversarial_loss(const Tensor& human_logits, std::int64_t human_total, const Tensor& generated_logits,
                        std::int64_t generated_total) {
  // A share without rows sums to zero and stays part of the graph, so that every parameter has a gradient on every rank.
  auto human = adversarial_terms(human_logits, PairOrigin::human).sum() / static_cast<double>(std::max<std::int64_t>(human_total, 1));
  auto generated =
      adversarial_terms(generated_logits, PairOrigin::generated).sum() / static_cast<double>(std::max<std::int64_t>(generated_total, 1));
  return human + generated;
}

}  // namespace duet
