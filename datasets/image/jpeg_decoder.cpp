#include "datasets/image/jpeg_decoder.h"

#include <turbojpeg.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>
#include <vector>

#include <jerror.h>
#include <jpeglib.h>

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

/// libjpeg's own interface, since TurboJPEG tells of several warnings only the first and does not read every chroma sampling. libjpeg
/// reports faults by longjmp, so the functions that call setjmp own nothing: everything with a destructor lives in the callers' frames.
struct Reader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf fault{};
  char message[JMSG_LENGTH_MAX] = "";  ///< of the error, or of the first warning that makes the picture damaged
  bool damaged = false;                ///< a part of the pixels is made up
  bool no_end = false;                 ///< the file ends before its end marker
  bool every_scan = false;             ///< no scan can be missing

  Reader();
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

Reader& reader_of(j_common_ptr jpeg) { return *static_cast<Reader*>(jpeg->client_data); }

void on_error(j_common_ptr jpeg) {
  auto& reader = reader_of(jpeg);
  jpeg->err->format_message(jpeg, reader.message);
  std::longjmp(reader.fault, 1);
}

/// Which warnings leave the pixels whole: oddities of headers, bytes that belong to nothing,
/// and scans of a progressive file in an unusual order.
void on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  auto& reader = reader_of(jpeg);
  switch (jpeg->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:  // the scan header of some cameras
      return;
    case JWRN_JPEG_EOF:
      reader.no_end = true;  // whether pixels are missing is seen only by those that follow
      return;
    default:
      if (!reader.damaged) jpeg->err->format_message(jpeg, reader.message);
      reader.damaged = true;
  }
}

/// Scans are limited because a progressive file of a few kilobytes may hold thousands of them.
void on_progress(j_common_ptr jpeg) {
  auto& reader = reader_of(jpeg);
  if (reader.jpeg.input_scan_number <= 500) return;
  std::strcpy(reader.message, "it has more than 500 scans");
  std::longjmp(reader.fault, 1);
}

Reader::Reader() {
  jpeg.err = jpeg_std_error(&errors);
  errors.error_exit = on_error;
  errors.emit_message = on_message;
  jpeg.client_data = this;
  if (setjmp(fault)) {
    if (errors.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    throw InternalError("libjpeg gave no decoder: {}.", message);
  }
  jpeg_create_decompress(&jpeg);
  progress.progress_monitor = on_progress;
  jpeg.progress = &progress;
}

bool read_header(Reader& reader, std::span<const std::byte> bytes) {
  if (setjmp(reader.fault)) return false;
  jpeg_mem_src(&reader.jpeg, raw(bytes), bytes.size());
  jpeg_read_header(&reader.jpeg, TRUE);
  return true;
}

/// Whether the scans that were read hold every coefficient to its last bit.
bool has_every_scan(const jpeg_decompress_struct& jpeg) {
  if (!jpeg.progressive_mode) return jpeg.comps_in_scan == jpeg.num_components;
  for (int component = 0; component < jpeg.num_components; ++component) {
    const auto* missing_bits = jpeg.coef_bits[component];
    if (std::any_of(missing_bits, missing_bits + DCTSIZE2, [](int bits) { return bits != 0; })) return false;
  }
  return true;
}

bool read_rows(Reader& reader, int denominator, bool four_inks, std::uint8_t* target, std::size_t stride) {
  if (setjmp(reader.fault)) return false;
  auto& jpeg = reader.jpeg;
  jpeg.scale_num = 1;
  jpeg.scale_denom = static_cast<unsigned>(denominator);
  jpeg.out_color_space = four_inks ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = target + jpeg.output_scanline * stride;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  reader.every_scan = has_every_scan(jpeg);
  jpeg_abort_decompress(&jpeg);  // not jpeg_finish_decompress(), which reads on to the end marker: what stands there is no damage of pixels
  return true;
}

}  // namespace

struct JpegDecoder::State {
  ImageLimits limits;
  Reader reader;
  std::vector<std::uint8_t> cmyk;
};

JpegDecoder::JpegDecoder(const ImageLimits& limits) : state_(std::make_unique<State>()) { state_->limits = limits; }
JpegDecoder::~JpegDecoder() = default;
JpegDecoder::JpegDecoder(JpegDecoder&&) noexcept = default;
JpegDecoder& JpegDecoder::operator=(JpegDecoder&&) noexcept = default;

void JpegDecoder::decode(std::span<const std::byte> bytes, int sufficient_side, const std::string& subject, Image& out) {
  auto& reader = state_->reader;
  auto& jpeg = reader.jpeg;
  jpeg_abort_decompress(&jpeg);  // what a damaged photo left behind
  reader.damaged = reader.no_end = false;
  const auto damaged = [&](const char* why) {
    // Not the photo's fault, so it must not be left out as damaged.
    if (jpeg.err->msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    return DataError("{}: not a whole JPEG: {}.", subject, why);
  };
  if (!read_header(reader, bytes)) throw damaged(reader.message);
  const auto width = jpeg.image_width, height = jpeg.image_height;
  check_image_size(width, height, state_->limits, subject);

  const auto scale = choose_scale(static_cast<int>(width), static_cast<int>(height), sufficient_side);
  out.width = TJSCALED(static_cast<int>(width), scale);
  out.height = TJSCALED(static_cast<int>(height), scale);
  out.channels = 3;
  const auto pixels = static_cast<std::size_t>(out.width) * out.height;
  out.pixels.resize(3 * pixels);
  const bool four_inks = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
  if (four_inks) state_->cmyk.resize(4 * pixels);
  auto* target = four_inks ? state_->cmyk.data() : out.pixels.data();
  if (!read_rows(reader, scale.denom, four_inks, target, static_cast<std::size_t>(out.width) * (four_inks ? 4 : 3))) {
    throw damaged(reader.message);
  }
  if (reader.damaged) throw damaged(reader.message);
  // Where every scan is there and whole, only the end marker is missing. But arithmetic decoding takes every byte that is missing for 0,
  // without a warning.
  if (reader.no_end && (!reader.every_scan || jpeg.arith_code)) throw damaged("the file ends too early");
  if (four_inks) cmyk_to_rgb(state_->cmyk, read_jpeg_markers(bytes).adobe, out.pixels);
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
  if (!handle) throw std::bad_alloc();
  const int subsampling = grey ? TJSAMP_GRAY : TJSAMP_420;
  std::vector<std::byte> bytes(tjBufSize(image.width, image.height, subsampling));
  auto* target = reinterpret_cast<unsigned char*>(bytes.data());
  unsigned long size = bytes.size();
  if (tjCompress2(handle.get(), image.pixels.data(), image.width, 0, image.height, grey ? TJPF_GRAY : TJPF_RGB, &target, &size, subsampling,
                  quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT) != 0) {
    const std::string_view reason = tjGetErrorStr2(handle.get());
    if (reason.starts_with("Insufficient memory")) throw std::bad_alloc();  // neither the image's fault nor this program's
    throw InternalError("A {} x {} image cannot be encoded as JPEG: {}.", image.width, image.height, reason);
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace duet
