#include "trainer/objectives/infonce.h"

#include <limits>

#include "base/error.h"
#include "trainer/objectives/rows.h"

namespace duet {

Tensor infonce_terms(const Tensor& sketch, const Tensor& photo, const BatchRows& rows, double temperature) {
  const auto count = sketch.size(0);
  DUET_CHECK(photo.size(0) == count && std::ssize(rows.photo) == count && std::ssize(rows.group) == count,
             "{} sketches, {} photos, {} photo indices, {} groups", count, photo.size(0), rows.photo.size(), rows.group.size());
  const auto shown = row_tensor(rows.photo, sketch.device());
  const auto group = row_tensor(rows.group, sketch.device());
  auto same_photo = (shown.unsqueeze(1) == shown.unsqueeze(0)).logical_and_(group.unsqueeze(1) == group.unsqueeze(0));
  same_photo.fill_diagonal_(0);  // a row's own photo is its positive

  auto logits = at::matmul(sketch, photo.t()) / temperature;
  auto log_total = at::logsumexp(logits.masked_fill(same_photo, -std::numeric_limits<double>::infinity()), 1);
  return log_total - logits.diagonal();
}

Tensor infonce_loss(const Tensor& sketch, const Tensor& photo, const BatchRows& rows, const Tensor& weight, double temperature) {
  return weighted_mean(infonce_terms(sketch, photo, rows, temperature), weight);
}

}  // namespace duet
