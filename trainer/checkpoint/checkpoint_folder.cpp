#include "trainer/checkpoint/checkpoint_folder.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/time.h"
#include "cluster/run/run_folder.h"
#include "monitoring/metrics/metrics.h"
#include "monitoring/trace/trace.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

constexpr int kFormatVersion = 1;

/// Another job owns the run's folder: nothing that room on a disk would mend.
struct TakenOver : CannotWrite {
  using CannotWrite::CannotWrite;
};

std::string sentence(std::string text) { return text.ends_with('.') ? text : text + '.'; }

std::string text_of(const Json& json) { return json_text(json, 1) + '\n'; }

// What manifest.json says, before any file is verified.
struct Entry {
  fs::path folder;
  std::int64_t step = 0;
  std::int64_t sequence =
      -1;  ///< counts saves of the run: a later save has a higher one, even when a resumed run goes through older steps again
  std::optional<double> score;
  std::string fault;  ///< why the manifest cannot be used; empty: it can
};

Json read_manifest(const fs::path& folder) {
  const auto file = folder / CheckpointFile::kManifest;
  auto manifest = read_json(file);
  const auto version = member<int>(manifest, "format", file.string());
  if (version != kFormatVersion) {
    throw DataError("{}: has format {}; this program reads {}. Use the program that wrote it.", file.string(), version, kFormatVersion);
  }
  return manifest;
}

std::optional<double> score_in(const Json& manifest, const std::string& subject) {
  const auto score = member<Json>(manifest, "score", subject);
  if (score.is_null()) return std::nullopt;
  return member<double>(manifest, "score", subject);
}

Entry entry_of(const fs::path& folder) {
  Entry entry{.folder = folder, .step = 0, .sequence = -1, .score = {}, .fault = {}};
  try {
    const auto manifest = read_manifest(folder);
    const auto subject = (folder / CheckpointFile::kManifest).string();
    entry.step = member<std::int64_t>(manifest, "step", subject);
    entry.score = score_in(manifest, subject);
    entry.sequence = member<std::int64_t>(manifest, "sequence", subject);
  } catch (const Error& error) {
    entry.fault = error.what();
    entry.sequence = -1;
  }
  return entry;
}

// All checkpoints by their names, most recently written first.
std::vector<Entry> list(const fs::path& checkpoints) {
  std::vector<Entry> entries;
  std::error_code absent;
  for (const auto& item : fs::directory_iterator(checkpoints, absent)) {
    if (RunCheckpoints::is_name(item.path().filename().string()) && item.is_directory()) entries.push_back(entry_of(item.path()));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.sequence, a.folder.filename()) > std::pair(b.sequence, b.folder.filename());
  });
  return entries;
}

// Highest score; of equal ones the earlier, but not one that was saved again with the same score.
const Entry* best_of(const std::vector<Entry>& entries) {
  const Entry* best = nullptr;
  for (const auto& entry : entries) {
    if (!entry.fault.empty() || !entry.score) continue;
    const bool again = RunCheckpoints::is_replaced(entry.folder.filename().string());
    if (best == nullptr || *entry.score > *best->score || (*entry.score == *best->score && !again)) best = &entry;
  }
  return best;
}

// The name in `latest`, or nothing when there is none that could be a checkpoint's.
std::string latest_name(const RunCheckpoints& checkpoints) {
  try {
    const auto newest = checkpoints.newest();
    return newest ? newest->filename().string() : "";
  } catch (const Error&) {
    return {};
  }
}

void remove_folder(const fs::path& folder) {
  std::error_code failure;
  fs::remove_all(folder, failure);
  if (failure) throw CannotWrite("{}: cannot be removed: {}.", folder.string(), failure.message());
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code failure;
  fs::rename(from, to, failure);
  if (failure) throw CannotWrite("{}: cannot be put in place: {}.", to.string(), failure.message());
}

}  // namespace

Checkpoint Checkpoint::open(const fs::path& folder) {
  std::error_code absent;
  if (!fs::is_directory(folder, absent)) throw InputMissing("{}: there is no checkpoint of this name.", folder.string());
  const auto manifest = read_manifest(folder);
  const auto subject = (folder / CheckpointFile::kManifest).string();
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  checkpoint.step_ = member<std::int64_t>(manifest, "step", subject);
  checkpoint.configuration_ = member<Json>(manifest, "configuration", subject);
  checkpoint.score_ = score_in(manifest, subject);
  checkpoint.files_ = member<Json>(manifest, "files", subject);
  if (!checkpoint.files_.is_object() || !checkpoint.configuration_.is_object())
    throw DataError("{}: is not a checkpoint's manifest.", subject);
  for (const auto& [name, expected] : checkpoint.files_.items()) {
    const auto file = path_inside(folder, name);
    std::error_code failure;
    const auto bytes = fs::file_size(file, failure);
    if (failure) throw DataError("{}: is missing, though the checkpoint's manifest names it.", file.string());
    const auto expected_bytes = member<std::uint64_t>(expected, "bytes", subject);
    if (bytes != expected_bytes) throw DataError("{}: has {} bytes instead of {}.", file.string(), bytes, expected_bytes);
    const auto sum = to_hex(checksum_of_file(file));
    const auto expected_sum = member<std::string>(expected, "checksum", subject);
    if (sum != expected_sum)
      throw DataError("{}: checksum differs (stored {}, read {}); the file was changed after it was written.", file.string(), expected_sum,
                      sum);
  }
  if (!checkpoint.has(CheckpointFile::kProgress)) throw DataError("{}: '{}' is missing.", subject, CheckpointFile::kProgress);
  checkpoint.progress_ = read_json(folder / CheckpointFile::kProgress);
  return checkpoint;
}

