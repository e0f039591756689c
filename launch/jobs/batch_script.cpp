#include "launch/jobs/batch_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/file.h"
#include "launch/options/options.h"

namespace duet {
namespace {

constexpr std::string_view kOption = "#SBATCH ";
constexpr std::string_view kBegin = "# --- settings";
constexpr std::string_view kEnd = "# --- end of settings";

bool is_control(char character) { return static_cast<unsigned char>(character) < 0x20 || character == 0x7f; }

// A script is text: what a line cannot hold is an error, not another line.
void refuse_control(const std::string& what, const std::string& value) {
  if (std::any_of(value.begin(), value.end(), is_control))
    throw UsageError("{}: a line break or another control character cannot be given to a job.", what);
}

// As sbatch reads the value of a #SBATCH line: '#' begins a comment, blanks end a word, unless in double quotes.
std::string option_value(const std::string& name, const std::string& value) {
  refuse_control("--" + name, value);
  if (value.find_first_of("\"\\") != std::string::npos) {
    throw UsageError("--{}: '{}' holds a quote or a backslash, which a line of a batch script cannot carry.", name, value);
  }
  const bool plain = value.find_first_of(" '#") == std::string::npos;
  return plain ? value : "\"" + value + "\"";
}

}  // namespace

std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:,@%+";
  const bool plain = !text.empty() && text.find_first_not_of(kPlain) == std::string::npos;
  // name=value is a word as it is, but not as the first of a command; '=' is plain behind the first character of an option.
  if (plain) return text;
  if (text.starts_with("--") && text.find_first_not_of(std::string(kPlain) + "=") == std::string::npos) return text;
  std::string quoted = "'";
  for (const char character : text) {
    if (character == '\'') {
      quoted += "'\\''";
    } else {
      quoted += character;
    }
  }
  return quoted + "'";
}

BatchScript BatchScript::shipped(const std::string& name) {
  const auto file = find_shipped(std::filesystem::path("slurm") / (name + ".sbatch"));
  return BatchScript(read_file(file, 1 << 20), file.string());
}

BatchScript::BatchScript(std::string text, std::string source) : source_(std::move(source)) {
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines_.push_back(line);
  const auto begins = [](std::string_view with) { return [with](const std::string& line) { return line.starts_with(with); }; };
  const auto begin = std::find_if(lines_.begin(), lines_.end(), begins(kBegin));
  if (begin == lines_.end() || std::find_if(begin, lines_.end(), begins(kEnd)) == lines_.end()) {
    throw DataError("{}: has no lines '{}' and '{}', between which a batch script of Duet holds its settings.", source_, kBegin, kEnd);
  }
}

void BatchScript::set_option(const std::string& name, const std::string& value) {
  const auto text = fmt::format("{}--{}{}{}", kOption, name, value.empty() ? "" : "=", option_value(name, value));
  const auto option = fmt::format("{}--{}", kOption, name);
  for (auto& line : lines_) {
    if (line != option && !line.starts_with(option + "=") && !line.starts_with(option + " ")) continue;
    line = text;
    return;
  }
  const auto last = std::find_if(lines_.rbegin(), lines_.rend(), [](const std::string& line) { return line.starts_with(kOption); });
  const auto at = last == lines_.rend() ? lines_.begin() + 1 : last.base();
  lines_.insert(at, text);
}

void BatchScript::add_options(const std::string& words) {
  refuse_control("--sbatch", words);
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    if (!word.starts_with("--") || word.size() < 3) {
      throw UsageError("--sbatch: '{}': write options in their long form, '--name=value', several with blanks between.", word);
    }
    const auto equals = word.find('=');
    set_option(word.substr(2, equals == std::string::npos ? equals : equals - 2),
               equals == std::string::npos ? "" : word.substr(equals + 1));
  }
}

std::string& BatchScript::setting_line(const std::string& name) {
  bool inside = false;
  for (auto& line : lines_) {
    if (line.starts_with(kEnd)) break;
    if (inside && line.starts_with(name + "=")) return line;
    inside = inside || line.starts_with(kBegin);
  }
  throw InternalError("{} has no setting '{}'", source_, name);
}

void BatchScript::set(const std::string& name, const std::string& value) {
  refuse_control(name, value);
  setting_line(name) = name + "=" + (value.empty() ? "" : shell_word(value));
}

void BatchScript::set_list(const std::string& name, const std::vector<std::string>& words) {
  std::string list;
  for (const auto& word : words) {
    refuse_control(name, word);
    list += (list.empty() ? "" : " ") + shell_word(word);
  }
  setting_line(name) = name + "=(" + list + ")";
}

std::string BatchScript::text() const { return fmt::format("{}\n", fmt::join(lines_, "\n")); }

}  // namespace duet
