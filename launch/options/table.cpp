#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>

#include "base/file.h"
#include "launch/options/options.h"

namespace duet {
namespace {

// Which values an option takes (trainer/settings.def): reads one from text, writes it as text, and says what it accepts.
struct Text {
  std::string accepts;
  bool may_be_empty = true;
};

struct Path {};

struct Name {
  std::vector<std::string> names;
};

struct Range {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool above = false;  ///< least itself is refused
  bool below = false;  ///< most itself is refused
};

Text text(const std::string& accepts) { return {accepts}; }
Text required_text(const std::string& accepts) { return {accepts, false}; }
constexpr Path kPath{};
// One for each file of trainer/models/backbones/.
const Name kBackbones{{
#define BACKBONE(name) #name,
#include "backbones.inc"
#undef BACKBONE
}};
constexpr Range kAny{};
constexpr Range kPositive{.least = 0, .above = true};
constexpr Range kNotNegative{.least = 0};
constexpr Range kShare{.least = 0, .most = 1};
constexpr Range kBelowOne{.least = 0, .most = 1, .below = true};
constexpr Range kFactor{.least = 0, .most = 1, .above = true};
constexpr Range at_least(double least) { return {.least = least}; }
constexpr Range between(double least, double most) { return {.least = least, .most = most}; }

std::string describe(const Range& range, const std::string& kind) {
  const bool has_least = std::isfinite(range.least), has_most = std::isfinite(range.most);
  if (has_least && has_most) {
    return fmt::format("{} {} {} to {}{}", kind, range.above ? "above" : "from", range.least, range.below ? "below " : "", range.most);
  }
  if (has_least) return fmt::format("{} {} {}", kind, range.above ? ">" : "≥", range.least);
  return kind;
}

bool within(const Range& range, double value) {
  return std::isfinite(value) && (range.above ? value > range.least : value >= range.least) &&
         (range.below ? value < range.most : value <= range.most);
}

[[noreturn]] void refuse(const std::string& name, const std::string& text, const std::string& accepts) {
  throw UsageError("{}: '{}' is not accepted; it takes: {}.", name, text, accepts);
}

void read(const std::string& name, const std::string& text, const Text& kind, std::string& value) {
  if (text.empty() && !kind.may_be_empty) refuse(name, text, kind.accepts);
  value = text;
}

void read(const std::string&, const std::string& text, const Path&, std::string& value) { value = without_trailing_slash(text); }

void require_word(const std::string& name, const std::string& text, const std::vector<std::string>& words) {
  if (std::ranges::find(words, text) != words.end()) return;
  const auto near = nearest_name(text, words);
  throw UsageError("{}: '{}' is not one of {}.{}", name, text, fmt::join(words, ", "),
                   near.empty() ? "" : fmt::format(" Did you mean '{}'?", near));
}

void read(const std::string& name, const std::string& text, const Name& kind, std::string& value) {
  require_word(name, text, kind.names);
  value = text;
}

template <Choice T>
void read(const std::string& name, const std::string& text, const Range&, T& value) {
  require_word(name, text, words_of<T>());
  value = *from_word<T>(text);
}

void read(const std::string& name, const std::string& text, const Range&, bool& value) {
  for (const char* word : {"true", "yes", "on", "1"}) {
    if (text == word) {
      value = true;
      return;
    }
  }
  for (const char* word : {"false", "no", "off", "0"}) {
    if (text == word) {
      value = false;
      return;
    }
  }
  refuse(name, text, "true | false");
}

template <typename Number>
requires std::integral<Number> || std::floating_point<Number>
void read(const std::string& name, const std::string& text, const Range& range, Number& value) {
  Number parsed{};
  // from_chars knows no locale: a decimal comma stays an error everywhere.
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (fault != std::errc() || end != text.data() + text.size() || !within(range, static_cast<double>(parsed))) {
    refuse(name, text, describe(range, std::integral<Number> ? "whole number" : "number"));
  }
  value = parsed;
}

std::string write(const std::string& value) { return value; }
std::string write(bool value) { return value ? "true" : "false"; }
template <Choice T>
std::string write(T value) {
  return to_word(value);
}
template <typename Number>
requires std::integral<Number> || std::floating_point<Number> std::string write(Number value) {
  return fmt::format("{}", value);  // the shortest text that reads back to the same number
}

std::string accepts(const Text& kind, const std::string&) { return kind.accepts; }
std::string accepts(const Path&, const std::string&) { return "path"; }
std::string accepts(const Name& kind, const std::string&) { return fmt::format("{}", fmt::join(kind.names, " | ")); }
std::string accepts(const Range&, bool) { return "true | false"; }
template <Choice T>
std::string accepts(const Range&, T) {
  return fmt::format("{}", fmt::join(words_of<T>(), " | "));
}
template <typename Number>
requires std::integral<Number> || std::floating_point<Number> std::string accepts(const Range& range, Number) {
  return describe(range, std::integral<Number> ? "whole number" : "number");
}

enum class OnResume { may_change, fixed };
constexpr auto kFixed = OnResume::fixed;
constexpr auto kMayChange = OnResume::may_change;

// Rows of one section, in the order of their addition.
template <typename Section>
class SectionRows {
 public:
  SectionRows(std::vector<ConfigOption>& table, std::string section, Section TrainingConfig::*part)
      : table_(table), section_(std::move(section)), part_(part) {}

  template <typename Value, typename Kind>
  void add(const char* key, Value Section::*field, Kind kind, OnResume on_resume, const char* help) {
    const auto name = section_ + "." + key;
    const auto part = part_;
    const auto defaults = TrainingConfig();
    table_.push_back({.name = name,
                      .accepts = accepts(kind, (defaults.*part).*field),
                      .help = help,
                      .default_text = write((defaults.*part).*field),
                      .fixed = on_resume == kFixed,
                      .set = [=](TrainingConfig& config, const std::string& text) { read(name, text, kind, (config.*part).*field); },
                      .get = [=](const TrainingConfig& config) { return write((config.*part).*field); }});
  }

 private:
  std::vector<ConfigOption>& table_;
  std::string section_;
  Section TrainingConfig::*part_;
};

std::vector<ConfigOption> make_table() {
  std::vector<ConfigOption> table;
#define SECTION(Struct, section) \
  {                              \
    using Section = Struct;      \
    SectionRows rows(table, #section, &TrainingConfig::section);
#define OPTION(Type, key, preset, takes, on_resume, help) rows.add(#key, &Section::key, takes, on_resume, help);
#define END_SECTION }
#include "trainer/settings.def"
  return table;
}

}  // namespace

const std::vector<ConfigOption>& config_table() {
  static const auto table = make_table();
  return table;
}

std::string ConfigOption::environment_name() const {
  std::string result = "DUET_";
  for (const char letter : name)
    result += letter == '.' ? '_' : static_cast<char>(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
  return result;
}

}  // namespace duet
