#include "datasets/loader/batch_stream.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "base/thread.h"
#include "base/time.h"
#include "datasets/loader/row_maker.h"
#include "datasets/loader/sample.h"
#include "monitoring/trace/trace.h"

namespace duet {
namespace {

// What is remembered of bad records stays small whatever fraction of whatever store is allowed.
constexpr std::int64_t kMostBad = 100'000;

std::int64_t record_count(const BatchOptions& options) {
  return options.by_sketch ? options.view.sketch_count() : options.view.photo_count();
}

void check(const BatchOptions& options) {
  const auto& store = options.view.store();
  const auto subject = fmt::format("{}, split '{}'", store.path().string(), options.view.split());
  if (record_count(options) == 0) throw UsageError("{}: has no {}.", subject, options.by_sketch ? "sketches" : "photos");
  if (options.photos && store.kind() == StoreKind::strokes) throw UsageError("{}: photos are asked of a store of strokes.", subject);
  if ((options.rasters || options.sequences) && !options.by_sketch)
    throw UsageError("{}: sketches are asked of a stream of photos.", subject);
  if (!options.photos && !options.rasters && !options.sequences) throw UsageError("{}: nothing is asked of the stream.", subject);
  if (options.ranks < 1 || options.rank < 0 || options.rank >= options.ranks)
    throw UsageError("rank {} of {}.", options.rank, options.ranks);
  if (options.global_batch < options.ranks) {
    throw UsageError("{}: a global batch of {} leaves some of {} ranks without a row; take a larger batch or fewer ranks.", subject,
                     options.global_batch, options.ranks);
  }
  if (options.image_side < 1 || options.image_side > 4096)
    throw UsageError("{}: images of side {}; from 1 to 4096 can be made.", subject, options.image_side);
  if (options.threads < 1 || options.queue_depth < 1) {
    throw UsageError("{}: {} loader threads with {} batches ahead; at least one of each is needed.", subject, options.threads,
                     options.queue_depth);
  }
  if (options.sequences && options.max_steps < 1) throw UsageError("{}: sequences of at most {} steps.", subject, options.max_steps);
  const auto& augmentation = options.augmentation;
  const bool sensible = augmentation.rotate_degrees >= 0 && augmentation.rotate_degrees <= 180 && augmentation.scale >= 0 &&
                        augmentation.scale < 1 && augmentation.shift >= 0 && augmentation.shift <= 1;
  if (!sensible) {
    throw UsageError("{}: augmentation by {} degrees (0 to 180), scale {} (0 to below 1), shift {} (0 to 1).", subject,
                     augmentation.rotate_degrees, augmentation.scale, augmentation.shift);
  }
}

/// A batch in the making: its rows are claimed one by one by whatever thread is free.
struct Slot {
  Batch batch;
  StreamState begin;
  std::int64_t rows = 0;
  std::int64_t claimed = 0;
  std::int64_t done = 0;
  std::once_flag allocated;
  std::map<std::int64_t, std::vector<BadSample>> bad;  // by row, so that they are reported in the same order whoever met them
  std::map<std::int64_t, std::exception_ptr> failed;
};

void allocate(const BatchOptions& options, Slot& slot) {
  auto& batch = slot.batch;
  const auto rows = static_cast<std::size_t>(slot.rows), pixels = static_cast<std::size_t>(options.image_side) * options.image_side;
  for (auto* column : {&batch.position, &batch.epoch, &batch.record, &batch.photo}) column->resize(rows);
  batch.flipped.resize(rows);
  if (options.photos) batch.photos.resize(rows * pixels * 3);
  if (options.rasters) batch.rasters.resize(rows * pixels);
  if (options.sequences) batch.sequences.resize(rows);
}

}  // namespace

struct BatchStream::State {
  explicit State(BatchOptions wanted) : options(std::move(wanted)), samples(RowMaker::stream_seed(options), record_count(options)) {
    handed.generation = ahead.generation = options.view.generation();
    first_row = options.global_batch * options.rank / options.ranks;
    rows = options.global_batch * (options.rank + 1) / options.ranks - first_row;
    for (int i = 0; i < options.threads; ++i) makers.push_back(std::make_unique<RowMaker>(options));
    refill();
    try {
      for (auto& maker : makers) threads.emplace_back([this, &maker] { work(*maker); });
    } catch (const std::system_error& error) {
      stop();
      throw Unavailable("{} loader threads cannot be started: {}. Take fewer.", options.threads, error.what());
    }
  }

  ~State() { stop(); }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    for (auto& thread : threads) thread.join();
  }

  /// With the mutex held, or before there are threads.
  void refill() {
    while (std::ssize(slots) < options.queue_depth) {
      auto slot = std::make_shared<Slot>();
      slot->begin = ahead;
      slot->rows = rows;
      ahead = samples.advanced(ahead, options.global_batch);
      slots.push_back(std::move(slot));
    }
  }

  std::shared_ptr<Slot> claimable() const {
    for (const auto& slot : slots) {
      if (slot->claimed < slot->rows) return slot;
    }
    return nullptr;
  }

