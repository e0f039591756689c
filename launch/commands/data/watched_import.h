#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "datasets/import/import.h"
#include "datasets/import/report.h"
#include "monitoring/log/progress.h"

namespace duet {

/// A progress line on standard error, and Ctrl-C (or TERM) as the wish to stop.
class WatchedImport {
 public:
  /// `scale`: units of the hooks in one unit that is shown.
  WatchedImport(std::string what, std::string unit, std::int64_t scale = 1);

  /// Valid as long as this object.
  ImportHooks hooks();
  void finish();

 private:
  std::string what_, unit_;
  std::int64_t scale_;
  std::unique_ptr<Progress> line_;
};

/// The closing report on standard output. Returns the exit status.
int print_report(const ImportReport& report, const std::filesystem::path& store, bool as_json);

}  // namespace duet