bool Checkpoint::has(const std::string& file) const { return files_.contains(file); }

NamedTensors Checkpoint::read(const std::string& file) const {
  if (!has(file)) throw DataError("{}: holds no '{}'.", folder_.string(), file);
  return SafetensorsFile(path_inside(folder_, file)).read_all();
}

void Checkpoint::check_configuration(const Json& configuration) const {
  // Options that came later, with what was done before them: a run begun then goes on when it is given this.
  static const std::map<std::string, Json> before{{"generator.simplify_distance", "line"}};
  auto shown = [&](const Json& options, const std::string& name) {
    if (options.contains(name)) return json_text(options.at(name));
    return before.contains(name) ? json_text(before.at(name)) : std::string("absent");
  };
  std::set<std::string> names;
  for (const auto* options : {&configuration_, &configuration}) {
    for (const auto& item : options->items()) names.insert(item.key());
  }
  std::string differences;
  for (const auto& name : names) {
    if (shown(configuration_, name) == shown(configuration, name)) continue;
    differences += fmt::format("\n  {}: {} in the checkpoint, {} now", name, shown(configuration_, name), shown(configuration, name));
  }
  if (differences.empty()) return;
  throw UsageError(
      "{}: this checkpoint belongs to another configuration:{}\nGive the options of the run as it was begun, or another --run.folder.",
      folder_.string(), differences);
}

FoundCheckpoint find_checkpoint(const fs::path& checkpoints) {
  FoundCheckpoint found;
  auto entries = list(checkpoints);
  const auto latest = latest_name(RunCheckpoints(checkpoints));
  std::stable_partition(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.folder.filename() == latest; });
  if (!latest.empty() && (entries.empty() || entries.front().folder.filename() != latest)) {
    found.passed_over.push_back(fmt::format("{}: is named by 'latest' but is not there.", (checkpoints / latest).string()));
  }
  for (const auto& entry : entries) {
    try {
      found.checkpoint = Checkpoint::open(entry.folder);
      return found;
    } catch (const Unavailable&) {
      throw;  // at a limit of the machine (open files, memory) a whole checkpoint cannot be read either
    } catch (const Error& error) {
      found.passed_over.push_back(error.what());
    }
  }
  if (!found.passed_over.empty()) {
    throw DataError("{}: none of the checkpoints can be used:\n  {}\nMove the folder away to begin anew.", checkpoints.string(),
                    fmt::join(found.passed_over, "\n  "));
  }
  return found;
}

CheckpointFolder::CheckpointFolder(fs::path checkpoints, CheckpointOptions options)
    : checkpoints_(std::move(checkpoints)), options_(std::move(options)) {
  DUET_CHECK(options_.keep_last >= 1 && options_.keep_every >= 0, "keep_last {}, keep_every {}", options_.keep_last, options_.keep_every);
  make_folder(checkpoints_);
  if (options_.may_publish && !options_.may_publish()) return;  // the owner's save may be under way
  for (const auto& item : fs::directory_iterator(checkpoints_)) {
    if (RunCheckpoints::is_partial(item.path().filename().string())) remove_folder(item.path());
  }
}

CheckpointFolder::~CheckpointFolder() {
  try {
    finish();
  } catch (const std::exception& error) {
    warn("{}", error.what());
  }
}

void CheckpointFolder::save(std::int64_t step, const CheckpointContent& content) {
  const Stopwatch stall;
  finish();
  CheckpointContent copy{.files = {}, .progress = content.progress, .score = content.score};
  at::NoGradGuard no_gradients;
  for (const auto& [file, tensors] : content.files) {
    auto& copies = copy.files[file];
    for (const auto& [name, tensor] : tensors) {
      copies.push_back({name, at::empty(tensor.sizes(), tensor.options().device(at::kCPU).requires_grad(false)).copy_(tensor)});
    }
  }
  auto work = [this, step, copy = std::move(copy)] {
    TraceSpan span("write checkpoint", SpanKind::checkpoint);
    span.with("step", step);
    try {
      const Stopwatch watch;
      write(step, copy);
      count_good(step, watch.seconds());
    } catch (const TakenOver&) {
      failure_ = std::current_exception();
    } catch (const std::bad_alloc&) {
      failure_ = std::make_exception_ptr(Unavailable(
          "{}: the checkpoint of step {} was not written: the memory of this machine, or of the job, is used up. Older checkpoints are "
          "whole. Ask for more memory, or train with smaller batches; the same command continues from the last checkpoint.",
          checkpoints_.string(), step));
    } catch (const std::exception& error) {
      failure_ =
          std::make_exception_ptr(CannotWrite("{}: the checkpoint of step {} was not written: {} Older checkpoints are whole: make room, "
                                              "or see to the folder. The same command "
                                              "continues from the last checkpoint.",
                                              checkpoints_.string(), step, sentence(error.what())));
    }
  };
  try {
    writer_ = start_thread("checkpoints", work);
  } catch (const Unavailable&) {
    work();  // then training waits for it
  }
  metrics().histogram("duet_checkpoint_stall_seconds").observe(stall.seconds());
}

