#include "cluster/run/run_folder.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace duet {
namespace {

constexpr std::string_view kStep = "step-";
constexpr std::size_t kStepDigits = 8;  // at least
constexpr std::string_view kPartial = ".partial-";
constexpr std::string_view kReplaced = ".replaced-";
constexpr std::string_view kLastWords = "last-words-rank-";
constexpr std::string_view kTrace = "trace-rank-";
constexpr std::string_view kJson = ".json";

bool all_digits(std::string_view text) {
  return !text.empty() && text.size() <= 18 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string end_of_sample(std::int64_t photo) { return fmt::format("-photo-{}.svg", photo); }

}  // namespace

std::string CheckpointFile::of_retrieval(const std::string& weights) {
  return of_network(weights == "last" ? "retrieval" : "retrieval-" + weights);
}

std::filesystem::path RunCheckpoints::of_step(std::int64_t step) const {
  return folder_ / fmt::format("{}{:0{}}", kStep, step, kStepDigits);
}

std::filesystem::path RunCheckpoints::replaced(std::int64_t step, std::int64_t number) const {
  auto path = of_step(step);
  path += fmt::format("{}{}", kReplaced, number);
  return path;
}

std::filesystem::path RunCheckpoints::partial(std::int64_t step) const {
  return folder_ / fmt::format("{}{}-{}", kPartial, of_step(step).filename().string(), ::getpid());
}

bool RunCheckpoints::is_replaced(std::string_view name) { return name.find(kReplaced) != std::string_view::npos; }

bool RunCheckpoints::is_partial(std::string_view name) { return name.starts_with(kPartial); }

bool RunCheckpoints::is_name(std::string_view name) {
  if (is_replaced(name)) {
    const auto suffix = name.find(kReplaced);
    if (!all_digits(name.substr(suffix + kReplaced.size()))) return false;
    name = name.substr(0, suffix);
  }
  return name.starts_with(kStep) && name.size() >= kStep.size() + kStepDigits && all_digits(name.substr(kStep.size()));
}

bool RunCheckpoints::has_any() const {
  std::error_code absent;
  return std::filesystem::exists(latest(), absent);
}

std::optional<std::filesystem::path> RunCheckpoints::newest() const {
  if (!has_any()) return std::nullopt;
  auto name = read_file(latest(), 4096);
  while (!name.empty() && (name.back() == '\n' || name.back() == '\r' || name.back() == ' ')) name.pop_back();
  if (!is_name(name)) throw DataError("{}: '{}' is no checkpoint's name.", latest().string(), printable(name));
  return folder_ / name;
}

std::filesystem::path RunFolder::sample(const std::string& stage, std::int64_t total_step, std::int64_t photo) const {
  return samples() / fmt::format("{}-{:08}{}", stage, total_step, end_of_sample(photo));
}

std::optional<std::filesystem::path> RunFolder::newest_sample(const std::string& stage, std::int64_t photo) const {
  std::filesystem::path newest;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(samples(), none)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(stage + "-") && name.ends_with(end_of_sample(photo)) && entry.path() > newest) newest = entry.path();
  }
  return newest.empty() ? std::nullopt : std::optional(newest);
}

std::filesystem::path RunFolder::rank_log(int rank) const { return log() / fmt::format("rank-{}.jsonl", rank); }

std::filesystem::path RunFolder::last_words(int rank) const { return log() / fmt::format("{}{}{}", kLastWords, rank, kJson); }

std::vector<std::filesystem::path> RunFolder::all_last_words() const { return logs_named(kLastWords, ""); }

std::filesystem::path RunFolder::trace(int rank) const { return log() / fmt::format("{}{}{}", kTrace, rank, kJson); }

std::vector<std::filesystem::path> RunFolder::traces() const { return logs_named(kTrace, kJson); }

std::vector<std::filesystem::path> RunFolder::logs_named(std::string_view beginning, std::string_view end) const {
  std::vector<std::filesystem::path> found;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(log(), absent)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(beginning) && name.ends_with(end)) found.push_back(entry.path());
  }
  return found;
}

}  // namespace duet
