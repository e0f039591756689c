#pragma once
#include <memory>
#include <string>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace duet {

/// The labels a metric may carry beside run and rank, which are added to all. Empty: absent. Never a step, path or sample: each value is a
/// time series of its own.
struct MetricLabels {
  std::string phase = {};
  std::string network = {};
  std::string stage = {};
};

/// Handles: cheap to copy, safe from all threads, valid as long as the program. Updating takes some nanoseconds.
class Counter {
 public:
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  void add(double amount = 1) const;  ///< amount ≥ 0
  double value() const;

 private:
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  void set(double value) const;
  void add(double amount) const;
  double value() const;

 private:
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  void observe(double value) const;

 private:
  prometheus::Histogram* histogram_;
};

/// The process's metrics (prometheus-cpp's registry). Safe from all threads. Asking twice for the same name and labels gives the same
/// metric. Help and buckets are those of the catalogue (monitoring/metrics/catalogue.h).
///   static const auto checkpoints = metrics().counter("duet_checkpoints_total");  checkpoints.add();
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Throw InternalError when the catalogue has no such metric, has it as another kind, or with other labels than those given.
  Counter counter(const std::string& name, const MetricLabels& labels = {});
  Gauge gauge(const std::string& name, const MetricLabels& labels = {});
  Histogram histogram(const std::string& name, const MetricLabels& labels = {});

  /// The values of the labels run and rank, put on every metric when it is read.
  void identify(const std::string& run, int rank);

  /// Prometheus text format, what /metrics serves.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The one registry of this process.
Metrics& metrics();

}  // namespace duet
