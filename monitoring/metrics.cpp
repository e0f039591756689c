#include "monitoring/metrics.h"

#include <prometheus/check_names.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <sstream>

#include "base/error.h"

namespace duet {
namespace {

prometheus::Labels to_labels(const MetricLabels& labels) {
  prometheus::Labels result;
  if (!labels.phase.empty()) result["phase"] = labels.phase;
  if (!labels.network.empty()) result["network"] = labels.network;
  if (!labels.stage.empty()) result["stage"] = labels.stage;
  return result;
}

}  // namespace

struct Metrics::State {
  struct Declaration {
    std::string kind, help;
    std::vector<double> bounds;
    bool operator==(const Declaration&) const = default;
  };

  prometheus::Registry registry;
  mutable std::mutex mutex;
  std::map<std::string, Declaration> declared;
  std::string run, rank = "0";

  void declare(const std::string& name, Declaration declaration) {
    DUET_CHECK(name.starts_with("duet_") && prometheus::CheckMetricName(name), "metric '{}' needs a name of the form duet_words_unit",
               name);
    DUET_CHECK(name.ends_with("_total") == (declaration.kind == "counter"), "metric '{}': counters, and only they, end in _total", name);
    const std::lock_guard lock(mutex);
    const auto [place, is_new] = declared.try_emplace(name, declaration);
    DUET_CHECK(is_new || place->second == declaration, "metric '{}' is already a {} with another help or other buckets", name,
               place->second.kind);
  }
};

void Counter::add(double amount) const { counter_->Increment(amount); }
double Counter::value() const { return counter_->Value(); }
void Gauge::set(double value) const { gauge_->Set(value); }
void Gauge::add(double amount) const { gauge_->Increment(amount); }
double Gauge::value() const { return gauge_->Value(); }
void Histogram::observe(double value) const { histogram_->Observe(value); }

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const MetricLabels& labels) {
  state_->declare(name, {"counter", help, {}});
  return Counter(prometheus::BuildCounter().Name(name).Help(help).Register(state_->registry).Add(to_labels(labels)));
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const MetricLabels& labels) {
  state_->declare(name, {"gauge", help, {}});
  return Gauge(prometheus::BuildGauge().Name(name).Help(help).Register(state_->registry).Add(to_labels(labels)));
}

Histogram Metrics::histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                             const MetricLabels& labels) {
  state_->declare(name, {"histogram", help, bounds});
  return Histogram(prometheus::BuildHistogram().Name(name).Help(help).Register(state_->registry).Add(to_labels(labels), bounds));
}

void Metrics::identify(const std::string& run, int rank) {
  const std::lock_guard lock(state_->mutex);
  state_->run = run;
  state_->rank = std::to_string(rank);
}

std::string Metrics::text() const {
  auto families = state_->registry.Collect();
  {
    // Added when read, not when made: metrics are made before the rank is known, as statics of the rooms that count.
    const std::lock_guard lock(state_->mutex);
    for (auto& family : families) {
      for (auto& metric : family.metric) {
        metric.label.insert(metric.label.begin(), {{"run", state_->run}, {"rank", state_->rank}});
      }
    }
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

Metrics& metrics() {
  // Never destroyed: threads may still count while the program ends.
  static auto* const registry = new Metrics;
  return *registry;
}

std::vector<double> duration_bounds() { return {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100}; }

}  // namespace duet
