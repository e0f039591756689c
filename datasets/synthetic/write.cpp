#include "datasets/synthetic/write.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/granted_cores.h"
#include "datasets/image/perceptual_hash.h"
#include "datasets/store/store.h"

namespace duet {
namespace {

constexpr std::int64_t kMaxItems = std::int64_t{1} << 40;  // a range; also what keeps the indices of different ranges apart

/// Items of one store and split. Their indices do not depend on how many others are made: more pairs leave test and pool as they were.
struct Range {
  StoreKind kind;
  std::string infix;  ///< of the ids
  std::int64_t first_index, count;
  bool test;
};

struct Made {
  std::vector<std::byte> jpeg;
  std::uint64_t hash = 0;
  std::vector<Sketch> sketches;
};

void require(bool holds, const char* option, std::int64_t value, const char* allowed) {
  if (!holds) throw UsageError("synth: {} is {}; {}.", option, value, allowed);
}

void check(const SynthOptions& options) {
  const auto count = [](const char* name, std::int64_t value) {
    require(value >= 0 && value < kMaxItems, name, value, "it must be 0 or more");
  };
  count("pairs", options.pairs);
  count("test", options.test);
  count("pool", options.pool);
  count("strokes", options.strokes);
  require(options.sketches_per_photo >= 1 && options.sketches_per_photo <= 1000, "sketches", options.sketches_per_photo,
          "it must be 1 to 1000");
  require(options.side >= 32 && options.side <= 4096, "side", options.side, "it must be 32 to 4096");
  require(options.jpeg_quality >= 1 && options.jpeg_quality <= 100, "quality", options.jpeg_quality, "it must be 1 to 100");
  require(options.threads >= 0 && options.threads <= 1024, "threads", options.threads, "it must be 0 (one a core) to 1024");
  if (options.pairs + options.pool + options.strokes == 0) throw UsageError("synth: pairs, pool and strokes are all 0: nothing to make.");
}

Made make(const SynthOptions& options, const Range& range, std::int64_t index) {
  Made made;
  if (range.kind != StoreKind::strokes) {
    const auto photo = render_photo(options.kind, options.seed, index, options.side);
    made.jpeg = encode_jpeg(photo, options.jpeg_quality);
    made.hash = perceptual_hash(photo);
  }
  const int sketches = range.kind == StoreKind::pairs ? options.sketches_per_photo : range.kind == StoreKind::strokes ? 1 : 0;
  for (int k = 0; k < sketches; ++k) made.sketches.push_back(render_sketch(options.kind, options.seed, index, k));
  return made;
}

/// Makes items first … first + count − 1 of the range on all threads; an exception of any of them is thrown here.
std::vector<Made> make_block(const SynthOptions& options, const Range& range, std::int64_t first, std::int64_t count) {
  std::vector<Made> block(static_cast<std::size_t>(count));
  std::vector<std::exception_ptr> failures(block.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < block.size(); i = next++) {
      try {
        block[i] = make(options, range, range.first_index + first + static_cast<std::int64_t>(i));
      } catch (...) {
        failures[i] = std::current_exception();
      }
    }
  };
  const auto threads = options.threads > 0 ? static_cast<unsigned>(options.threads) : static_cast<unsigned>(available_cores());
  {
    std::vector<std::jthread> helpers;
    try {
      for (unsigned i = 1; i < threads; ++i) helpers.emplace_back(work);
    } catch (const std::system_error& error) {
      next = block.size();  // those that were started have nothing more to do
      throw Unavailable(
          "{} threads cannot be started: {}. The limits on processes and memory (ulimit -u, -v) stand against it; take fewer.", threads,
          error.what());
    }
    work();
  }
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return block;
}

std::string split_of(const Range& range, std::int64_t position) {
  if (range.kind != StoreKind::pairs) return "train";
  // Ids sort in the order of positions, so this is the rule of datasets/store/splits.h without a list of all ids.
  return range.test ? "test" : position % 3 == 0 ? "validation" : "train";
}

void add(StoreWriter& writer, const SynthOptions& options, const Range& range, std::int64_t position, const Made& made) {
  const auto id = fmt::format("{}-{}{:010}", to_string(options.kind), range.infix, position);
  const auto split = split_of(range, position);
  std::int64_t photo = -1;
  if (!made.jpeg.empty()) {
    photo =
        writer.add_photo({.id = id, .split = split, .bytes = made.jpeg, .width = options.side, .height = options.side, .hash = made.hash});
  }
  for (std::size_t k = 0; k < made.sketches.size(); ++k) {
    writer.add_sketch({.id = fmt::format("{}_{}", id, k + 1), .split = split, .photo = photo, .points = made.sketches[k]});
  }
}

Json provenance(const SynthOptions& options) {
  return {{"source", "synthetic"}, {"item", to_string(options.kind)},      {"seed", options.seed},
          {"side", options.side},  {"jpeg_quality", options.jpeg_quality}, {"sketches_per_photo", options.sketches_per_photo}};
}

}  // namespace

void write_synthetic(const SynthOptions& options, const SynthProgress& progress) {
  check(options);
  const std::vector<Range> ranges{{StoreKind::pairs, "", 0, options.pairs, false},
                                  {StoreKind::pairs, "test-", kMaxItems, options.pairs > 0 ? options.test : 0, true},
                                  {StoreKind::pool, "pool-", 2 * kMaxItems, options.pool, false},
                                  {StoreKind::strokes, "strokes-", 3 * kMaxItems, options.strokes, false}};
  const std::vector<std::pair<StoreKind, const char*>> names{
      {StoreKind::pairs, "pairs.store"}, {StoreKind::pool, "pool.store"}, {StoreKind::strokes, "strokes.store"}};

  std::error_code failure;
  std::filesystem::create_directories(options.out, failure);
  if (failure) throw CannotCreate("{}: the folder cannot be made: {}.", options.out.string(), failure.message());
  // All are begun before the first is filled, so that one that exists already is found out at once.
  std::vector<std::pair<StoreKind, StoreWriter>> writers;
  std::int64_t total = 0, done = 0;
  for (const auto& range : ranges) total += range.count;
  for (const auto& [kind, name] : names) {
    const bool wanted =
        std::any_of(ranges.begin(), ranges.end(), [kind = kind](const Range& range) { return range.kind == kind && range.count > 0; });
    if (wanted) writers.emplace_back(kind, StoreWriter::create(options.out / name, kind, {.photo_side = options.side}));
  }
  constexpr std::int64_t kBlock = 64;
  for (const auto& range : ranges) {
    for (std::int64_t first = 0; first < range.count; first += kBlock) {
      const auto block = make_block(options, range, first, std::min(kBlock, range.count - first));
      const auto writer = std::find_if(writers.begin(), writers.end(), [&](const auto& entry) { return entry.first == range.kind; });
      for (std::size_t i = 0; i < block.size(); ++i) {
        add(writer->second, options, range, first + static_cast<std::int64_t>(i), block[i]);
        if (progress) progress(++done, total);
      }
    }
  }
  for (auto& [kind, writer] : writers) writer.commit(provenance(options));
}

}  // namespace duet
