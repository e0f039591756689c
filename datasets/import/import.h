#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "datasets/store/writer.h"

namespace duet {

/// How an import talks to whoever started it. Both may be empty; both are called from the importing thread, once an item or more rarely.
struct ImportHooks {
  /// Items (or bytes, where a source's items are not counted beforehand) done and in all.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  /// True once the user wants to stop. The import then throws Interrupted and leaves no trace: no store, or the store as it was.
  std::function<bool()> stop;
};

/// Where an import writes to.
struct ImportTarget {
  std::filesystem::path store;
  bool append = false;                   ///< add a generation to a store that exists; else the store must not exist
  std::filesystem::path list_file = {};  ///< every item left out, with its reason, one a line; empty: none is written
};

/// Throws CannotCreate when there is a store: an import makes a new one, or appends.
void check_no_store(const std::filesystem::path& store);

/// The writer of an import. Throws CannotCreate when there is a store already and target.append is not set, UsageError when the store to
/// append to is of another kind.
StoreWriter open_target(const ImportTarget& target, StoreKind kind, const StoreOptions& options);

/// Throws UsageError when a store to append to is of another kind than what an import makes.
void check_kind(const std::filesystem::path& store, StoreKind kind, StoreKind wanted);

/// Throws Interrupted naming the store when hooks.stop says so; otherwise tells hooks.progress.
void report_progress(const ImportHooks& hooks, const ImportTarget& target, std::int64_t done, std::int64_t total);

}  // namespace duet
