// Growing a pool: import by one process and by several, assembling, checking, adding; what each costs a photo.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "benchmarks/measure.h"
#include "datasets/image/image.h"
#include "datasets/import/photos/assembly.h"
#include "datasets/store/store.h"
#include "datasets/store/verify.h"
#include "datasets/synthetic/item.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

/// `count` JPEG files of synthetic chairs, a thousand a folder.
void write_photos(const fs::path& folder, std::int64_t first, std::int64_t count, int side) {
  std::atomic<std::int64_t> next{0};
  std::vector<std::jthread> writers;
  for (std::int64_t i = 0; i < (count + 999) / 1000; ++i) fs::create_directories(folder / fmt::format("{:06}", i));
  for (unsigned thread = 0; thread < std::thread::hardware_concurrency(); ++thread) {
    writers.emplace_back([&] {
      for (auto i = next++; i < count; i = next++) {
        const auto jpeg = encode_jpeg(render_photo(ItemKind::chair, 1, first + i, side), 85);
        write_file_atomically(folder / fmt::format("{:06}/{:09}.jpg", i / 1000, first + i), std::span<const std::byte>(jpeg));
      }
    });
  }
}

struct Cost {
  double seconds = 0;
  double mebibytes = 0;  ///< the largest resident size of a process at it
};

/// Does each work in a process of its own, all at the same time.
Cost in_processes(const std::vector<std::function<void()>>& works) {
  const Stopwatch watch;
  std::vector<pid_t> children;
  for (const auto& work : works) {
    const auto child = ::fork();
    if (child == 0) {
      try {
        work();
        ::_exit(0);
      } catch (const std::exception& error) {
        fmt::print(stderr, "bench_pool: {}\n", error.what());
        ::_exit(1);
      }
    }
    if (child < 0) throw Unavailable("no further process can be started.");
    children.push_back(child);
  }
  Cost cost;
  bool failed = false;
  for (const auto child : children) {
    int status = 0;
    rusage usage{};
    ::wait4(child, &status, 0, &usage);
    failed |= status != 0;
    cost.mebibytes = std::max(cost.mebibytes, static_cast<double>(usage.ru_maxrss) / 1024);
  }
  if (failed) throw InternalError("a process of the benchmark failed.");
  cost.seconds = watch.seconds();
  return cost;
}

void measure(const BenchmarkOptions& options) {
  const auto photos = options["photos"].as<std::int64_t>();
  const auto parts = options["parts"].as<int>(), side = options["side"].as<int>();
  if (photos < 10 || parts < 1 || side < 16) throw UsageError("--photos must be at least 10, --parts 1 and --side 16.");
  const TemporaryFolder place;
  const auto first = place / "first", more = place / "more";
  write_photos(first, 0, photos, side);
  write_photos(more, photos, photos / 10, side);

  PhotosOptions alone{.folders = {first}, .target = {.store = place / "alone.store"}};
  auto dealt = alone;
  dealt.target.store = place / "parts.store";
  dealt.threads = 1;
  auto added = alone;
  added.folders = {more};
  added.target.append = true;
  std::vector<std::function<void()>> works;
  for (int number = 1; number <= parts; ++number) works.emplace_back([&, number] { import_photo_part(dealt, {number, parts}); });
  const auto one = in_processes({[&] { import_photos(alone); }});
  const auto several = in_processes(works);
  const auto assemble = in_processes({[&] { assemble_photo_parts({.store = dealt.target.store}); }});
  const auto verify = in_processes({[&] {
    if (!verify_store(alone.target.store).good()) throw DataError("the store is damaged.");
  }});
  const auto append = in_processes({[&] { import_photos(added); }});
  const auto open = in_processes({[&] {
    std::int64_t count = 0;
    Store::open(alone.target.store)->view("all").for_each_hash([&](std::int64_t, std::uint64_t) { ++count; });
  }});
  const auto store = Store::open(alone.target.store);
  const auto kept = static_cast<double>(store->manifest().total().photos);

  Findings findings(
      fmt::format("pool: {} JPEG files of {} px, {:.0f} in the store after a tenth more, the rest look-alikes; {:.1f} KiB a photo in the "
                  "store; files in the page cache",
                  photos, side, kept, static_cast<double>(store->manifest().bytes()) / 1024 / kept));
  const auto add = [&](const std::string& what, const Cost& cost, std::int64_t done) {
    findings.add(what, static_cast<double>(done) / cost.seconds, static_cast<double>(done) / cost.seconds, "photos/s");
    findings.add("… largest process", cost.mebibytes, cost.mebibytes, "MiB");
  };
  add("import, one process, a thread a core", one, photos);
  add(fmt::format("import in {} parts at the same time, one thread each", parts), several, photos);
  findings.add("… over one process", one.seconds / several.seconds, one.seconds / several.seconds, "×");
  add("assemble the parts", assemble, photos);
  add("verify", verify, static_cast<std::int64_t>(kept));
  add(fmt::format("append {} photos", photos / 10), append, photos / 10);
  add("open, and read all perceptual hashes", open, static_cast<std::int64_t>(kept));
  findings.print(options["json"].as<bool>());
}

}  // namespace
}  // namespace duet

int main(int count, char** values) {
  namespace po = boost::program_options;
  po::options_description options("Options");
  options.add_options()("photos", po::value<std::int64_t>()->default_value(2000),
                        "how many to import; a tenth as many are added afterwards")(
      "parts", po::value<int>()->default_value(2), "processes of the parallel import")("side", po::value<int>()->default_value(256),
                                                                                       "of the files, pixels");
  return duet::run_benchmark(
      count, values,
      "Measures how fast a pool of photos grows, and how much memory that takes: import, import in parts, assembling,\n"
      "verifying, appending. Each is done once; --rounds is not used.",
      options, 1, duet::measure);
}
