#include "trainer/models/retrieval_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "tests/trainer/models/formula.h"

namespace duet {
namespace {

using testing::ElementsAre;

RetrievalConfig small(bool attention, Pooling pooling, int head) {
  RetrievalConfig config;
  config.backbone = "tiny";
  config.batch_norm = BatchNormMode::frozen;
  config.attention = attention;
  config.pooling = pooling;
  config.head = head;
  return config;
}

Tensor photos(std::int64_t count, std::int64_t side) {
  return (formula_values("photos", {count, side, side, 3}) * 127 + 128).to(at::kByte);
}

Tensor named(const Module& module, const std::string& name) {
  for (const auto& [key, tensor] : module.parameters()) {
    if (key == name) return tensor.detach();
  }
  return {};
}

/// docs/method.md §2.1 and §2.2 in plain loops, from the backbone's map on.
std::vector<double> slow_embedding(const Tensor& map, const Tensor& attention, bool average, const Tensor& weight, const Tensor& bias) {
  auto channels = map.size(0), positions = map.size(1) * map.size(2);
  auto flat = map.reshape({channels, positions});
  auto at_position = [&](std::int64_t c, std::int64_t p) { return flat[c][p].item<double>(); };
  std::vector<double> share(positions, 0.0);
  if (attention.defined()) {
    double sum = 0;
    for (std::int64_t p = 0; p < positions; ++p) {
      double logit = 0;
      for (std::int64_t c = 0; c < channels; ++c) logit += attention[0][c][0][0].item<double>() * at_position(c, p);
      sum += share[p] = std::exp(logit);
    }
    for (auto& value : share) value /= sum;
  }
  auto unit = [](std::vector<double> v) {
    double square = 0;
    for (double x : v) square += x * x;
    for (double& x : v) x /= std::sqrt(square);
    return v;
  };
  std::vector<double> pooled;
  for (std::int64_t c = 0; c < channels; ++c) {
    double sum = 0, largest = -1e300;
    for (std::int64_t p = 0; p < positions; ++p) {
      double value = at_position(c, p) * (1 + share[p]);
      sum += value;
      largest = std::max(largest, value);
    }
    pooled.push_back(average ? sum / static_cast<double>(positions) : largest);
  }
  pooled = unit(pooled);
  if (!weight.defined()) return pooled;
  std::vector<double> head;
  for (std::int64_t o = 0; o < weight.size(0); ++o) {
    double sum = bias[o].item<double>();
    for (std::int64_t c = 0; c < channels; ++c) sum += weight[o][c].item<double>() * pooled[c];
    head.push_back(sum);
  }
  return unit(head);
}

TEST(RetrievalNetwork, EqualsTheFormulaInAllItsForms) {
  for (bool attention : {true, false}) {
    for (auto pooling : {Pooling::average, Pooling::max}) {
      for (int head : {0, 5}) {
        RetrievalNetwork network(small(attention, pooling, head), {.dtype = at::kDouble});
        fill_by_formula(network);
        auto images = photos(2, 24);
        auto embedded = network.embed(images).detach();
        ASSERT_THAT(embedded.sizes(), ElementsAre(2, head == 0 ? 64 : head));
        EXPECT_EQ(network.dimension(), embedded.size(1));
        for (int i = 0; i < 2; ++i) {
          auto map = network.backbone().features(images.slice(0, i, i + 1)).detach()[0];
          auto expected = slow_embedding(map, named(network, "attention.weight"), pooling == Pooling::average,
                                         named(network, "head.weight"), named(network, "head.bias"));
          for (std::size_t d = 0; d < expected.size(); ++d) {
            EXPECT_NEAR(embedded[i][static_cast<std::int64_t>(d)].item<double>(), expected[d], 1e-12)
                << to_word(pooling) << " attention " << attention << " head " << head << " dimension " << d;
          }
        }
      }
    }
  }
}

TEST(RetrievalNetwork, EmbedsPhotosAndRastersOnTheUnitSphere) {
  RetrievalNetwork network(small(true, Pooling::average, 8), {});
  auto rasters = photos(3, 16).select(3, 0).contiguous();
  for (const auto& embedded : {network.embed(photos(3, 16)), network.embed(rasters)}) {
    EXPECT_TRUE(at::allclose(embedded.norm(2, 1), at::ones({3})));
  }
}

TEST(RetrievalNetwork, AttentionIsADistributionOverPositions) {
  for (bool attention : {true, false}) {
    RetrievalNetwork network(small(attention, Pooling::average, 8), {.dtype = at::kDouble});
    fill_by_formula(network);
    auto share = network.attention(photos(2, 24)).detach();
    EXPECT_THAT(share.sizes(), ElementsAre(2, 3, 3));
    EXPECT_TRUE(at::allclose(share.sum({1, 2}), at::ones({2}, at::kDouble)));
    EXPECT_EQ(share.std().item<double>() > 1e-3, attention);
  }
}

TEST(RetrievalNetwork, EveryParameterLearns) {
  RetrievalNetwork network(small(true, Pooling::average, 8), {});
  network.embed(photos(3, 16)).select(1, 0).sum().backward();
  for (const auto& [name, tensor] : network.parameters()) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    EXPECT_GT(tensor.grad().abs().sum().item<double>(), 0) << name;
  }
}

}  // namespace
}  // namespace duet
