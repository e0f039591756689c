#include "launch/commands/data/watched_import.h"

#include <utility>

#include "base/json.h"
#include "cluster/run/stop_signal.h"
#include "datasets/store/store.h"
#include "launch/cli/command.h"

namespace duet {

WatchedImport::WatchedImport(std::string what, std::string unit, std::int64_t scale)
    : what_(std::move(what)), unit_(std::move(unit)), scale_(scale) {
  install_stop_signals();
}

ImportHooks WatchedImport::hooks() {
  return {.progress =
              [this](std::int64_t done, std::int64_t total) {
                if (!line_) line_ = std::make_unique<Progress>(what_, unit_, total / scale_);
                line_->update(done / scale_);
              },
          .stop = stop_requested};
}

void WatchedImport::finish() {
  if (line_) line_->finish();
}

int print_report(const ImportReport& report, const std::filesystem::path& store, bool as_json) {
  if (as_json) {
    Json json = {{"store", store.string()}};
    if (is_store(store)) json["generation"] = Store::newest_generation(store);  // a part of an import makes none
    json.update(report.json());
    print_json(json);
  } else {
    print_text(report.text() + fmt::format("Written to {}.\n", store.string()));
  }
  return 0;
}

}  // namespace duet
