#pragma once
#include <boost/program_options.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace duet {

/// One command: `duet NAME …`, or a part of one: `duet store NAME …`.
struct Command {
  std::string name;
  std::string summary;                                   ///< one line of `duet --help`, no full stop
  std::function<int(std::span<const std::string>)> run;  ///< arguments after the name; returns the exit status, or throws Error
  std::string group = {};                                ///< heading in `duet --help`; may be empty for parts of a command
};

/// An argument without a name. `most`: how many it takes at most, -1: any number. Only the last may take more than one.
struct Positional {
  std::string name;  ///< as usage shows it: "STORE", "PHOTO"
  std::string help;
  int least = 1;
  int most = 1;
};

/// Everything a command accepts, and what its --help says.
struct CommandLine {
  std::string command;      ///< without "duet": "import chairv2"
  std::string description;  ///< one paragraph
  std::vector<Positional> positionals = {};
  boost::program_options::options_description options =
      {};                                  ///< names long, without dashes; --help comes by itself. Names with a dot are the notes' business
  std::vector<std::string> examples = {};  ///< whole command lines
  std::string notes = {};                  ///< further text below the options
};

/// What parse() found. Options with a default are always there.
class ParsedOptions {
 public:
  ParsedOptions(std::string command, boost::program_options::variables_map values, std::vector<std::pair<std::string, std::string>> given)
      : command_(std::move(command)), values_(std::move(values)), given_(std::move(given)) {}

  /// Given on the command line, or has a default.
  bool has(const std::string& name) const { return values_.count(name) != 0; }
  /// Given on the command line.
  bool given(const std::string& name) const { return has(name) && !values_[name].defaulted(); }
  /// The option's value, of the type it was declared with. Throws UsageError when it is neither given nor has a default.
  template <typename T>
  T get(const std::string& name) const {
    if (!has(name)) throw UsageError("--{} is needed; `duet {} --help` explains it.", name, command_);
    return values_[name].as<T>();
  }
  template <typename T>
  T get_or(const std::string& name, T otherwise) const {
    return has(name) ? values_[name].as<T>() : std::move(otherwise);
  }
  /// A switch (declared without value).
  bool is_on(const std::string& name) const { return has(name) && values_[name].as<bool>(); }
  /// The values of a positional argument, in order; empty when it was left out.
  std::vector<std::string> arguments(const std::string& positional) const { return get_or<std::vector<std::string>>(positional, {}); }
  /// The value of a positional that takes one.
  std::string argument(const std::string& positional) const { return get<std::vector<std::string>>(positional).at(0); }
  /// Names and texts in the order of the command line, options only.
  const std::vector<std::pair<std::string, std::string>>& as_given() const { return given_; }

 private:
  std::string command_;
  boost::program_options::variables_map values_;
  std::vector<std::pair<std::string, std::string>> given_;
};

/// What --help throws out of parse(): not an error; run_program() prints the text and ends with status 0.
struct HelpRequested {
  std::string text;
};

/// Parses the arguments of one command. Names are never guessed from their beginnings. Throws HelpRequested on --help (or -h), and
/// UsageError for an unknown option (with the nearest name), a value that does not fit, an argument too many or too few.
///   CommandLine line{.command = "store info", .description = "Prints …", .positionals = {{"STORE", "folder of the store"}}};
///   line.options.add_options()("json", bool_switch(), "print JSON")("side", value<int>()->default_value(256), "longest side, pixels");
///   const auto options = parse(line, args);  options.argument("STORE");  options.get<int>("side");  options.is_on("json");
ParsedOptions parse(const CommandLine& line, std::span<const std::string> args);

/// The text of --help.
std::string help_text(const CommandLine& line);

/// A command made of parts (`duet store info`): runs the part named by the first argument. `command` is the words before it ("store", or ""
/// for the program). No argument or --help: HelpRequested with the list of parts.
/// Throws UsageError with the nearest name for an unknown one.
int run_part(const std::string& command, const std::string& description, std::span<const Command> parts, std::span<const std::string> args);

/// The whole program for `arguments` (without the program's name): what it throws ends as "duet COMMAND:
/// message" on standard error and a status.
int run_program(std::span<const Command> commands, std::span<const std::string> arguments);

/// What a user is told of an exception: memory or threads that the machine does not grant are no defect, what is not ours else is one.
Error told(const std::exception& error);

/// A command's result, on standard output: of what names and files have put into it, a terminal obeys nothing (printable_lines()).
void print_text(std::string_view text);
template <typename... Parts>
void print(fmt::format_string<Parts...> form, Parts&&... parts) {
  print_text(fmt::format(form, std::forward<Parts>(parts)...));
}
/// The same as JSON, in ASCII; bytes that are not UTF-8 become U+FFFD. indent -1: on one line.
void print_json(const Json& json, int indent = 2);

/// The candidate that `name` was probably meant to be (edit distance with transpositions), or "" when none is near.
/// For dotted names the part after the last dot counts too: "seed" is near "run.seed".
std::string nearest_name(const std::string& name, std::span<const std::string> candidates);

}  // namespace duet
