#include "datasets/store/writer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "datasets/store/folder.h"
#include "datasets/store/shard.h"
#include "datasets/store/writer_lock.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

bool is_ours(const std::string& name) {
  return name == "shards" || name == "manifests" || name == WriterLock::kFileName || name == kPartsFolder || name == kAssembledPartsFolder;
}

void refuse_existing(const fs::path& path) {
  if (is_store(path)) throw CannotCreate("{}: is a store already. Choose another name, or remove it.", path.string());
}

/// What a writer that was killed left behind: shards that no manifest names, and manifests to which manifest.json does not point yet.
void remove_leftovers(const fs::path& store, const Manifest& newest) {
  std::set<std::string> named;
  for (const auto& shard : newest.shards) named.insert(fs::path(shard.file).filename());
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(store / "shards", ignored)) {
    const auto name = entry.path().filename().string();
    const bool shard = name.ends_with(".h5") || name.find(".h5.partial") != std::string::npos;
    if (shard && !named.contains(name)) fs::remove(entry.path(), ignored);
  }
  for (const auto& entry : fs::directory_iterator(store / "manifests", ignored)) {
    const auto name = entry.path().filename().string();
    if (name.find(".json.partial-") != std::string::npos || name > fmt::format("{:08}.json", newest.generation))
      fs::remove(entry.path(), ignored);
  }
}

}  // namespace

void check_new_store(const fs::path& path) {
  refuse_existing(path);
  std::error_code error;
  if (!fs::exists(path, error)) return;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (!is_ours(entry.path().filename()))
      throw CannotCreate("{}: holds other files ({}). Choose another name.", path.string(), entry.path().filename().string());
  }
  if (error) throw CannotCreate("{}: is no folder that can be read: {}.", path.string(), error.message());
}

struct StoreWriter::State {
  struct OpenShard {
    std::int64_t serial;
    std::string split;
    ShardWriter writer;
  };

  State(fs::path store, bool made, StoreOptions wanted) : path(std::move(store)), folder{path, made}, options(wanted), lock(path) {
    if (options.shard_bytes < 1) throw UsageError("{}: shards of {} bytes cannot be written.", path.string(), options.shard_bytes);
  }

  ~State() {
    if (!committed) discard();
  }

  void prepare() {
    remove_leftovers(path, manifest);
    for (const char* name : {"shards", "manifests"}) {
      refuse_link(path / name);
      make_folder(path / name);
    }
    base_shards = manifest.shards.size();
    ++manifest.generation;
  }

  OpenShard& shard_for(const std::string& split) {
    check_split_name(split, fmt::format("{}, split '{}'", path.string(), printable(split.substr(0, 40))));
    const auto found = open.find(split);
    if (found != open.end() && found->second.writer.buffered_bytes() < options.shard_bytes) return found->second;
    if (found != open.end()) {
      write(found->second);
      open.erase(found);
    }
    return open.emplace(split, OpenShard{next_serial++, split, ShardWriter(options.photo_format)}).first->second;
  }

  std::string name_of(const OpenShard& shard) const { return fmt::format("shards/{:08}-{:06}.h5", manifest.generation, shard.serial); }

  void write(OpenShard& shard) {
    const auto name = name_of(shard);
    const auto file = path / name;
    try {
      files.push_back(file);
      const auto written = shard.writer.write(file);
      manifest.shards.push_back(
          {name, shard.split, shard.writer.photo_count(), shard.writer.sketch_count(), written.bytes, written.checksum, written.structure});
    } catch (const CannotWrite& error) {
      throw CannotWrite("{}: {} The store is as it was before; make room and run the same command again.", path.string(), error.what());
    }
  }

  /// Back to the generation before. Must not throw.
  void discard() noexcept {
    try {
      // The last step of a commit may have been done although it reported a failure: then readers may be at work already.
      if (is_store(path) && read_newest_generation(path) == manifest.generation) return;
    } catch (const Error&) {
    }
    std::error_code ignored;
    for (const auto& file : files) fs::remove(file, ignored);
    fs::remove(path / "manifests" / fmt::format("{:08}.json", manifest.generation), ignored);
    if (is_store(path)) return;
    fs::remove(path / "shards", ignored);  // a folder goes only when it is empty
    fs::remove(path / "manifests", ignored);
  }

