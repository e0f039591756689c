#include "datasets/loader/row_maker.h"

#include "base/random.h"
#include "datasets/sketch/simplify.h"

namespace duet {
namespace {

// So many that a stream of which one record in 100 is usable goes on practically for ever.
constexpr int kAttempts = 4096;

}  // namespace

std::uint64_t RowMaker::stream_seed(const BatchOptions& options) {
  return mix(options.seed, static_cast<std::uint64_t>(options.stream_salt));
}

void RowMaker::make(const SampleStream::Sample& sample, std::int64_t row, Batch& batch, std::vector<BadSample>& bad) {
  const auto& view = options_->view;
  const auto count = static_cast<std::uint64_t>(options_->by_sketch ? view.sketch_count() : view.photo_count());
  KeyedRandom replacement(stream_seed(*options_), Purpose::replacement, static_cast<std::uint64_t>(sample.epoch),
                          static_cast<std::uint64_t>(sample.record));
  auto record = sample.record;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    try {
      if (make_record(record, sample.epoch, row, batch)) return;
    } catch (const Error& error) {
      if (error.status() != ExitStatus::bad_data && error.status() != ExitStatus::input_missing) throw;
      bad.push_back({options_->by_sketch ? BadSample::Kind::sketch : BadSample::Kind::photo, record, error.what()});
    }
    record = static_cast<std::int64_t>(replacement.below(count));
  }
  throw DataError("{}, split '{}': of {} records, {} were tried in place of number {} and none can be used{}.",
                  view.store().path().string(), view.split(), count, kAttempts, sample.record,
                  !bad.empty() ? "; the last: " + bad.back().reason
                  : options_->sequences
                      ? fmt::format(": all are excluded, or their sketches have more than {} steps. Allow longer ones, or simplify "
                                    "them more (now by {} pixels)",
                                    options_->max_steps, options_->simplify_epsilon)
                      : std::string(": all are excluded"));
}

bool RowMaker::make_record(std::int64_t record, std::int64_t epoch, std::int64_t row, Batch& batch) {
  const auto& options = *options_;
  const auto& view = options.view;
  const auto at = static_cast<std::size_t>(row);
  const auto random = [&](Purpose purpose) {
    return KeyedRandom(stream_seed(options), purpose, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(record));
  };
  if (!options.by_sketch && options.excluded && options.excluded(record)) return false;  // before anything is read

  SketchRecord sketch;
  auto photo = record;
  if (options.by_sketch) {
    sketch = view.read_sketch(record);
    photo = sketch.photo;
    if (photo >= 0 && options.excluded && options.excluded(photo)) return false;
  }
  const bool flipped = options.augmentation.flip && random(Purpose::joint_flip).chance(0.5);
  const Affine upright = flipped ? Affine::mirror() : Affine{};

  if (options.sequences) {
    auto offsets = to_offsets(simplify(transform(sketch.points, upright), options.simplify_epsilon, options.simplify_chord));
    if (offsets.empty() || std::ssize(offsets) > options.max_steps) return false;
    batch.sequences[at] = std::move(offsets);
  }
  const auto side = static_cast<std::size_t>(options.image_side);
  if (options.photos) {
    if (photo < 0) throw DataError("{}, sketch {} (id '{}'): has no photo.", view.store().path().string(), record, sketch.id);
    const auto placement = random_affine(options.augmentation, ScaleFormula::interval, random(Purpose::photo_augmentation)).after(upright);
    photos_.load(view, photo, placement, options.image_side, std::span(batch.photos).subspan(at * side * side * 3, side * side * 3));
  }
  if (options.rasters) {
    const auto placement = random_affine(options.augmentation, ScaleFormula::interval, random(Purpose::sketch_augmentation)).after(upright);
    rasters_.draw(transform(sketch.points, placement), options.image_side, options.ink_dark_on_white,
                  std::span(batch.rasters).subspan(at * side * side, side * side));
  }
  batch.record[at] = record;
  batch.photo[at] = photo;
  batch.flipped[at] = flipped;
  return true;
}

}  // namespace duet
