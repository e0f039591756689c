#include "launch/options/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/process.h"
#include "monitoring/metrics/push.h"
#include "monitoring/trace/trace.h"

namespace duet {
namespace {

namespace po = boost::program_options;

std::string section_of(const std::string& name) { return name.substr(0, name.find('.')); }
std::string key_of(const std::string& name) { return name.substr(name.find('.') + 1); }

std::vector<std::string> names_of_table() {
  std::vector<std::string> names;
  for (const auto& option : config_table()) names.push_back(option.name);
  return names;
}

const ConfigOption* find_option(const std::string& name) {
  for (const auto& option : config_table()) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names) {
  auto near = nearest_name(name, names);
  // The right key in the wrong section, or in none.
  if (near.empty() && name.find('.') != std::string::npos) near = nearest_name(key_of(name), names);
  return near.empty() ? "" : fmt::format(" Did you mean '{}'?", near);
}

void set_option(ResolvedConfig& config, const ConfigOption& option, const std::string& text, const std::string& origin) {
  try {
    option.set(config.values, text);
  } catch (const UsageError& error) {
    throw UsageError("{}: {}", origin, error.what());
  }
  config.origin[option.name] = origin;
}

// Program_options reads the values; it keeps no line numbers, so they are found here by the same rules.
class FileLines {
 public:
  explicit FileLines(const std::string& content) {
    std::istringstream in(content);
    std::string section;
    int number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      const auto hash = line.find('#');
      // '#' begins a comment wherever it stands. Inside a value that is hardly what was meant, and the rest would be lost without a word.
      if (hash != std::string::npos && hash > 0 && line[hash - 1] != ' ' && line[hash - 1] != '\t') cut_values_.insert(number);
      line = trimmed(line.substr(0, hash));
      if (line.empty()) continue;
      if (line.size() > 2 && line.front() == '[' && line.back() == ']') {
        section = line.substr(1, line.size() - 2);
        if (section.back() != '.') section += '.';
      } else if (const auto equals = line.find('='); equals != std::string::npos) {
        const auto name = trimmed(line.substr(0, equals));
        lines_[section + name].push_back(number);
      } else if (bad_line_ == 0) {
        bad_line_ = number;
      }
    }
  }

  int bad_line() const { return bad_line_; }
  const std::vector<int>& of(const std::string& name) const { return lines_.at(name); }
  bool is_cut(int line) const { return cut_values_.count(line) != 0; }

 private:
  static std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  }

  std::map<std::string, std::vector<int>> lines_;
  std::set<int> cut_values_;
  int bad_line_ = 0;
};

void apply_file(ResolvedConfig& config, const std::string& name_or_path) {
  const auto file = find_config_file(name_or_path);
  auto content = read_file(file, 1 << 20);
  if (content.starts_with("\xef\xbb\xbf")) content.erase(0, 3);  // the byte order mark of some editors
  const auto shown = file.filename().string();
  const FileLines lines(content);
  if (lines.bad_line() > 0) throw UsageError("{}:{}: is neither '[section]' nor 'key = value'.", file.string(), lines.bad_line());
  std::istringstream in(content);
  const auto parsed = po::parse_config_file(in, po::options_description(), /*allow_unregistered=*/true);
  for (const auto& entry : parsed.options) {
    const auto& where = lines.of(entry.string_key);
    const auto place = fmt::format("{}:{}", file.string(), where.front());
    const auto* option = find_option(entry.string_key);
    if (option == nullptr)
      throw UsageError("{}: unknown option '{}'.{}", place, entry.string_key, did_you_mean(entry.string_key, names_of_table()));
    if (where.size() > 1) throw UsageError("{}:{}: '{}' stands in line {} already.", file.string(), where[1], entry.string_key, where[0]);
    if (lines.is_cut(where.front()))
      throw UsageError("{}: a '#' begins a comment and would cut the value of '{}'.", place, entry.string_key);
    try {
      option->set(config.values, entry.value.front());
    } catch (const UsageError& error) {
      throw UsageError("{}: {}", place, error.what());
    }
    config.origin[option->name] = fmt::format("{}:{}", shown, where.front());
  }
}

