#include "datasets/loader/throughput.h"

#include "base/time.h"
#include "datasets/loader/batch_stream.h"

namespace duet {

double loader_photos_per_second(const std::filesystem::path& store, double seconds, int threads) {
  const auto opened = Store::open(store);
  const int side = opened->manifest().photo_side;
  BatchStream stream({.view = opened->view("all"),
                      .global_batch = 64,
                      .image_side = side > 0 ? side : 256,
                      .threads = threads,
                      .queue_depth = 4,
                      .augmentation = {.flip = true, .rotate_degrees = 10, .scale = 0.15, .shift = 0.1},
                      .excluded = {}});
  for (int i = 0; i < 5; ++i) stream.next();  // caches and threads are warm, the queue is full
  const Stopwatch watch;
  std::int64_t photos = 0;
  do {
    photos += stream.next().size();
  } while (watch.seconds() < seconds);
  return static_cast<double>(photos) / watch.seconds();
}

}  // namespace duet
