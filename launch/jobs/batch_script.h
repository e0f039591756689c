#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace duet {

/// `text` as one word of a shell command, whatever it holds: 'it'\''s'. Words that need no quotes stay as they are.
std::string shell_word(const std::string& text);

/// A batch script of slurm/ with other #SBATCH options and settings than it was shipped with. What is not changed stays as it is, so that a
/// submitted script reads like the shipped one.
///
/// Settings are lines `NAME=value` between a line that begins with "# --- settings" and one that begins with "# --- end of settings".
class BatchScript {
 public:
  /// `name`: "train" for slurm/train.sbatch, looked for beside the program (slurm/, share/duet/slurm/). Throws InputMissing.
  static BatchScript shipped(const std::string& name);
  /// Throws DataError naming `source` when the text has no settings.
  BatchScript(std::string text, std::string source);

  /// Replaces `#SBATCH --name=…`, or adds the line behind the last one. Throws UsageError for a value that such a line cannot hold.
  void set_option(const std::string& name, const std::string& value);
  /// Words for a line of their own, as a user of sbatch writes them ("--exclusive", "--mem=64G --mail-type=END"). They replace the script's
  /// own lines of the same options. Throws UsageError when they are no options.
  void add_options(const std::string& words);

  /// Sets name=value, quoted. Throws InternalError when the script has no such setting.
  void set(const std::string& name, const std::string& value);
  /// Sets name=(word word …), each quoted.
  void set_list(const std::string& name, const std::vector<std::string>& words);

  std::string text() const;

 private:
  std::string& setting_line(const std::string& name);

  std::vector<std::string> lines_;
  std::string source_;
};

}  // namespace duet