void apply_environment(ResolvedConfig& config, const std::map<std::string, std::string>& environment) {
  std::map<std::string, const ConfigOption*> by_variable;
  std::set<std::string> sections;
  std::vector<std::string> variables;
  for (const auto& option : config_table()) {
    const auto variable = option.environment_name();
    by_variable[variable] = &option;
    variables.push_back(variable);
    sections.insert(variable.substr(0, variable.find('_', std::strlen("DUET_")) + 1));
  }
  for (const auto& [variable, text] : environment) {
    if (const auto found = by_variable.find(variable); found != by_variable.end()) {
      set_option(config, *found->second, text, variable);
    } else if (const auto end = variable.find('_', std::strlen("DUET_"));
               end != std::string::npos && sections.count(variable.substr(0, end + 1))) {
      throw UsageError("environment variable {}: there is no such option.{}", variable, did_you_mean(variable, variables));
    }
  }
}

// What no single option can see.
void check_together(const TrainingConfig& config) {
  check_push_url("monitoring.push_url", config.monitoring.push_url);
  if (config.run.precision == Precision::bf16 && config.run.device != DeviceKind::cuda) {
    throw UsageError("run.precision=bf16 needs run.device=cuda; on the CPU there are float32 and float64.");
  }
  if (config.cluster.backend == GradientCarrier::nccl && config.run.device != DeviceKind::cuda) {
    throw UsageError("cluster.backend=nccl needs run.device=cuda; auto picks what fits.");
  }
  if (config.generator.learning_rate_floor > config.generator.learning_rate) {
    throw UsageError("generator.learning_rate_floor={} lies above generator.learning_rate={}.", config.generator.learning_rate_floor,
                     config.generator.learning_rate);
  }
  if (config.joint.generator_scope == GeneratorScope::all && config.joint.vae == 0 && config.joint.policy > 0) {
    throw UsageError("joint.generator_scope=all needs joint.vae > 0: nothing else trains all of the generator.");
  }
  if (const auto& checkpoint = config.checkpoint;
      checkpoint.keep_every > 0 && (checkpoint.every_steps == 0 || checkpoint.keep_every % checkpoint.every_steps != 0)) {
    throw UsageError("checkpoint.keep_every={} keeps nothing unless it is a multiple of checkpoint.every_steps, which is {}.",
                     checkpoint.keep_every, checkpoint.every_steps);
  }
  parse_trace_window(config.monitoring.trace_steps);
  if (config.discriminator.image_side > config.data.image_side) {
    throw UsageError("discriminator.image_side={} is larger than data.image_side={}; 0 takes the same.", config.discriminator.image_side,
                     config.data.image_side);
  }
}

std::vector<std::filesystem::path> shipped_folders() {
  std::vector<std::filesystem::path> folders;
  auto folder = own_program().parent_path();
  // The program lies in build/ or in a bundle's bin/, tests some folders deeper.
  for (int up = 0; up < 4 && !folder.empty(); ++up, folder = folder.parent_path()) {
    folders.push_back(folder / "share" / "duet");
  }
  return folders;
}

}  // namespace

std::filesystem::path find_shipped(const std::filesystem::path& name) {
  for (const auto& folder : shipped_folders()) {
    if (std::filesystem::is_regular_file(folder / name)) return folder / name;
  }
  throw InputMissing("{}: is not there beside this program (share/duet/). Was the program copied without it?", name.string());
}

std::filesystem::path find_config_file(const std::string& name_or_path) {
  const std::filesystem::path path(name_or_path);
  if (path.has_parent_path() || path.has_extension()) {
    if (!std::filesystem::is_regular_file(path)) throw InputMissing("--config {}: there is no such file.", name_or_path);
    return path;
  }
  std::vector<std::string> presets;
  for (const auto& folder : shipped_folders()) {
    std::error_code absent;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "configs", absent)) {
      if (entry.path().extension() != ".cfg") continue;
      if (entry.path().stem() == name_or_path) return entry.path();
      presets.push_back(entry.path().stem());
    }
  }
  std::sort(presets.begin(), presets.end());
  throw InputMissing("--config {}: is no preset (there are: {}). The path of a file holds a '/' or ends in .cfg.", name_or_path,
                     presets.empty() ? "none beside this program" : fmt::format("{}", fmt::join(presets, ", ")));
}

