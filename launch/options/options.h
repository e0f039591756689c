#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "launch/cli/command.h"
#include "trainer/config.h"

namespace duet {

/// One row of the table that drives files, environment, command line, help and documentation.
struct ConfigOption {
  std::string name;                                              ///< "run.seed"
  std::string accepts;                                           ///< "cpu | cuda", "whole number ≥ 1", "path"
  std::string help;                                              ///< with its unit
  std::string default_text;                                      ///< as a file would have it
  bool fixed;                                                    ///< must not change when a run is continued: part of the fingerprint
  std::function<void(TrainingConfig&, const std::string&)> set;  ///< throws UsageError naming the option when the text is no value of it
  std::function<std::string(const TrainingConfig&)> get;         ///< set(get()) changes nothing

  std::string environment_name() const;  ///< "DUET_RUN_SEED"
};

/// All options, by section, in the order of trainer/settings.def.
const std::vector<ConfigOption>& config_table();

/// A configuration and where each value came from.
struct ResolvedConfig {
  TrainingConfig values;
  std::map<std::string, std::string> origin;  ///< "default", "quickstart.cfg:12", "DUET_RUN_SEED", "command line"
};

/// Where configurations come from; later wins: defaults, file, environment, command line.
struct ConfigSources {
  std::string file = {};                                               ///< a preset's name or a path; empty: none
  std::map<std::string, std::string> environment = {};                 ///< variables; those that do not begin with DUET_ are ignored
  std::vector<std::pair<std::string, std::string>> command_line = {};  ///< (option, text)
};

/// Throws UsageError for an unknown option (source or file:line, and the nearest name), a value out of range, options that contradict each
/// other, a DUET_ variable of a known section that names no option; InputMissing when the file is not there.
ResolvedConfig resolve_config(const ConfigSources& sources);

/// What --print-config prints and RUN/config.cfg holds: a file that, fed back, gives the same values; each value's origin is a comment.
/// Throws UsageError for a value that no file can carry (a '#', a line break, blanks around it).
std::string print_config(const ResolvedConfig& config);

/// The options that must not change on resume, as (name, text), in the table's order.
std::vector<std::pair<std::string, std::string>> fingerprint(const TrainingConfig& config);

/// Adds --config and one --section.key per row. The command's own options must not hold a dot.
void add_config_options(CommandLine& line);

/// The configuration of a command line parsed with add_config_options(), with this process's environment.
ResolvedConfig config_from(const ParsedOptions& options);

/// The whole table as text for a terminal, and as Markdown for docs/configuration.md.
std::string config_help();
std::string config_markdown();

/// A file that is shipped with the program ("slurm/train.sbatch"), in share/duet/ beside it or beside one of the folders above.
/// Throws InputMissing.
std::filesystem::path find_shipped(const std::filesystem::path& name);

/// The file of a preset ("quickstart"), looked for beside the program (configs/, ../share/duet/configs/) and in the source tree; or the
/// path itself when it holds a separator or an extension. Throws InputMissing listing the presets there are.
std::filesystem::path find_config_file(const std::string& name_or_path);

}  // namespace duet
