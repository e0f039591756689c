// Photos a second that reach a batch, with one and two decoding threads, and what reading past the HDF5 library is worth.
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "benchmarks/measure.h"
#include "datasets/loader/throughput.h"
#include "datasets/store/shard.h"
#include "datasets/store/store.h"
#include "datasets/synthetic/write.h"

namespace duet {
namespace {

using Shards = std::vector<std::unique_ptr<ShardReader>>;

Shards open_shards(const Store& store, ShardReader::Access access) {
  Shards shards;
  for (const auto& entry : store.manifest().shards)
    shards.push_back(std::make_unique<ShardReader>(store.path() / entry.file, entry.structure, access));
  return shards;
}

/// Reads and verifies every photo; photo i is read by thread i % threads.
void read_all(const Shards& shards, int threads) {
  std::vector<std::jthread> readers;
  for (int thread = 0; thread < threads; ++thread) {
    readers.emplace_back([&shards, thread, threads] {
      std::vector<std::byte> bytes;
      for (const auto& shard : shards)
        for (auto i = static_cast<std::int64_t>(thread); i < shard->photo_count(); i += threads) shard->read_photo(i, bytes);
    });
  }
}

void measure(const BenchmarkOptions& options) {
  std::optional<TemporaryFolder> made;
  std::filesystem::path path;
  if (options.contains("store")) {
    path = options["store"].as<std::string>();
  } else {
    made.emplace();
    write_synthetic({.out = made->path(), .pairs = 0, .test = 0, .pool = 1000});
    path = made->path() / "pool.store";
  }
  const auto store = Store::open(path);
  const auto photos = store->view("all").photo_count();
  if (photos == 0) throw UsageError("{}: the store has no photos to load.", path.string());

  const int rounds = options["rounds"].as<int>();
  std::vector<Timing> batched(2);  // seconds a photo, of a stream that runs for a while
  for (int round = 0; round < rounds; ++round)
    for (int threads : {1, 2}) batched[threads - 1].seconds.push_back(1 / loader_photos_per_second(path, 0.7, threads));
  const auto direct = open_shards(*store, ShardReader::Access::direct_where_possible);
  const auto library = open_shards(*store, ShardReader::Access::library_only);
  const auto read = measure_in_turns({{"past HDF5, 1 thread", [&] { read_all(direct, 1); }},
                                      {"through HDF5, 1 thread", [&] { read_all(library, 1); }},
                                      {"past HDF5, 2 threads", [&] { read_all(direct, 2); }},
                                      {"through HDF5, 2 threads", [&] { read_all(library, 2); }}},
                                     rounds);
  Findings findings(fmt::format("loader: {} photos as {}, longest side {} px, {:.0f} KiB each; in the page cache", photos,
                                made ? "duet synth makes them" : "the store has them", store->manifest().photo_side,
                                static_cast<double>(store->manifest().bytes()) / 1024 / static_cast<double>(photos)));
  findings.add_rate("read, decoded, augmented, in batches; 1 thread", batched[0], 1, "photos/s");
  findings.add_rate("read, decoded, augmented, in batches; 2 threads", batched[1], 1, "photos/s");
  findings.add_ratio("2 threads over 1", batched[0], batched[1]);
  const auto all = static_cast<double>(photos);
  findings.add_rate("read and verified past the HDF5 library, 1 thread", read[0], all, "photos/s");
  findings.add_rate("read and verified through the HDF5 library, 1 thread", read[1], all, "photos/s");
  findings.add_ratio("past the library over through it, 1 thread", read[1], read[0]);
  findings.add_rate("read and verified past the HDF5 library, 2 threads", read[2], all, "photos/s");
  findings.add_rate("read and verified through the HDF5 library, 2 threads", read[3], all, "photos/s");
  findings.add_ratio("past the library over through it, 2 threads", read[3], read[2]);
  findings.print(options["json"].as<bool>());
}

}  // namespace
}  // namespace duet

int main(int count, char** values) {
  namespace po = boost::program_options;
  po::options_description options("Options");
  options.add_options()("store", po::value<std::string>(), "folder of a store with photos; without it, 1,000 synthetic photos of 256 px");
  return duet::run_benchmark(
      count, values,
      "Measures photos a second that reach a batch (read, decoded, augmented as in training), and how fast their bytes are read past the\n"
      "HDF5 library (pread) and through it.",
      options, 9, duet::measure);
}
