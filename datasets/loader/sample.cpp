#include "datasets/loader/sample.h"

#include <cmath>

#include "datasets/loader/photo_sampler.h"
#include "datasets/loader/raster_sampler.h"

namespace duet {

std::int64_t bad_samples_allowed(double max_bad_fraction, std::int64_t count) {
  return static_cast<std::int64_t>(std::ceil(max_bad_fraction * static_cast<double>(count)));
}

std::vector<std::uint8_t> load_photo(const StoreView& view, std::int64_t index, int side, bool flipped) {
  thread_local PhotoSampler sampler;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(side) * side * 3);
  sampler.load(view, index, flipped ? Affine::mirror() : Affine{}, side, pixels);
  return pixels;
}

std::vector<std::uint8_t> load_raster(const StoreView& view, std::int64_t sketch, int side, bool dark_on_white, bool flipped) {
  const auto record = view.read_sketch(sketch);
  const auto points = flipped ? transform(record.points, Affine::mirror()) : record.points;
  return raster_of(points, side, dark_on_white, fmt::format("{}, sketch '{}'", view.store().path().string(), record.id));
}

std::vector<std::uint8_t> raster_of(std::span<const SketchPoint> sketch, int side, bool dark_on_white, const std::string& subject) {
  check_sketch(sketch, subject);
  thread_local RasterSampler sampler;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(side) * side);
  sampler.draw(sketch, side, dark_on_white, pixels);
  return pixels;
}

}  // namespace duet
