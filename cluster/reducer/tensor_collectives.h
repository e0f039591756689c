#pragma once
#include "base/torch.h"
#include "cluster/communicate/communicator.h"

namespace duet {

// Collectives on tensors of any device and communicator: a tensor that does not lie where the communicator works is staged through it.
// Every rank calls the same ones, in the same order, with the same shapes and types.

DataType data_type_of(const Tensor& tensor);

/// In place; `tensor` need not be contiguous.
void all_reduce_(Tensor& tensor, Communicator& communicator, ReduceOp op = ReduceOp::sum);
void broadcast_(Tensor& tensor, Communicator& communicator, int root);

/// The rows of all ranks below each other: [n, …] → [size · n, …], in the order of ranks. n is the same on all ranks.
/// Differentiable in the rank's own rows only: each rank then computes the full global loss of the gathered rows, its own rows carry the
/// gradient, and the sum over ranks that GradientReducer makes is the gradient of that loss.
Tensor all_gather_rows(const Tensor& local, Communicator& communicator);

}  // namespace duet
