#include "benchmarks/measure.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"

namespace duet {

double Timing::median() const {
  auto sorted = seconds;
  std::ranges::sort(sorted);
  const auto middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double Timing::fastest() const { return *std::ranges::min_element(seconds); }

std::vector<Timing> measure_in_turns(const std::vector<Way>& ways, int rounds) {
  std::vector<Timing> timings(ways.size());
  for (const auto& way : ways) way.run();
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const Stopwatch watch;
      ways[i].run();
      timings[i].seconds.push_back(watch.seconds());
    }
  }
  return timings;
}

void Findings::add(const std::string& what, double median, double fastest, const std::string& unit) {
  rows_.push_back({what, median, fastest, unit});
}

void Findings::add_seconds(const std::string& what, const Timing& timing) { add(what, timing.median(), timing.fastest(), "s"); }

void Findings::add_rate(const std::string& what, const Timing& timing, double amount, const std::string& unit) {
  add(what, amount / timing.median(), amount / timing.fastest(), unit);
}

void Findings::add_ratio(const std::string& what, const Timing& slow, const Timing& quick) {
  add(what, slow.median() / quick.median(), slow.fastest() / quick.fastest(), "×");
}

void Findings::print(bool json) const {
  auto text = fmt::format("{}\n  {:<56} {:>10} {:>10}\n", title_, "", "median", "fastest");
  Json rows = Json::array();
  for (const auto& row : rows_) {
    const int digits = row.median < 10 ? 3 : row.median < 1000 ? 1 : 0;
    text += fmt::format("  {:<56} {:>10.{}f} {:>10.{}f} {}\n", row.what, row.median, digits, row.fastest, digits, row.unit);
    rows.push_back({{"what", row.what}, {"median", row.median}, {"fastest", row.fastest}, {"unit", row.unit}});
  }
  if (json) text = json_text(Json{{"title", title_}, {"rows", rows}}) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int run_benchmark(int count, char** values, const std::string& description, boost::program_options::options_description options, int rounds,
                  const std::function<void(const BenchmarkOptions&)>& body) {
  namespace po = boost::program_options;
  const auto program = std::filesystem::path(values[0]).filename().string();
  options.add_options()("rounds", po::value<int>()->default_value(rounds), "counted runs of each way")("json", po::bool_switch(),
                                                                                                       "print JSON")("help,h", "this text");
  const auto fail = [&](ExitStatus status, const char* message) {
    fmt::print(stderr, "{}: {}\n", program, message);
    return static_cast<int>(status);
  };
  try {
    po::variables_map parsed;
    const auto style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(count, values).options(options).style(style).positional({}).run(), parsed);
    if (parsed.contains("help")) {
      std::ostringstream table;
      table << options;
      fmt::print("Usage: {} [OPTION…]\n\n{}\n\n{}", program, description, table.str());
      return 0;
    }
    if (parsed["rounds"].as<int>() < 1) throw UsageError("--rounds is {}; it must be at least 1.", parsed["rounds"].as<int>());
    body(parsed);
    return 0;
  } catch (const po::error& error) {
    return fail(ExitStatus::usage, error.what());
  } catch (const Error& error) {
    return fail(error.status(), error.what());
  } catch (const std::exception& error) {
    return fail(ExitStatus::internal, error.what());
  }
}

}  // namespace duet
