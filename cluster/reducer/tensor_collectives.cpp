#include "cluster/reducer/tensor_collectives.h"

#include "base/error.h"

namespace duet {
namespace {

/// A contiguous tensor with the values of `tensor`, where `communicator` works.
Tensor staged(const Tensor& tensor, const Communicator& communicator) {
  const bool moves = tensor.is_cuda() && !communicator.device_memory();
  DUET_CHECK(tensor.is_cuda() || !communicator.device_memory(), "'{}' works on the device, the tensor lies on the host",
             communicator.name());
  return (moves ? tensor.to(at::kCPU) : tensor).contiguous();
}

}  // namespace

DataType data_type_of(const Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return DataType::float32;
    case at::kDouble:
      return DataType::float64;
    case at::kBFloat16:
      return DataType::bfloat16;
    case at::kHalf:
      return DataType::float16;
    case at::kInt:
      return DataType::int32;
    case at::kLong:
      return DataType::int64;
    case at::kByte:
      return DataType::uint8;
    default:
      throw InternalError("tensors of type {} do not travel between ranks", c10::toString(tensor.scalar_type()));
  }
}

void all_reduce_(Tensor& tensor, Communicator& communicator, ReduceOp op) {
  const at::NoGradGuard no_grad;
  auto buffer = staged(tensor, communicator);
  communicator.all_reduce(buffer.data_ptr(), buffer.numel(), data_type_of(buffer), op);
  if (!buffer.is_same(tensor)) tensor.copy_(buffer);
}

void broadcast_(Tensor& tensor, Communicator& communicator, int root) {
  const at::NoGradGuard no_grad;
  auto buffer = staged(tensor, communicator);
  communicator.broadcast(buffer.data_ptr(), buffer.numel(), data_type_of(buffer), root);
  if (!buffer.is_same(tensor)) tensor.copy_(buffer);
}

Tensor all_gather_rows(const Tensor& local, Communicator& communicator) {
  DUET_CHECK(local.dim() >= 1, "rows of a scalar");
  const auto ranks = communicator.size(), rank = communicator.rank();
  if (ranks == 1) return local;
  const auto rows = local.size(0);
  Tensor all;
  {
    const at::NoGradGuard no_grad;
    const auto own = staged(local.detach(), communicator);
    auto shape = own.sizes().vec();
    shape[0] *= ranks;
    all = at::empty(shape, own.options());
    communicator.all_gather(own.data_ptr(), all.data_ptr(), own.numel(), data_type_of(own));
    all = all.to(local.device());
  }
  return at::cat({all.narrow(0, 0, rank * rows), local, all.narrow(0, (rank + 1) * rows, (ranks - 1 - rank) * rows)});
}

}  // namespace duet
