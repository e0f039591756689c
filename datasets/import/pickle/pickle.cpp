#include "datasets/import/pickle/pickle.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/file_kind.h"
#include "datasets/import/pickle/content.h"
#include "datasets/import/pickle/machine.h"

namespace duet {

namespace {

double from_half(std::uint64_t bits) {
  const auto exponent = static_cast<int>(bits >> 10 & 31);
  const auto fraction = static_cast<double>(bits & 1023);
  const double magnitude = exponent == 0   ? std::ldexp(fraction, -24)
                           : exponent < 31 ? std::ldexp(fraction + 1024, exponent - 25)
                           : fraction == 0 ? std::numeric_limits<double>::infinity()
                                           : std::numeric_limits<double>::quiet_NaN();
  return bits >> 15 ? -magnitude : magnitude;
}

double element(const ElementType& type, const char* data) {
  std::uint64_t bits = 0;
  for (std::int64_t i = 0; i < type.bytes; ++i)
    bits |= std::uint64_t{static_cast<unsigned char>(data[type.big_endian ? type.bytes - 1 - i : i])} << (8 * i);
  if (type.kind == 'f') {
    if (type.bytes == 2) return from_half(bits);
    return type.bytes == 8 ? std::bit_cast<double>(bits) : static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  if (type.kind == 'u') return static_cast<double>(bits);
  const int unused = 64 - 8 * static_cast<int>(type.bytes);
  return static_cast<double>(static_cast<std::int64_t>(bits << unused) >> unused);
}

}  // namespace

PickledArrays::PickledArrays(std::unique_ptr<PickleContent> content) : content_(std::move(content)) {}
PickledArrays::PickledArrays(PickledArrays&&) noexcept = default;
PickledArrays& PickledArrays::operator=(PickledArrays&&) noexcept = default;
PickledArrays::~PickledArrays() = default;

PickledArrays PickledArrays::read(const std::filesystem::path& file, const PickleLimits& limits) {
  check_file_kind(file, {FileKind::pickle}, "--coordinates names the pickled dictionary of arrays that SketchX gives out.");
  return parse(read_file(file, limits.file_bytes), file.string(), limits);
}

PickledArrays PickledArrays::parse(std::string bytes, const std::string& subject, const PickleLimits& limits) {
  if (bytes.size() > limits.file_bytes) throw DataError("{}: larger than {} bytes.", subject, limits.file_bytes);
  auto content = std::make_unique<PickleContent>();
  content->file = std::move(bytes);
  run_pickle(*content, subject, limits);
  return PickledArrays(std::move(content));
}

std::int64_t PickledArrays::size() const { return static_cast<std::int64_t>(content_->entries.size()); }

const std::string& PickledArrays::key(std::int64_t index) const { return content_->entries.at(static_cast<std::size_t>(index)).first; }

const std::vector<std::int64_t>& PickledArrays::shape(std::int64_t index) const {
  return content_->arrays[content_->entries.at(static_cast<std::size_t>(index)).second].shape;
}

const std::vector<std::pair<std::string, std::string>>& PickledArrays::others() const { return content_->others; }

std::vector<double> PickledArrays::values(std::int64_t index) const {
  const auto& array = content_->arrays[content_->entries.at(static_cast<std::size_t>(index)).second];
  const auto count = static_cast<std::int64_t>(array.data.size()) / array.type.bytes;
  std::vector<double> values(static_cast<std::size_t>(count));
  // Walks C order; `offset` follows with the strides that the file's order has.
  std::array<std::int64_t, PickledArray::kMaxDimensions> stride{}, place{};
  const int dimensions = static_cast<int>(array.shape.size());
  std::int64_t step = 1;
  for (int k = 0; k < dimensions; ++k) {
    const int dimension = array.column_major ? k : dimensions - 1 - k;
    stride[dimension] = step;
    step *= array.shape[dimension];
  }
  for (auto& value : values) {
    std::int64_t offset = 0;
    for (int k = 0; k < dimensions; ++k) offset += place[k] * stride[k];
    value = element(array.type, array.data.data() + offset * array.type.bytes);
    for (int k = dimensions; k-- > 0;) {
      if (++place[k] < array.shape[k]) break;
      place[k] = 0;
    }
  }
  return values;
}

}  // namespace duet
