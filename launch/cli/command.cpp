#include "launch/cli/command.h"

#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <new>
#include <sstream>
#include <system_error>

#include "base/text.h"

namespace duet {
namespace {

namespace po = boost::program_options;

constexpr std::size_t kHelpColumns = 100;

std::string program_and(const std::string& command) { return command.empty() ? "duet" : "duet " + command; }

std::string suggestion(const std::string& name, std::span<const std::string> candidates, const std::string& dashes) {
  const auto near = nearest_name(name, candidates);
  return near.empty() ? "" : fmt::format(" Did you mean '{}{}'?", dashes, near);
}

// Words of `text` from column `indent` on; line breaks of the text stay.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!result.empty()) result += "\n" + std::string(indent, ' ');
    std::size_t column = indent;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (column > indent && column + 1 + word.size() > kHelpColumns) {
        result += "\n" + std::string(indent, ' ');
        column = indent;
      }
      if (column > indent) {
        result += ' ';
        ++column;
      }
      result += word;
      column += word.size();
    }
  }
  return result;
}

// Two columns, the second one wrapped.
std::string listing(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::size_t widest = 0;
  for (const auto& [left, right] : rows) widest = std::max(widest, left.size());
  widest = std::min<std::size_t>(widest, 34);
  std::string text;
  for (const auto& [left, right] : rows) {
    text += fmt::format("  {:<{}}  ", left, widest);
    if (left.size() > widest) text += fmt::format("\n{:<{}}", "", widest + 4);
    text += wrapped(right, widest + 4) + "\n";
  }
  return text;
}

std::string usage(const CommandLine& line) {
  auto text = "Usage: " + program_and(line.command);
  for (const auto& positional : line.positionals) {
    const auto word = positional.name + (positional.most == 1 ? "" : "…");
    text += positional.least == 0 ? " [" + word + "]" : " " + word;
  }
  return text + " [--option value …]\n";
}

std::string list_of_parts(const std::string& command, const std::string& description, std::span<const Command> parts) {
  auto text = fmt::format("Usage: {} COMMAND …\n\n{}\n", program_and(command), wrapped(description, 0));
  std::vector<std::string> groups;
  for (const auto& part : parts) {
    if (std::find(groups.begin(), groups.end(), part.group) == groups.end()) groups.push_back(part.group);
  }
  for (const auto& group : groups) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& part : parts) {
      if (part.group == group) rows.emplace_back(part.name, part.summary);
    }
    text += fmt::format("\n{}:\n{}", group.empty() ? "Commands" : group, listing(rows));
  }
  return text + fmt::format("\n`{} COMMAND --help` explains each, with examples.\n", program_and(command));
}

void check_positionals(const CommandLine& line, const std::vector<std::string>& words, po::variables_map& values) {
  std::size_t next = 0;
  for (const auto& positional : line.positionals) {
    const auto left = words.size() - next;
    const auto taken = positional.most < 0 ? left : std::min(left, static_cast<std::size_t>(positional.most));
    if (taken < static_cast<std::size_t>(positional.least)) {
      throw UsageError("{} is missing ({}); `{} --help` has examples.", positional.name, positional.help, program_and(line.command));
    }
    if (taken == 0) continue;
    const std::vector<std::string> mine(words.begin() + static_cast<std::ptrdiff_t>(next),
                                        words.begin() + static_cast<std::ptrdiff_t>(next + taken));
    values.insert({positional.name, po::variable_value(boost::any(mine), false)});
    next += taken;
  }
  if (next < words.size())
    throw UsageError("unexpected argument '{}'; `{} --help` lists what it takes.", words[next], program_and(line.command));
}

// A message that libraries end with a trace of calls is cut there: it helps nobody who reads an error.
std::string without_trace(const std::string& message) { return message.substr(0, message.find("\nException raised from")); }

int report(const std::string& command, ExitStatus status, const std::string& message) {
  std::fflush(stdout);
  const auto line = fmt::format("{}: {}\n", program_and(command), printable_lines(message));
  std::fwrite(line.data(), 1, line.size(), stderr);
  return static_cast<int>(status);
}

