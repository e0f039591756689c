#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"

namespace duet {

/// Why a rank left: RUN/log/last-words-rank-N.json. The supervisor's exit status and message come from these files.
struct LastWords {
  int rank = 0;
  ExitStatus status = ExitStatus::done;
  std::string message;
  double started = 0;      ///< when the rank began, seconds since 1970
  double time = 0;         ///< when it left
  bool secondary = false;  ///< left only because another rank had ended
  std::string job;         ///< DUET_SUPERVISED of its environment: the supervisor that started it; empty when none did
};

/// Says where this process writes its last words; makes RUN/log. Call it as early as run folder and rank are known; calling it again
/// changes the place.
void begin_last_words(const std::filesystem::path& run_folder, int rank);

/// Writes them, atomically. The first call counts; later ones, and calls before begin_last_words(), do nothing. Never throws: a full disk
/// must not hide the error that is being reported. True when this process's last words, by this call or an earlier one, are on disk and a
/// supervisor is there to say them.
bool write_last_words(ExitStatus status, const std::string& message);

/// The run's folder belongs to another job: this process leaves no last words there, unless a supervisor waits for them.
void withdraw_last_words();

/// For signal handlers: writes 'left because another rank had ended' with status 76, unless last words are written already, and ends the
/// process with 76.
[[noreturn]] void leave_because_of_peer();

/// Says that all ranks have found each other: RUN/log/ranks-joined. What ends before is the launcher's doing, not a rank's.
void note_joined_ranks();
/// Whether the ranks that were started as `job` (LastWords::job) had found each other.
bool ranks_had_joined(const std::filesystem::path& run_folder, const std::string& job);

/// Nothing when the rank left none (killed), or when the file is damaged.
std::optional<LastWords> read_last_words(const std::filesystem::path& run_folder, int rank);
/// Removes those of an earlier run, of all ranks, and the note that they had joined.
void clear_last_words(const std::filesystem::path& run_folder);

}  // namespace duet