ResolvedConfig resolve_config(const ConfigSources& sources) {
  ResolvedConfig config;
  for (const auto& option : config_table()) config.origin[option.name] = "default";
  if (!sources.file.empty()) apply_file(config, sources.file);
  apply_environment(config, sources.environment);
  for (const auto& [name, text] : sources.command_line) {
    const auto* option = find_option(name);
    if (option == nullptr) throw UsageError("unknown option '--{}'.{}", name, did_you_mean(name, names_of_table()));
    set_option(config, *option, text, "command line");
  }
  check_together(config.values);
  return config;
}

std::string print_config(const ResolvedConfig& config) {
  std::string text = "# A configuration of Duet: `duet train --config FILE` reads it. Behind each value: where it came from.\n";
  std::string section;
  for (const auto& option : config_table()) {
    if (section_of(option.name) != section) text += fmt::format("\n[{}]\n", section = section_of(option.name));
    const auto value = option.get(config.values);
    const bool has_blanks_around =
        !value.empty() && (value.front() == ' ' || value.back() == ' ' || value.front() == '\t' || value.back() == '\t');
    if (has_blanks_around || value.find_first_of("#\r\n") != std::string::npos) {
      throw UsageError("{}: '{}' cannot be written to a configuration file, where '#' begins a comment and blanks around a value are lost.",
                       option.name, value);
    }
    const auto assignment = fmt::format("{} = {}", key_of(option.name), value);
    text += fmt::format("{:<44} # {}\n", assignment, config.origin.at(option.name));
  }
  return text;
}

std::vector<std::pair<std::string, std::string>> fingerprint(const TrainingConfig& config) {
  std::vector<std::pair<std::string, std::string>> fixed;
  for (const auto& option : config_table()) {
    if (option.fixed) fixed.emplace_back(option.name, option.get(config));
  }
  return fixed;
}

void add_config_options(CommandLine& line) {
  line.options.add_options()("config", po::value<std::string>()->value_name("NAME"),
                             "preset, or path of a configuration file (section.key below)");
  // The texts are checked by the table, whatever source they come from.
  for (const auto& option : config_table()) line.options.add_options()(option.name.c_str(), po::value<std::string>(), option.help.c_str());
  if (!line.notes.empty()) line.notes += "\n\n";
  line.notes += config_help();
}

ResolvedConfig config_from(const ParsedOptions& options) {
  ConfigSources sources;
  sources.file = options.get_or<std::string>("config", "");
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string entry(*variable);
    const auto equals = entry.find('=');
    if (entry.starts_with("DUET_") && equals != std::string::npos) sources.environment[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  for (const auto& [name, text] : options.as_given()) {
    if (name.find('.') != std::string::npos) sources.command_line.emplace_back(name, text);
  }
  return resolve_config(sources);
}

std::string config_help() {
  std::string text =
      "Configuration (later wins: defaults, --config, environment DUET_SECTION_KEY, --section.key).\n"
      "A '*' marks what must not change when a run is continued.\n";
  std::string section;
  for (const auto& option : config_table()) {
    if (section_of(option.name) != section) text += fmt::format("\n{}:\n", section = section_of(option.name));
    text += fmt::format("  --{} {}{}\n        {} ({})\n", option.name, option.default_text.empty() ? "''" : option.default_text,
                        option.fixed ? " *" : "", option.help, option.accepts);
  }
  return text;
}

std::string config_markdown() {
  std::string text;
  std::string section;
  for (const auto& option : config_table()) {
    if (section_of(option.name) != section) {
      section = section_of(option.name);
      text += fmt::format("{}### {}\n\n| option | default | takes | meaning |\n|---|---|---|---|\n", text.empty() ? "" : "\n", section);
    }
    auto accepts = option.accepts;
    for (std::size_t bar = 0; (bar = accepts.find(" | ", bar)) != std::string::npos; bar += 2) accepts.replace(bar, 3, ", ");
    text += fmt::format("| `{}`{} | {} | {} | {} |\n", option.name, option.fixed ? " *" : "",
                        option.default_text.empty() ? "" : "`" + option.default_text + "`", accepts, option.help);
  }
  return text;
}

}  // namespace duet
