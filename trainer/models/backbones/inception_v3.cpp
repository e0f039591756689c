#include "trainer/models/backbone.h"
#include "trainer/models/layers.h"

namespace duet {
namespace {

using Pair = std::array<std::int64_t, 2>;

/// One convolution of the table below: its name, outputs, kernel, and padding that keeps the size unless stride is 2 or `valid`.
struct Step {
  std::string name;
  std::int64_t outputs;
  Pair kernel{1, 1};
  std::int64_t stride = 1;
  bool valid = false;

  ConvolutionShape shape(std::int64_t inputs) const {
    Pair padding{0, 0};
    if (stride == 1 && !valid) padding = {kernel[0] / 2, kernel[1] / 2};
    return {.inputs = inputs, .outputs = outputs, .kernel = kernel, .stride = stride, .padding = padding};
  }
};

enum class Pool { none, average, halving_max };

/// A path through a block: pooling, a chain of convolutions, then optionally a fork of convolutions side by side whose outputs are stacked.
struct Path {
  std::vector<Step> chain;
  std::vector<Step> fork = {};
  Pool pool = Pool::none;
};

using Table = std::vector<Path>;

constexpr Pair k3x3{3, 3}, k5x5{5, 5}, k1x7{1, 7}, k7x1{7, 1}, k1x3{1, 3}, k3x1{3, 1};

Table block_a(std::int64_t pooled) {
  return {{{{"branch1x1", 64}}},
          {{{"branch5x5_1", 48}, {"branch5x5_2", 64, k5x5}}},
          {{{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, k3x3}, {"branch3x3dbl_3", 96, k3x3}}},
          {{{"branch_pool", pooled}}, {}, Pool::average}};
}

Table block_b() {
  return {{{{"branch3x3", 384, k3x3, 2}}},
          {{{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, k3x3}, {"branch3x3dbl_3", 96, k3x3, 2}}},
          {{}, {}, Pool::halving_max}};
}

Table block_c(std::int64_t inner) {
  return {{{{"branch1x1", 192}}},
          {{{"branch7x7_1", inner}, {"branch7x7_2", inner, k1x7}, {"branch7x7_3", 192, k7x1}}},
          {{{"branch7x7dbl_1", inner},
            {"branch7x7dbl_2", inner, k7x1},
            {"branch7x7dbl_3", inner, k1x7},
            {"branch7x7dbl_4", inner, k7x1},
            {"branch7x7dbl_5", 192, k1x7}}},
          {{{"branch_pool", 192}}, {}, Pool::average}};
}

Table block_d() {
  return {{{{"branch3x3_1", 192}, {"branch3x3_2", 320, k3x3, 2}}},
          {{{"branch7x7x3_1", 192}, {"branch7x7x3_2", 192, k1x7}, {"branch7x7x3_3", 192, k7x1}, {"branch7x7x3_4", 192, k3x3, 2}}},
          {{}, {}, Pool::halving_max}};
}

Table block_e() {
  return {{{{"branch1x1", 320}}},
          {{{"branch3x3_1", 384}}, {{"branch3x3_2a", 384, k1x3}, {"branch3x3_2b", 384, k3x1}}},
          {{{"branch3x3dbl_1", 448}, {"branch3x3dbl_2", 384, k3x3}}, {{"branch3x3dbl_3a", 384, k1x3}, {"branch3x3dbl_3b", 384, k3x1}}},
          {{{"branch_pool", 192}}, {}, Pool::average}};
}

/// What torchvision calls InceptionA to InceptionE: paths side by side, their outputs stacked.
class Block : public Module {
 public:
  Block(const NetworkContext& context, std::int64_t inputs, const Table& table, BatchNormMode mode) {
    for (const auto& path : table) {
      auto& built = paths_.emplace_back();
      built.pool = path.pool;
      auto channels = inputs;
      for (const auto& step : path.chain) {
        built.chain.push_back(add(context, step, channels, mode));
        channels = step.outputs;
      }
      for (const auto& step : path.fork) built.fork.push_back(add(context, step, channels, mode));
      outputs_ += path.fork.empty() ? channels : path.fork[0].outputs * static_cast<std::int64_t>(path.fork.size());
    }
  }

  std::int64_t outputs() const { return outputs_; }

