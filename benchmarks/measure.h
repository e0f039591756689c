#pragma once
#include <boost/program_options.hpp>
#include <functional>
#include <string>
#include <vector>

namespace duet {

/// One way to do what a benchmark measures.
struct Way {
  std::string name;
  std::function<void()> run;  ///< does it once
};

/// Seconds of each counted run of one way.
struct Timing {
  std::vector<double> seconds;
  double median() const;
  double fastest() const;
};

/// Runs each way once without counting, then `rounds` times in turns (A B A B …): other work on the machine comes and goes, and so meets
/// all ways alike. Compare medians; the fastest run says what a quiet machine would do. In the order of `ways`.
std::vector<Timing> measure_in_turns(const std::vector<Way>& ways, int rounds);

/// What a benchmark found, as a table or as JSON.
class Findings {
 public:
  /// `title`: what was measured, sizes included.
  explicit Findings(std::string title) : title_(std::move(title)) {}

  void add(const std::string& what, double median, double fastest, const std::string& unit);
  /// Seconds of a run.
  void add_seconds(const std::string& what, const Timing& timing);
  /// `amount` of `unit` is done in a run.
  void add_rate(const std::string& what, const Timing& timing, double amount, const std::string& unit);
  /// How many times faster than `slow` `quick` is.
  void add_ratio(const std::string& what, const Timing& slow, const Timing& quick);

  /// {"title": …, "rows": [{"what", "median", "fastest", "unit"}, …]} on one line, or a title and aligned lines.
  void print(bool json) const;

 private:
  struct Row {
    std::string what;
    double median, fastest;
    std::string unit;
  };
  std::string title_;
  std::vector<Row> rows_;
};

/// The main function of a benchmark: parses, with --help, --json and --rounds (default `rounds`, at least 1) added to `options`, and calls
/// `body`. Errors end as "PROGRAM: message" on standard error and their status.
using BenchmarkOptions = boost::program_options::variables_map;
int run_benchmark(int count, char** values, const std::string& description, boost::program_options::options_description options, int rounds,
                  const std::function<void(const BenchmarkOptions&)>& body);

}  // namespace duet
