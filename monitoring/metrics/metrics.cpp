#include "monitoring/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <sstream>

#include "base/error.h"
#include "base/text.h"
#include "monitoring/metrics/catalogue.h"

namespace duet {
namespace {

prometheus::Labels to_labels(const MetricLabels& labels) {
  prometheus::Labels result;
  if (!labels.phase.empty()) result["phase"] = labels.phase;
  if (!labels.network.empty()) result["network"] = labels.network;
  if (!labels.stage.empty()) result["stage"] = labels.stage;
  return result;
}

const MetricRow& row_of(const std::string& name, MetricKind kind, const MetricLabels& labels) {
  const auto& row = metric_row(name);
  DUET_CHECK(row.kind == kind, "metric '{}' is of another kind in the catalogue", name);
  const auto given = to_labels(labels);
  bool same = given.size() == row.labels.size();
  for (const auto label : row.labels) same = same && given.contains(std::string(label));
  DUET_CHECK(same, "metric '{}' has other labels in the catalogue", name);
  return row;
}

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  mutable std::mutex mutex;
  std::string run, rank = "0";
};

void Counter::add(double amount) const { counter_->Increment(amount); }
double Counter::value() const { return counter_->Value(); }
void Gauge::set(double value) const { gauge_->Set(value); }
void Gauge::add(double amount) const { gauge_->Increment(amount); }
double Gauge::value() const { return gauge_->Value(); }
void Histogram::observe(double value) const { histogram_->Observe(value); }

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const MetricLabels& labels) {
  const auto& row = row_of(name, MetricKind::counter, labels);
  return Counter(prometheus::BuildCounter().Name(name).Help(std::string(row.help)).Register(state_->registry).Add(to_labels(labels)));
}

Gauge Metrics::gauge(const std::string& name, const MetricLabels& labels) {
  const auto& row = row_of(name, MetricKind::gauge, labels);
  return Gauge(prometheus::BuildGauge().Name(name).Help(std::string(row.help)).Register(state_->registry).Add(to_labels(labels)));
}

Histogram Metrics::histogram(const std::string& name, const MetricLabels& labels) {
  const auto& row = row_of(name, MetricKind::histogram, labels);
  auto& family = prometheus::BuildHistogram().Name(name).Help(std::string(row.help)).Register(state_->registry);
  return Histogram(family.Add(to_labels(labels), row.bounds));
}

void Metrics::identify(const std::string& run, int rank) {
  const std::lock_guard lock(state_->mutex);
  state_->run = printable(run, 200);  // the format of the exposition is UTF-8, and so is what a gateway takes
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

}  // namespace duet
