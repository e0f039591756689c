#include "trainer/objectives/distillation.h"

#include "base/error.h"

namespace duet {

Tensor pair_distance(const Tensor& sketch, const Tensor& photo) { return (sketch - photo).norm(2, -1); }

Tensor distillation_terms(const Tensor& teacher_distance, const Tensor& student_distance, DistillationForm form) {
  DUET_CHECK(teacher_distance.sizes() == student_distance.sizes(), "{} teacher distances, {} student distances", teacher_distance.numel(),
             student_distance.numel());
  auto drift = teacher_distance.detach() - student_distance;
  return form == DistillationForm::absolute ? drift.abs() : drift.square();
}

}  // namespace duet
