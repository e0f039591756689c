#include "trainer/objectives/rows.h"

#include "base/error.h"

namespace duet {

Tensor row_tensor(std::span<const std::int64_t> values, const at::Device& device) {
  auto rows = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), rows.data_ptr<std::int64_t>());
  return rows.to(device);
}

Tensor weighted_mean(const Tensor& terms, const Tensor& weight) {
  // Broadcasting [n] against [n, 1] would average n² products without a word.
  DUET_CHECK(terms.dim() == 1 && terms.sizes() == weight.sizes(), "{} terms, {} weights", terms.numel(), weight.numel());
  return (weight.detach() * terms).mean();
}

}  // namespace duet