  /// A folder that was made for a store goes again, last of all, when no store came of it.
  struct Folder {
    ~Folder() {
      std::error_code ignored;
      if (made) fs::remove(path, ignored);  // removes empty ones only
    }
    fs::path path;
    bool made;
  };

  fs::path path;
  Folder folder;
  StoreOptions options;
  WriterLock lock;
  Manifest manifest;            // of the generation in the making
  std::size_t base_shards = 0;  // of the generation before
  std::map<std::string, OpenShard> open;
  std::int64_t next_serial = 0;
  std::vector<fs::path> files;  // that were or may have been made
  bool committed = false;
};

StoreWriter::StoreWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
StoreWriter::StoreWriter(StoreWriter&&) noexcept = default;
StoreWriter& StoreWriter::operator=(StoreWriter&&) noexcept = default;
StoreWriter::~StoreWriter() = default;

StoreWriter StoreWriter::create(const fs::path& path, StoreKind kind, const StoreOptions& options) {
  check_new_store(path);
  std::error_code ignored;
  const bool made = !fs::exists(path, ignored);
  make_folder(path);
  auto state = std::make_unique<State>(path, made, options);
  refuse_existing(path);  // another writer may have finished between the first look and the lock
  state->manifest.kind = kind;
  state->manifest.photo_format = options.photo_format;
  state->manifest.photo_side = options.photo_side;
  state->prepare();
  return StoreWriter(std::move(state));
}

StoreWriter StoreWriter::append(const fs::path& path, std::int64_t shard_bytes) {
  read_newest_generation(path);  // is there a store at all, before a lock file is made
  auto state = std::make_unique<State>(path, false, StoreOptions{.shard_bytes = shard_bytes});
  state->manifest = read_manifest(path, read_newest_generation(path));
  state->options.photo_format = state->manifest.photo_format;
  state->options.photo_side = state->manifest.photo_side;
  state->prepare();
  return StoreWriter(std::move(state));
}

std::int64_t StoreWriter::add_photo(const PhotoRecord& photo) {
  DUET_CHECK(state_->manifest.kind != StoreKind::strokes, "a store of strokes has no photos");
  auto& shard = state_->shard_for(photo.split);
  return shard.serial << 32 | shard.writer.add_photo(photo);
}

void StoreWriter::add_sketch(const SketchRecord& sketch) {
  DUET_CHECK(state_->manifest.kind != StoreKind::pool, "a store of photos has no sketches");
  State::OpenShard* shard = nullptr;
  std::int64_t photo = -1;
  if (state_->manifest.kind == StoreKind::strokes) {
    DUET_CHECK(sketch.photo < 0, "a store of strokes has no photos");
    shard = &state_->shard_for(sketch.split);
  } else {
    photo = sketch.photo & 0xffffffff;
    for (auto& [split, candidate] : state_->open) {
      if (sketch.photo >= 0 && candidate.serial == sketch.photo >> 32) shard = &candidate;
    }
    DUET_CHECK(shard != nullptr, "sketch '{}': its photo's shard is closed; sketches follow their photo at once", printable(sketch.id));
  }
  shard->writer.add_sketch(sketch.id, photo, sketch.points);
  if (shard->split == "train") state_->manifest.offsets.add(sketch.points);
}

StoreKind StoreWriter::kind() const { return state_->manifest.kind; }
const StoreOptions& StoreWriter::options() const { return state_->options; }

Manifest StoreWriter::commit(const Json& provenance) {
  auto& state = *state_;
  DUET_CHECK(!state.committed, "{} was committed already", state.path.string());
  // In the order in which they were begun, whatever the splits' names.
  std::vector<State::OpenShard*> last;
  for (auto& [split, shard] : state.open) {
    if (shard.writer.photo_count() + shard.writer.sketch_count() > 0) last.push_back(&shard);
  }
  std::sort(last.begin(), last.end(), [](const auto* a, const auto* b) { return a->serial < b->serial; });
  for (auto* shard : last) state.write(*shard);
  state.open.clear();
  if (state.manifest.shards.size() == state.base_shards)
    throw DataError("{}: nothing was added; no store without samples is written.", state.path.string());
  state.manifest.provenance.push_back(provenance);
  try {
    sync_path(state.path / "shards");
    write_manifest(state.path, state.manifest);
  } catch (const CannotWrite& error) {
    throw CannotWrite("{}: {} The store is as it was before; make room and run the same command again.", state.path.string(), error.what());
  }
  state.committed = true;
  return state.manifest;
}

}  // namespace duet
