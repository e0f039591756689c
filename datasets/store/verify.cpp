#include "datasets/store/verify.h"

#include "base/checksum.h"
#include "datasets/store/shard.h"
#include "datasets/store/store.h"

namespace duet {
namespace {

class Verifier {
 public:
  Verifier(const Store& store, VerifyReport& report) : store_(store), report_(report) {}

  void check(std::size_t number) {
    const auto& entry = store_.manifest().shards[number];
    const auto file = store_.path() / entry.file;
    try {
      const auto found = checksum_of_file(file);
      if (found != entry.checksum) {
        report_.bad_shards.push_back(
            fmt::format("{}: checksum differs (manifest {}, file {}).", file.string(), to_hex(entry.checksum), to_hex(found)));
      }
      check_samples(*store_.shard(number));
    } catch (const Unavailable&) {
      throw;  // a limit of this machine says nothing of the store
    } catch (const Error& error) {
      report_.bad_shards.push_back(error.what());
    }
    report_.photos += entry.photos;
    report_.sketches += entry.sketches;
    report_.bytes += entry.bytes;
  }

 private:
  void check_samples(const ShardReader& shard) {
    std::vector<std::byte> bytes;
    for (std::int64_t i = 0; i < shard.photo_count(); ++i) {
      attempt(BadSample::Kind::photo, report_.photos + i, [&] { shard.read_photo(i, bytes); });
    }
    for (std::int64_t i = 0; i < shard.sketch_count(); ++i) {
      attempt(BadSample::Kind::sketch, report_.sketches + i, [&] { shard.read_sketch(i); });
    }
  }

  void attempt(BadSample::Kind kind, std::int64_t index, const std::function<void()>& read) {
    try {
      read();
    } catch (const Unavailable&) {
      throw;
    } catch (const Error& error) {
      ++report_.bad_sample_count;
      if (report_.bad_samples.size() < VerifyReport::kMaxListed) report_.bad_samples.push_back({kind, index, error.what()});
    }
  }

  const Store& store_;
  VerifyReport& report_;
};

}  // namespace

VerifyReport verify_store(const std::filesystem::path& path, const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const auto store = Store::open(path);
  VerifyReport report;
  report.generation = store->generation();
  Verifier verifier(*store, report);
  for (std::size_t number = 0; number < store->manifest().shards.size(); ++number) {
    if (progress) progress(report.bytes, store->manifest().bytes());
    verifier.check(number);
  }
  if (progress) progress(report.bytes, store->manifest().bytes());
  return report;
}

}  // namespace duet
