#include "datasets/image/jpeg_decoder.h"

#include <turbojpeg.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "datasets/image/formats.h"

namespace duet {
namespace {

const unsigned char* raw(std::span<const std::byte> bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

/// Of 1, 1/2, 1/4, 1/8 the smallest that keeps the shorter side at least `sufficient_side`.
tjscalingfactor choose_scale(int width, int height, int sufficient_side) {
  tjscalingfactor scale{1, 1};
  if (sufficient_side <= 0) return scale;
  for (int denominator = 2; denominator <= 8; denominator *= 2) {
    const tjscalingfactor smaller{1, denominator};
    if (std::min(TJSCALED(width, smaller), TJSCALED(height, smaller)) < sufficient_side) break;
    scale = smaller;
  }
  return scale;
}

/// The plain conversion (no colour profile): ink covers light. Adobe's files, which is nearly all there are, store the light that is left.
void cmyk_to_rgb(std::span<const std::uint8_t> cmyk, bool stored_inverted, std::vector<std::uint8_t>& rgb) {
  const int flip = stored_inverted ? 0 : 255;
  for (std::size_t i = 0; i < cmyk.size() / 4; ++i) {
    const int black = cmyk[4 * i + 3] ^ flip;
    for (int c = 0; c < 3; ++c) rgb[3 * i + c] = static_cast<std::uint8_t>(((cmyk[4 * i + c] ^ flip) * black + 127) / 255);
  }
}

}  // namespace

struct JpegDecoder::State {
  explicit State(const ImageLimits& image_limits) : limits(image_limits), handle(tjInitDecompress()) {
    if (!handle) throw InternalError("TurboJPEG gave no decoder: {}.", tjGetErrorStr2(nullptr));
  }
  ~State() { tjDestroy(handle); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  ImageLimits limits;
  tjhandle handle;
  std::vector<std::uint8_t> cmyk;
};

JpegDecoder::JpegDecoder(const ImageLimits& limits) : state_(std::make_unique<State>(limits)) {}
JpegDecoder::~JpegDecoder() = default;
JpegDecoder::JpegDecoder(JpegDecoder&&) noexcept = default;
JpegDecoder& JpegDecoder::operator=(JpegDecoder&&) noexcept = default;

void JpegDecoder::decode(std::span<const std::byte> jpeg, int sufficient_side, const std::string& subject, Image& out) {
  const auto handle = state_->handle;
  const auto damaged = [&] { return DataError("{}: not a whole JPEG: {}.", subject, tjGetErrorStr2(handle)); };
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(handle, raw(jpeg), jpeg.size(), &width, &height, &subsampling, &colours) != 0) throw damaged();
  check_image_size(width, height, state_->limits, subject);

  const auto scale = choose_scale(width, height, sufficient_side);
  out.width = TJSCALED(width, scale);
  out.height = TJSCALED(height, scale);
  out.channels = 3;
  const auto pixels = static_cast<std::size_t>(out.width) * out.height;
  out.pixels.resize(3 * pixels);
  const bool four_inks = colours == TJCS_CMYK || colours == TJCS_YCCK;
  if (four_inks) state_->cmyk.resize(4 * pixels);
  auto* target = four_inks ? state_->cmyk.data() : out.pixels.data();
  // -1 is also returned for mere warnings, among them 'premature end': then a part of the picture is made up. Scans are limited because a
  // progressive file of a few kilobytes may hold thousands of them.
  if (tjDecompress2(handle, raw(jpeg), jpeg.size(), target, out.width, 0, out.height, four_inks ? TJPF_CMYK : TJPF_RGB,
                    TJFLAG_LIMITSCANS) != 0) {
    throw damaged();
  }
  if (four_inks) cmyk_to_rgb(state_->cmyk, read_jpeg_markers(jpeg).adobe, out.pixels);
}

Image decode_jpeg(std::span<const std::byte> bytes, const ImageLimits& limits, const std::string& subject) {
  Image image;
  JpegDecoder(limits).decode(bytes, 0, subject, image);
  return upright(std::move(image), read_jpeg_markers(bytes).orientation);
}

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  DUET_CHECK(image.channels == 1 || image.channels == 3, "{} channels", image.channels);
  DUET_CHECK(quality >= 1 && quality <= 100, "quality {}", quality);
  const bool grey = image.channels == 1;
  const std::unique_ptr<void, int (*)(tjhandle)> handle(tjInitCompress(), tjDestroy);
  const int subsampling = grey ? TJSAMP_GRAY : TJSAMP_420;
  std::vector<std::byte> bytes(tjBufSize(image.width, image.height, subsampling));
  auto* target = reinterpret_cast<unsigned char*>(bytes.data());
  unsigned long size = bytes.size();
  if (tjCompress2(handle.get(), image.pixels.data(), image.width, 0, image.height, grey ? TJPF_GRAY : TJPF_RGB, &target, &size, subsampling,
                  quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT) != 0) {
    throw InternalError("A {} x {} image cannot be encoded as JPEG: {}.", image.width, image.height, tjGetErrorStr2(handle.get()));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace duet