  Tensor forward(const Tensor& input) {
    std::vector<Tensor> stacked;
    for (auto& path : paths_) {
      auto map = input;
      if (path.pool == Pool::average) map = at::avg_pool2d(map, 3, 1, 1);
      if (path.pool == Pool::halving_max) map = at::max_pool2d(map, 3, 2);
      for (auto& layer : path.chain) map = layer->forward(map);
      for (auto& layer : path.fork) stacked.push_back(layer->forward(map));
      if (path.fork.empty()) stacked.push_back(map);
    }
    return at::cat(stacked, 1);
  }

 private:
  using Layer = std::unique_ptr<ConvolutionNorm>;
  struct BuiltPath {
    Pool pool = Pool::none;
    std::vector<Layer> chain, fork;
  };

  Layer add(const NetworkContext& context, const Step& step, std::int64_t inputs, BatchNormMode mode);

  std::int64_t outputs_ = 0;
  std::vector<BuiltPath> paths_;
};

std::unique_ptr<ConvolutionNorm> make_layer(const NetworkContext& context, const Step& step, std::int64_t inputs, BatchNormMode mode) {
  constexpr double kDeviation = 0.1, kEpsilon = 0.001;  // torchvision's for this network
  return std::make_unique<ConvolutionNorm>(context.within(step.name), ConvolutionNorm::Names{"conv", "bn"}, step.shape(inputs), kDeviation,
                                           mode, Activation::relu, kEpsilon);
}

Block::Layer Block::add(const NetworkContext& context, const Step& step, std::int64_t inputs, BatchNormMode mode) {
  auto layer = make_layer(context, step, inputs, mode);
  add_child(step.name, *layer);
  return layer;
}

class InceptionV3 : public Backbone {
 public:
  InceptionV3(BatchNormMode mode, const NetworkContext& context, BackboneTap tap)
      : Backbone(context, "inception_v3", tap == BackboneTap::final ? 2048 : 768, tap == BackboneTap::final ? 32 : 16,
                 tap == BackboneTap::final ? 75 : 43) {
    std::int64_t channels = 3;
    for (const auto& step : {Step{"Conv2d_1a_3x3", 32, k3x3, 2}, Step{"Conv2d_2a_3x3", 32, k3x3, 1, true}, Step{"Conv2d_2b_3x3", 64, k3x3},
                             Step{"Conv2d_3b_1x1", 80}, Step{"Conv2d_4a_3x3", 192, k3x3, 1, true}}) {
      stem_.push_back(make_layer(context, step, channels, mode));
      add_child(step.name, *stem_.back());
      channels = step.outputs;
    }
    auto add = [&](const std::string& name, const Table& table) {
      blocks_.push_back(std::make_unique<Block>(context.within(name), channels, table, mode));
      add_child(name, *blocks_.back());
      channels = blocks_.back()->outputs();
    };
    add("Mixed_5b", block_a(32));
    add("Mixed_5c", block_a(64));
    add("Mixed_5d", block_a(64));
    add("Mixed_6a", block_b());
    add("Mixed_6b", block_c(128));
    add("Mixed_6c", block_c(160));
    add("Mixed_6d", block_c(160));
    add("Mixed_6e", block_c(192));
    if (tap == BackboneTap::generator) return;
    add("Mixed_7a", block_d());
    add("Mixed_7b", block_e());
    add("Mixed_7c", block_e());
  }

  Tensor forward(const Tensor& normalised) override {
    auto map = normalised;
    for (std::size_t i = 0; i < stem_.size(); ++i) {
      map = stem_[i]->forward(map);
      if (i == 2 || i == 4) map = at::max_pool2d(map, 3, 2);  // behind Conv2d_2b and Conv2d_4a
    }
    for (auto& block : blocks_) map = block->forward(map);
    return map;
  }

 private:
  std::vector<std::unique_ptr<ConvolutionNorm>> stem_;
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace

const BackboneKind& backbones::inception_v3() {
  static const BackboneKind kind{
      .make = [](BatchNormMode mode, const NetworkContext& context, BackboneTap tap) -> std::unique_ptr<Backbone> {
        return std::make_unique<InceptionV3>(mode, context, tap);
      },
      .telling_kernel = "Mixed_6e.branch1x1.conv.weight",
      // torchvision's network turns ImageNet's scaling into this one, by transform_input.
      .habit = [](const SafetensorsFile&, const std::string&) { return WeightsScaling::half; }};
  return kind;
}

}  // namespace duet