// As `duet status | head -1` does: what it wanted it has read.
bool reader_has_left() {
  pollfd output{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace

std::string help_text(const CommandLine& line) {
  auto text = usage(line) + "\n" + wrapped(line.description, 0) + "\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& positional : line.positionals) rows.emplace_back(positional.name, positional.help);
  if (!rows.empty()) text += "\nArguments:\n" + listing(rows);
  rows.clear();
  for (const auto& option : line.options.options()) {
    if (option->long_name().find('.') != std::string::npos) continue;
    const auto parameter = option->format_parameter();
    rows.emplace_back("--" + option->long_name() + (parameter.empty() ? "" : " " + parameter), option->description());
  }
  rows.emplace_back("--help", "print this");
  text += "\nOptions:\n" + listing(rows);
  if (!line.notes.empty()) text += "\n" + line.notes + (line.notes.ends_with('\n') ? "" : "\n");
  if (!line.examples.empty()) text += "\nExamples:\n";
  for (const auto& example : line.examples) text += "  " + example + "\n";
  return text;
}

ParsedOptions parse(const CommandLine& line, std::span<const std::string> args) {
  std::vector<std::string> words;
  bool options_ended = false;
  for (const auto& arg : args) {
    options_ended = options_ended || arg == "--";
    if (!options_ended && (arg == "--help" || arg == "-h")) throw HelpRequested{help_text(line)};
    // Program_options refuses an empty value after '=', but takes it as a word of its own.
    const bool is_emptied = !options_ended && arg.starts_with("--") && arg.find('=') == arg.size() - 1;
    if (is_emptied) {
      words.push_back(arg.substr(0, arg.size() - 1));
      words.emplace_back();
    } else {
      words.push_back(arg);
    }
  }
  using Style = po::command_line_style::style_t;
  po::variables_map values;
  std::vector<std::string> positionals;
  std::vector<std::pair<std::string, std::string>> given;
  try {
    // No short options: '-1' is a value. No guessing: '--confg' is an error.
    const auto parsed = po::command_line_parser(words)
                            .options(line.options)
                            .style(Style::allow_long | Style::long_allow_adjacent | Style::long_allow_next)
                            .run();
    for (const auto& option : parsed.options) {
      if (option.position_key >= 0) {
        positionals.insert(positionals.end(), option.value.begin(), option.value.end());
      } else {
        given.emplace_back(option.string_key, option.value.empty() ? "" : option.value.front());
      }
    }
    po::store(parsed, values);
    po::notify(values);
  } catch (const po::unknown_option& error) {
    auto name = error.get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    std::vector<std::string> names{"help"};
    for (const auto& option : line.options.options()) names.push_back(option->long_name());
    throw UsageError("unknown option '--{}'.{} `{} --help` lists the options.", name, suggestion(name, names, "--"),
                     program_and(line.command));
  } catch (const po::error& error) {
    throw UsageError("{}; `{} --help` explains it.", error.what(), program_and(line.command));
  }
  for (const auto& word : positionals) {
    if (word.size() > 1 && word.starts_with('-') && std::isalpha(static_cast<unsigned char>(word[1])) != 0 && line.positionals.empty()) {
      throw UsageError("unknown option '{}'; names of options are long, with two dashes.", word);
    }
  }
  check_positionals(line, positionals, values);
  return ParsedOptions(line.command, std::move(values), std::move(given));
}

int run_part(const std::string& command, const std::string& description, std::span<const Command> parts,
             std::span<const std::string> args) {
  if (args.empty() || args[0] == "--help" || args[0] == "-h") throw HelpRequested{list_of_parts(command, description, parts)};
  const auto part = std::find_if(parts.begin(), parts.end(), [&](const Command& candidate) { return candidate.name == args[0]; });
  if (part != parts.end()) return part->run(args.subspan(1));
  std::vector<std::string> names;
  for (const auto& candidate : parts) names.push_back(candidate.name);
  if (args[0].starts_with('-') && !command.empty())
    throw UsageError("first comes a command: {}. `{} --help` explains them.", fmt::join(names, ", "), program_and(command));
  const char* kind = args[0].starts_with('-') ? "option" : "command";
  throw UsageError("unknown {} '{}'.{} `{} --help` lists the commands.", kind, args[0], suggestion(args[0], names, ""),
                   program_and(command));
}

int run_program(std::span<const Command> commands, std::span<const std::string> arguments) {
  std::string command;  // only a known one is named in messages
  for (const auto& known : commands) {
    if (!arguments.empty() && known.name == arguments[0]) command = known.name;
  }
  try {
    int status = 0;
    try {
      status = run_part("", "Trains a sketch-to-photo retrieval network and a photo-to-sketch generator together.", commands, arguments);
    } catch (const HelpRequested& help) {
      std::fwrite(help.text.data(), 1, help.text.size(), stdout);
    }
    if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0) && !reader_has_left())
      throw CannotWrite("standard output cannot be written; is the disk full?");
    return status;
  } catch (const std::exception& error) {
    const auto said = told(error);
    return report(command, said.status(), said.what());
  }
}

Error told(const std::exception& error) {
  if (const auto* ours = dynamic_cast<const Error*>(&error)) return *ours;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr)
    return {ExitStatus::unavailable, "the memory of this machine, or of this job, is used up."};
  if (const auto* system = dynamic_cast<const std::system_error*>(&error);
      system != nullptr && system->code() == std::errc::resource_unavailable_try_again) {  // what std::thread throws
    return {ExitStatus::unavailable, "a thread cannot be started. The limits on processes and memory (ulimit -u, -v) stand against it."};
  }
  return {ExitStatus::internal, without_trace(error.what())};
}

void print_text(std::string_view text) {
  const auto shown = printable_lines(text);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
}

void print_json(const Json& json, int indent) {
  const auto text = json.dump(indent, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

std::string nearest_name(const std::string& name, std::span<const std::string> candidates) {
  // Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one each.
  const auto distance = [](const std::string& a, const std::string& b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
      for (std::size_t j = 1; j <= b.size(); ++j) {
        cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
    return cost[a.size()][b.size()];
  };
  if (name.empty() || name.size() > 100) return "";  // the square of a pasted text is no help
  std::string best;
  auto best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    auto d = distance(name, candidate);
    if (const auto dot = candidate.rfind('.'); dot != std::string::npos && name.find('.') == std::string::npos) {
      d = std::min(d, distance(name, candidate.substr(dot + 1)));
    }
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

}  // namespace duet
