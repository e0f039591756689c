#include <gtest/gtest.h>

#include "cluster/reducer/tensor_collectives.h"
#include "tests/rank_world.h"
#include "tests/trainer/models/formula.h"
#include "trainer/models/discriminator.h"
#include "trainer/models/retrieval_network.h"

// N ranks with a part of a batch each must compute what one does with the whole. Every rank does both and compares.
namespace duet {
namespace {

Communicator& statistics() { return test_world().statistics(); }

/// Rank r has r + 1 rows, so that a mean of means would be wrong.
struct Share {
  std::int64_t begin, end, total;
  Share() {
    std::int64_t rank = test_world().rank(), ranks = test_world().size();
    begin = rank * (rank + 1) / 2;
    end = begin + rank + 1;
    total = ranks * (ranks + 1) / 2;
  }
  Tensor of(const Tensor& whole) const { return whole.slice(0, begin, end); }
};

Tensor sum_over_ranks(const Tensor& value) {
  auto sum = value.detach().clone();
  all_reduce_(sum, statistics());
  return sum;
}

void expect_same_gradients_and_buffers(const Module& global, const Module& whole) {
  auto ours = global.parameters(), theirs = whole.parameters();
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_TRUE(at::allclose(sum_over_ranks(ours[i].tensor.grad()), theirs[i].tensor.grad(), 1e-9, 1e-11))
        << "gradient of " << ours[i].name;
  }
  auto buffers = global.buffers(), references = whole.buffers();
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_TRUE(at::allclose(buffers[i].tensor, references[i].tensor, 1e-11, 1e-12)) << buffers[i].name;
    auto all = all_gather_rows(buffers[i].tensor.unsqueeze(0), statistics());
    for (int rank = 0; rank < statistics().size(); ++rank) {
      EXPECT_TRUE(at::equal(all[rank], buffers[i].tensor)) << buffers[i].name << " of rank " << rank << " has other bits";
    }
  }
}

TEST(GlobalBatchNorm, OverRanksEqualsLocalOnTheJoinedBatch) {
  Share share;
  for (auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    BatchNorm global({.dtype = at::kDouble, .statistics = &statistics()}, 5, BatchNormMode::global);
    BatchNorm whole({.dtype = at::kDouble}, 5, BatchNormMode::local);
    fill_by_formula(global);
    fill_by_formula(whole);
    auto slope = formula_values("slope", {share.total, 5, 4, 3});
    auto inputs = (formula_values("input", {share.total, 5, 4, 3}) * 2 + 3).contiguous(format).requires_grad_();
    auto own = share.of(inputs.detach()).contiguous(format).requires_grad_();
    for (int step = 0; step < 2; ++step) {  // twice: running statistics and gradients add up
      auto expected = whole.forward(inputs), output = global.forward(own);
      EXPECT_TRUE(at::allclose(output, share.of(expected), 1e-11, 1e-11));
      (expected * slope * expected).sum().backward();
      (output * share.of(slope) * output).sum().backward();
    }
    EXPECT_TRUE(at::allclose(own.grad(), share.of(inputs.grad()), 1e-10, 1e-11));
    expect_same_gradients_and_buffers(global, whole);
  }
}

TEST(GlobalBatchNorm, ALargeMeanDoesNotCancelTheVariance) {
  Share share;
  BatchNorm global({.statistics = &statistics()}, 2, BatchNormMode::global, 0);
  auto exact = formula_values("input", {share.total, 2, 8, 8}) + 4096;  // deviation 0.6: a float's square of it has no digit left for that
  auto inputs = exact.to(at::kFloat);
  auto output = global.forward(share.of(inputs)).to(at::kDouble);
  auto [variance, mean] = at::var_mean(inputs.to(at::kDouble), {0, 2, 3}, /*correction=*/0, /*keepdim=*/true);
  auto expected = (share.of(inputs).to(at::kDouble) - mean) / variance.sqrt();
  EXPECT_LT((output - expected).abs().max().item<double>(), 2e-3);
}

TEST(GlobalBatchNorm, WholeNetworksOverRanksEqualOneOnTheJoinedBatch) {
  Share share;
  auto photos = (formula_values("photos", {share.total, 32, 32, 3}) * 127 + 128).to(at::kByte);
  auto rasters = (formula_values("rasters", {share.total, 32, 32}) * 127 + 128).to(at::kByte);

  RetrievalConfig retrieval;
  retrieval.backbone = "tiny";
  retrieval.batch_norm = BatchNormMode::global;
  RetrievalNetwork parts(retrieval, {.dtype = at::kDouble, .statistics = &statistics()}), one(retrieval, {.dtype = at::kDouble});
  auto slope = formula_values("slope", {share.total, parts.dimension()});
  auto expected = one.embed(photos), output = parts.embed(share.of(photos));
  EXPECT_TRUE(at::allclose(output, share.of(expected), 1e-10, 1e-11));
  (expected * slope).sum().backward();
  (output * share.of(slope)).sum().backward();
  expect_same_gradients_and_buffers(parts, one);

  DiscriminatorConfig discriminator;
  discriminator.width = 8;
  Discriminator shared(discriminator, 32, {.dtype = at::kDouble, .statistics = &statistics()}),
      alone(discriminator, 32, {.dtype = at::kDouble});
  alone.logits(photos, rasters).square().sum().backward();
  shared.logits(share.of(photos), share.of(rasters)).square().sum().backward();
  expect_same_gradients_and_buffers(shared, alone);
}

}  // namespace
}  // namespace duet
