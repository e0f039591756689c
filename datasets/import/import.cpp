#include "datasets/import/import.h"

#include "base/error.h"

namespace duet {

void check_no_store(const std::filesystem::path& store) {
  if (is_store(store)) throw CannotCreate("{}: there is a store already. Add to it with --append, or name another.", store.string());
}

StoreWriter open_target(const ImportTarget& target, StoreKind kind, const StoreOptions& options) {
  if (!target.append) {
    check_no_store(target.store);
    return StoreWriter::create(target.store, kind, options);
  }
  auto writer = StoreWriter::append(target.store, options.shard_bytes);
  check_kind(target.store, writer.kind(), kind);
  if (writer.options().photo_format != options.photo_format)
    throw UsageError("{}: its photos are kept as '{}', this import makes '{}'.", target.store.string(),
                     to_string(writer.options().photo_format), to_string(options.photo_format));
  return writer;
}

void check_kind(const std::filesystem::path& store, StoreKind kind, StoreKind wanted) {
  if (kind != wanted)
    throw UsageError("{}: a store of kind '{}'; this import makes '{}'. Name a store of that kind, or a new one without --append.",
                     store.string(), to_string(kind), to_string(wanted));
}

void report_progress(const ImportHooks& hooks, const ImportTarget& target, std::int64_t done, std::int64_t total) {
  if (hooks.stop && hooks.stop())
    throw Interrupted(
        "the import was stopped; {}. The same command starts it anew.",
        target.append ? fmt::format("{} is as it was", target.store.string()) : fmt::format("{} was not made", target.store.string()));
  if (hooks.progress) hooks.progress(done, total);
}

}  // namespace duet
