#include "cluster/reducer/tensor_collectives.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "tests/rank_world.h"

namespace duet {
namespace {

Tensor noise(std::vector<std::int64_t> shape, std::uint64_t stream) {
  auto tensor = at::empty(shape, at::kDouble);
  auto* values = tensor.data_ptr<double>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) values[i] = KeyedRandom(6, Purpose::test, stream, i).normal();
  return tensor;
}

constexpr std::int64_t kRows = 8;

Tensor own_rows(const Tensor& rows) {
  const auto share = rows.size(0) / test_world().size();
  return rows.narrow(0, test_world().rank() * share, share);
}

/// Each row against all others: a loss that couples the rows of all ranks.
Tensor contrast(const Tensor& embedded) { return -at::log_softmax(embedded.matmul(embedded.t()), 1).diagonal().mean(); }

Tensor gradient_of(const Tensor& weight, const std::function<Tensor(const Tensor&)>& loss) {
  const auto leaf = weight.clone().requires_grad_(true);
  loss(leaf).backward();
  return leaf.grad();
}

TEST(TensorCollectives, TheLossOfGatheredRowsHasTheGradientOfOneRank) {
  auto& communicator = test_world().statistics();
  const auto rows = noise({kRows, 5}, 1), weight = noise({5, 3}, 2);
  Tensor gathered_loss;
  auto gradient = gradient_of(
      weight, [&](const Tensor& w) { return gathered_loss = contrast(all_gather_rows(own_rows(rows).matmul(w).tanh(), communicator)); });
  all_reduce_(gradient, communicator);
  Tensor loss;
  const auto expected = gradient_of(weight, [&](const Tensor& w) { return loss = contrast(rows.matmul(w).tanh()); });
  EXPECT_NEAR(gathered_loss.item<double>(), loss.item<double>(), 1e-13);
  EXPECT_LT((gradient - expected).abs().max().item<double>(), 1e-13);
}

TEST(TensorCollectives, WorkInPlaceOnAnyLayoutAndType) {
  auto& communicator = test_world().statistics();
  const auto ranks = communicator.size();
  for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kInt, at::kLong, at::kByte}) {
    auto columns = at::arange(12).view({3, 4}).to(type).t();  // not contiguous
    all_reduce_(columns, communicator);
    EXPECT_TRUE(columns.to(at::kLong).equal(at::arange(12).view({3, 4}).t() * ranks)) << c10::toString(type);
    auto sent = at::full({3, 2}, communicator.rank() + 1, type).t();
    broadcast_(sent, communicator, ranks - 1);
    EXPECT_TRUE((sent.to(at::kLong) == ranks).all().item<bool>());
    const auto rows = all_gather_rows(at::full({2, 3}, communicator.rank(), type), communicator).to(at::kLong);
    EXPECT_TRUE(rows.equal(at::arange(ranks).repeat_interleave(2).unsqueeze(1).expand({2 * ranks, 3}))) << c10::toString(type);
  }
  auto flags = at::ones({2}, at::kBool);
  EXPECT_THROW(all_reduce_(flags, communicator), InternalError);
}

}  // namespace
}  // namespace duet
