#pragma once
#include "base/torch.h"
#include "trainer/choices.h"

namespace duet {

/// L2 distance of each pair. sketch, photo: [n, d]. Returns [n]. The gradient at distance zero is zero, not NaN.
Tensor pair_distance(const Tensor& sketch, const Tensor& photo);

/// Relative distillation of each pair (docs/method.md §6, paper Eq. 6): |d_T − d|, or its square, d the student's distance of the pair.
/// teacher_distance: [n], constant; student_distance: [n], from pair_distance(). Returns [n];
/// its mean over labelled and pseudo pairs is L_KD.
Tensor distillation_terms(const Tensor& teacher_distance, const Tensor& student_distance, DistillationForm form);

}  // namespace duet
