#include "trainer/loop/validation.h"

#include "trainer/evaluation/generator_evaluation.h"

namespace duet {
namespace {

// Drawings of each validation photo when the generator is judged.
constexpr int kSamplesPerPhoto = 4;

std::vector<NamedTensor> copy_of(const std::vector<NamedTensor>& state) {
  at::NoGradGuard no_gradients;
  std::vector<NamedTensor> copies;
  for (const auto& [name, tensor] : state) copies.push_back({name, tensor.detach().clone()});
  return copies;
}

void exchange(const std::vector<NamedTensor>& network, std::vector<NamedTensor>& other) {
  at::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < network.size(); ++i) {
    const auto before = network[i].tensor.detach().clone();
    network[i].tensor.copy_(other[i].tensor);
    other[i].tensor.copy_(before);
  }
}

}  // namespace

Validation::Validation(const TrainingConfig& config, const Ranks& ranks, RunState& state, const OpenedData& data)
    : config_(config), ranks_(ranks), state_(state), validation_(data.validation), test_(data.test) {}

RetrievalMetrics Validation::metrics_on(const StoreView& view) {
  const auto side = config_.data.image_side;
  const auto gallery = gallery_of(view, side);
  const auto queries = sketches_of(view, gallery, side, config_.run.sketch_polarity == "dark_on_white");
  return evaluate_retrieval(*state_.networks.retrieval, gallery, queries, ranks_.control, config_.run.seed, config_.data.max_bad_fraction)
      .metrics;
}

template <typename Use>
void Validation::with_average(const Use& use) {
  auto& networks = state_.networks;
  if (!networks.average) return;
  networks.average->swap(*networks.retrieval);
  use();
  networks.average->swap(*networks.retrieval);
}

void Validation::consider(const std::string& weights, const RetrievalMetrics& metrics) {
  auto figure = [&](const char* name) { return best_place_.is_null() ? -1.0 : best_place_.at(name).get<double>(); };
  const std::pair now{metrics.acc_1, metrics.mean_rank_percentile};
  if (!best_.empty() && now <= std::pair{figure("acc@1"), figure("mean_rank_percentile")}) return;
  best_ = copy_of(state_.networks.retrieval->state());
  best_place_ = Json{{"weights", weights},
                     {"total_step", state_.counts.total()},
                     {"acc@1", metrics.acc_1},
                     {"mean_rank_percentile", metrics.mean_rank_percentile}};
}

Json Validation::validate() {
  if (!validation_) return {};
  Json figures = Json::object();
  auto measure = [&](const std::string& weights) {
    const auto metrics = metrics_on(*validation_);
    consider(weights, metrics);
    figures[weights] = to_json(metrics);
  };
  measure("last");
  with_average([&] { measure("average"); });
  return figures;
}

Json Validation::measure_all() {
  Json all = Json::object();
  auto measure = [&](const char* split, const std::optional<StoreView>& view) {
    if (!view) return;
    auto& figures = all[split] = Json::object();
    figures["last"] = to_json(metrics_on(*view));
    with_average([&] { figures["average"] = to_json(metrics_on(*view)); });
    if (!best_.empty()) {
      exchange(state_.networks.retrieval->state(), best_);
      figures["best"] = to_json(metrics_on(*view));
      exchange(state_.networks.retrieval->state(), best_);
    }
  };
  measure("validation", validation_);
  measure("test", test_);
  return all;
}

Json Validation::judge_generator() {
  auto& networks = state_.networks;
  if (!validation_ || !networks.generator) return {};
  Json figures;
  auto judge_with = [&](RetrievalNetwork& judge) {
    figures = to_json(evaluate_generator(state_.context(), judge, *validation_, kSamplesPerPhoto).metrics);
    figures["samples_per_photo"] = kSamplesPerPhoto;
  };
  if (networks.teacher) {
    judge_with(*networks.teacher);
  } else if (networks.average) {
    with_average([&] { judge_with(*networks.retrieval); });
  } else {
    judge_with(*networks.retrieval);
  }
  return figures;
}

void Validation::restore(std::vector<NamedTensor> best, Json progress) {
  at::NoGradGuard no_gradients;
  best_ = copy_of(state_.networks.retrieval->state());
  for (auto& [name, tensor] : best_) {
    const auto found =
        std::find_if(best.begin(), best.end(), [&, wanted = name](const NamedTensor& other) { return other.name == wanted; });
    if (found == best.end() || found->tensor.sizes() != tensor.sizes()) {
      throw DataError("retrieval-best.safetensors: '{}' is missing or of another shape.", name);
    }
    tensor.copy_(found->tensor);
  }
  best_place_ = std::move(progress);
}

}  // namespace duet