  void work(RowMaker& maker) {
    name_this_thread("loader");
    std::unique_lock lock(mutex);
    for (;;) {
      std::shared_ptr<Slot> slot;
      wake.wait(lock, [&] { return stopping || (!paused && (slot = claimable())); });
      if (stopping) return;
      const auto row = slot->claimed++;
      ++active;
      lock.unlock();

      std::vector<BadSample> bad;
      std::exception_ptr failure;
      try {
        std::call_once(slot->allocated, [&] { allocate(options, *slot); });
        const auto sample = samples.at(slot->begin, first_row + row);
        const auto at = static_cast<std::size_t>(row);
        slot->batch.position[at] = sample.position;
        slot->batch.epoch[at] = sample.epoch;
        const TraceSpan span("sample", SpanKind::loading);
        maker.make(sample, row, slot->batch, bad);
      } catch (...) {
        failure = std::current_exception();
      }

      lock.lock();
      if (!bad.empty()) slot->bad[row] = std::move(bad);
      if (failure) slot->failed[row] = failure;
      --active;
      if (++slot->done == slot->rows || active == 0) finished.notify_all();
    }
  }

  Batch next() {
    const Stopwatch watch;
    std::unique_lock lock(mutex);
    const auto slot = slots.front();
    {
      const TraceSpan span("wait for samples", SpanKind::data_wait);
      finished.wait(lock, [&] { return slot->done == slot->rows; });
    }
    const double waited = watch.seconds();
    for (auto& [row, samples_of_row] : slot->bad) remember(std::move(samples_of_row));
    // The slot stays in place when the stream fails: a second call says the same.
    slot->bad.clear();
    refuse_too_many();
    if (!slot->failed.empty()) std::rethrow_exception(slot->failed.begin()->second);
    slots.pop_front();
    handed = samples.advanced(slot->begin, options.global_batch);
    refill();
    lock.unlock();
    wake.notify_all();
    slot->batch.first_position = slot->begin.position;
    slot->batch.wait_seconds = waited;
    return std::move(slot->batch);
  }

  void remember(std::vector<BadSample> found) {
    for (auto& sample : found) {
      if (known_bad.insert(sample.index).second) untaken.push_back(std::move(sample));
    }
  }

  void refuse_too_many() const {
    const auto records = record_count(options);
    const auto allowed = std::min(kMostBad, bad_samples_allowed(options.max_bad_fraction, records));
    const auto found = std::ssize(known_bad);
    if (found <= allowed) return;
    throw DataError(
        "{}, split '{}': {} of {} records cannot be read, more than the {} allowed (fraction {}). {}`duet store verify {}` lists all "
        "damage.",
        options.view.store().path().string(), options.view.split(), found, records, allowed, options.max_bad_fraction,
        untaken.empty() ? "" : fmt::format("The last: {} ", untaken.back().reason), options.view.store().path().string());
  }

  /// Drops what was decoded ahead and goes on from `place`.
  void restart(const StreamState& place) {
    std::unique_lock lock(mutex);
    paused = true;
    finished.wait(lock, [&] { return active == 0; });
    slots.clear();
    ahead = handed = place;
    refill();
    paused = false;
    lock.unlock();
    wake.notify_all();
  }

  BatchOptions options;
  SampleStream samples;
  std::int64_t first_row = 0, rows = 0;  // this rank's, of each global batch
  std::vector<std::unique_ptr<RowMaker>> makers;

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable wake, finished;
  std::deque<std::shared_ptr<Slot>> slots;
  StreamState handed, ahead;  // after the last batch given out; after the last slot
  std::int64_t active = 0;    // rows being made
  bool paused = false, stopping = false;
  std::set<std::int64_t> known_bad;  // records
  std::vector<BadSample> untaken;
  std::vector<std::thread> threads;  // last: they use all of the above
};

BatchStream::BatchStream(BatchOptions options) {
  check(options);
  state_ = std::make_unique<State>(std::move(options));
}

BatchStream::~BatchStream() = default;

Batch BatchStream::next() { return state_->next(); }

void BatchStream::seek(const StreamState& state) {
  const auto& view = state_->options.view;
  const auto records = record_count(state_->options);
  if (state.generation != view.generation()) {
    throw DataError("{}: the stream stands in generation {}, the store was opened at {}. Resume with the generation of the checkpoint.",
                    view.store().path().string(), state.generation, view.generation());
  }
  if (state.epoch < 0 || state.consumed < 0 || state.consumed >= records || state.position < 0) {
    throw DataError("{}, split '{}': epoch {}, sample {} of {} is no place in this store.", view.store().path().string(), view.split(),
                    state.epoch, state.consumed, records);
  }
  state_->restart(state);
}

StreamState BatchStream::state() const {
  const std::lock_guard lock(state_->mutex);
  return state_->handed;
}

std::vector<BadSample> BatchStream::take_bad_samples() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->untaken, {});
}

}  // namespace duet
