#include "trainer/loop/validation.h"

#include "cluster/run/run_folder.h"
#include "trainer/evaluation/generator_evaluation.h"

namespace duet {
namespace {

// Drawings of each validation photo when the generator is judged.
constexpr int kSamplesPerPhoto = 4;

}  // namespace

Validation::Validation(const TrainingConfig& config, const Ranks& ranks, RunState& state, const OpenedData& data)
    : config_(config), ranks_(ranks), state_(state), validation_(data.validation), test_(data.test) {}

RetrievalMetrics Validation::metrics_on(const StoreView& view) {
  const auto side = config_.data.image_side;
  const auto gallery = gallery_of(view, side);
  const auto queries = sketches_of(view, gallery, side, config_.run.sketch_polarity == Polarity::dark_on_white);
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
  best_ = state_.networks.retrieval->state().clone();
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
      exchange_best();
      figures["best"] = to_json(metrics_on(*view));
      exchange_best();
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
    figures = to_json(evaluate_generator(state_.context().sketches(), judge, *validation_, kSamplesPerPhoto, ranks_.control).metrics);
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

void Validation::exchange_best() { state_.networks.retrieval->state().swap_values(best_, CheckpointFile::of_retrieval("best")); }

void Validation::restore(const NamedTensors& best, Json progress) {
  best_ = state_.networks.retrieval->state().clone();
  best_.copy_from(best, Match::all, CheckpointFile::of_retrieval("best"));
  best_place_ = std::move(progress);
}

}  // namespace duet
