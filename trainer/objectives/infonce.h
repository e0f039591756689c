#pragma once
#include "base/torch.h"
#include "trainer/objectives/batch_rows.h"

namespace duet {

/// Each sketch's cross entropy against all photos of the global batch (docs/method.md §2.7):
///   −log( exp(s_i·p_i/τ) / Σ_j exp(s_i·p_j/τ) ),  j over row i itself and all rows that show another photo.
/// Other sketches of the same photo bring that photo into the batch again; these rows are masked out, being no negatives.
/// sketch, photo: [n, d], L2-normalised, gathered from all ranks; rows: n entries. Returns [n].
Tensor infonce_terms(const Tensor& sketch, const Tensor& photo, const BatchRows& rows, double temperature);

/// Σ_i weight_i · term_i / n, as triplet_loss(). weight: [n], constant. Returns a scalar.
Tensor infonce_loss(const Tensor& sketch, const Tensor& photo, const BatchRows& rows, const Tensor& weight, double temperature);

}  // namespace duet
