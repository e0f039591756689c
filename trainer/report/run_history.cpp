#include "trainer/report/run_history.h"

#include <algorithm>

#include "base/json.h"
#include "monitoring/log/event_log.h"

namespace duet {
namespace {

constexpr std::size_t kMostPoints = 400;
constexpr std::size_t kMostCurves = 200;  // a file of endless names must not fill the memory

// Averages neighbours whenever there are too many points, so that memory does not grow with the run.
class Thinned {
 public:
  explicit Thinned(std::string name) { curve_.name = std::move(name); }
  const std::string& name() const { return curve_.name; }

  void add(double x, double y) {
    sum_x_ += x;
    sum_y_ += y;
    if (++pending_ < stride_) return;
    flush();
    if (curve_.points.size() < kMostPoints) return;
    auto& points = curve_.points;
    for (std::size_t i = 0; i + 1 < points.size(); i += 2) {
      points[i / 2] = {(points[i].first + points[i + 1].first) / 2, (points[i].second + points[i + 1].second) / 2};
    }
    points.resize(points.size() / 2);
    stride_ *= 2;
  }

  Curve take() {
    if (pending_ > 0) flush();
    std::stable_sort(curve_.points.begin(), curve_.points.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    return std::move(curve_);
  }

 private:
  void flush() {
    curve_.points.emplace_back(sum_x_ / pending_, sum_y_ / pending_);
    sum_x_ = sum_y_ = 0;
    pending_ = 0;
  }

  Curve curve_;
  int stride_ = 1, pending_ = 0;
  double sum_x_ = 0, sum_y_ = 0;
};

class Chart {
 public:
  void add(const std::string& name, double x, const Json& value) {
    if (!value.is_number()) return;
    auto found = std::find_if(curves_.begin(), curves_.end(), [&](const Thinned& curve) { return curve.name() == name; });
    if (found == curves_.end()) {
      if (curves_.size() >= kMostCurves) return;
      found = curves_.emplace(curves_.end(), name);
    }
    found->add(x, value.get<double>());
  }

  std::vector<Curve> take() {
    std::vector<Curve> curves;
    for (auto& curve : curves_) curves.push_back(curve.take());
    return curves;
  }

 private:
  std::vector<Thinned> curves_;
};

struct LossChart {
  std::string stage, phase;
  Chart chart;
};

std::string text_at(const Json& line, const char* key) {
  return line.contains(key) && line.at(key).is_string() ? line.at(key).get<std::string>() : std::string();
}

void add_evaluation(const std::string& weights, const Json& metrics, double x, Chart& acc_1, Chart& acc_10, Chart& percentile) {
  if (!metrics.is_object()) return;
  if (metrics.contains("acc@1")) acc_1.add(weights, x, metrics.at("acc@1"));
  if (metrics.contains("acc@10")) acc_10.add(weights, x, metrics.at("acc@10"));
  if (metrics.contains("mean_rank_percentile")) percentile.add(weights, x, metrics.at("mean_rank_percentile"));
}

}  // namespace

RunHistory read_history(const std::filesystem::path& metrics_file) {
  RunHistory history;
  std::vector<LossChart> losses;
  std::vector<std::pair<const QuantityRow*, Chart>> figures;
  for (const auto& row : kQuantities) {
    if (!row.chart.empty()) figures.emplace_back(&row, Chart());
  }
  Chart acc_1, acc_10, percentile;
  history.damaged_lines = for_each_event(metrics_file, [&](const Json& line) {
    if (!line.is_object() || !line.contains("step") || !line.at("step").is_number()) return;
    const auto stage = text_at(line, "stage"), phase = text_at(line, "phase");
    const auto step = line.at("step").get<double>();
    const auto total = line.contains("total_step") && line.at("total_step").is_number() ? line.at("total_step").get<double>() : step;
    const bool known = std::any_of(history.stages.begin(), history.stages.end(), [&](const auto& entry) { return entry.second == stage; });
    if (!stage.empty() && !known && history.stages.size() < kMostCurves) history.stages.emplace_back(total, stage);

    if (line.contains("loss") && line.at("loss").is_object()) {
      auto found =
          std::find_if(losses.begin(), losses.end(), [&](const LossChart& chart) { return chart.stage == stage && chart.phase == phase; });
      if (found == losses.end() && losses.size() < kMostCurves) found = losses.insert(losses.end(), {stage, phase, {}});
      if (found != losses.end()) {
        for (const auto& [name, value] : line.at("loss").items()) found->chart.add(name, step, value);
      }
    }
    for (auto& [row, chart] : figures) {
      if (line.contains(row->name)) chart.add(std::string(row->name), step, line.at(row->name));
    }
    if (line.contains("evaluation") && line.at("evaluation").is_object()) {
      const auto& evaluation = line.at("evaluation");
      if (evaluation.contains("acc@1")) {
        add_evaluation("last", evaluation, total, acc_1, acc_10, percentile);
      } else {
        for (const auto& [weights, metrics] : evaluation.items()) add_evaluation(weights, metrics, total, acc_1, acc_10, percentile);
      }
    }
  });
  for (auto& loss : losses) history.losses.push_back({loss.stage, loss.phase, loss.chart.take()});
  for (auto& [row, chart] : figures) history.figures.push_back({row->quantity, chart.take()});
  history.acc_1 = acc_1.take();
  history.acc_10 = acc_10.take();
  history.mean_rank_percentile = percentile.take();
  return history;
}

}  // namespace duet