void CheckpointFolder::finish() {
  if (writer_.joinable()) writer_.join();
  if (auto failure = std::exchange(failure_, nullptr)) {
    metrics().counter("duet_checkpoint_failures_total").add();
    std::rethrow_exception(failure);
  }
}

void CheckpointFolder::count_good(std::int64_t step, double seconds) const {
  std::uintmax_t bytes = 0;
  std::error_code gone;  // thinned out or taken over meanwhile
  for (const auto& item : fs::directory_iterator(RunCheckpoints(checkpoints_).of_step(step), gone)) bytes += item.file_size(gone);
  metrics().counter("duet_checkpoints_total").add();
  metrics().histogram("duet_checkpoint_write_seconds").observe(seconds);
  metrics().gauge("duet_checkpoint_time_seconds").set(unix_seconds());
  metrics().gauge("duet_checkpoint_step").set(static_cast<double>(step));
  metrics().gauge("duet_checkpoint_bytes").set(static_cast<double>(bytes));
}

void CheckpointFolder::write(std::int64_t step, const CheckpointContent& content) {
  const auto before = list(checkpoints_);
  const RunCheckpoints names(checkpoints_);
  const auto folder = names.of_step(step);
  const auto partial = names.partial(step);
  try {
    remove_folder(partial);
    make_folder(partial);
    reached(SaveStage::begun);

    for (const auto& [file, tensors] : content.files) write_safetensors(path_inside(partial, file), tensors);
    write_file_atomically(partial / CheckpointFile::kProgress, text_of(content.progress));
    reached(SaveStage::files_written);

    Json manifest = {{"format", kFormatVersion},
                     {"step", step},
                     {"sequence", before.empty() ? 0 : before.front().sequence + 1},
                     {"score", content.score ? Json(*content.score) : Json()},
                     {"configuration", options_.configuration},
                     {"files", Json::object()}};
    for (const auto& item : fs::directory_iterator(partial)) {
      manifest["files"][item.path().filename().string()] = {{"bytes", fs::file_size(item.path())},
                                                            {"checksum", to_hex(checksum_of_file(item.path()))}};
    }
    write_file_atomically(partial / CheckpointFile::kManifest, text_of(manifest));
    reached(SaveStage::manifest_written);
    require_ownership(step);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    throw;
  }

  // A resumed run comes to steps that were saved before. The old folder is complete under its other name until the new one is in place.
  if (fs::exists(folder)) {
    auto number = std::max<std::int64_t>(0, entry_of(folder).sequence);
    auto replaced = folder;
    do {
      replaced = names.replaced(step, number++);
    } while (fs::exists(replaced));
    rename_folder(folder, replaced);
  }
  rename_folder(partial, folder);
  sync_path(checkpoints_);
  reached(SaveStage::renamed);

  Checkpoint::open(folder);
  require_ownership(step);
  write_file_atomically(names.latest(), folder.filename().string() + '\n');
  reached(SaveStage::latest_moved);
  thin_out(folder);
  reached(SaveStage::thinned);
}

void CheckpointFolder::thin_out(const fs::path& newest) {
  const auto entries = list(checkpoints_);
  const auto* best = best_of(entries);
  int recent = 0;
  for (const auto& entry : entries) {
    const bool usable = entry.fault.empty() && !RunCheckpoints::is_replaced(entry.folder.filename().string());
    const bool among_last = usable && recent < options_.keep_last;
    recent += among_last;
    const bool landmark = usable && options_.keep_every > 0 && entry.step % options_.keep_every == 0;
    if (entry.folder == newest || &entry == best || among_last || landmark) continue;
    remove_folder(entry.folder);
  }
}

void CheckpointFolder::reached(SaveStage stage) {
  if (options_.observer) options_.observer(stage);
}

void CheckpointFolder::require_ownership(std::int64_t step) {
  if (options_.may_publish && !options_.may_publish()) {
    throw TakenOver("{}: the checkpoint of step {} is not published: another job owns this run's folder now. This one must stop.",
                    checkpoints_.string(), step);
  }
}

}  // namespace duet
