#include <png.h>

#include <algorithm>
#include <charconv>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "datasets/image/formats.h"

namespace duet {
namespace {

/// libpng reports faults by longjmp. So the functions that call setjmp own nothing: everything with a destructor lives in the callers'
/// frames, here.
struct Fault {
  char message[128] = "";
  bool no_memory = false;  ///< not the file's fault
};

void on_error(png_structp png, png_const_charp message) {
  auto* fault = static_cast<Fault*>(png_get_error_ptr(png));
  std::strncpy(fault->message, message, sizeof(fault->message) - 1);
  png_longjmp(png, 1);
}

/// Tells memory that is used up, which libpng and zlib report as any other error.
png_voidp allocate(png_structp png, png_alloc_size_t bytes) {
  auto* memory = std::malloc(bytes);
  if (!memory) static_cast<Fault*>(png_get_mem_ptr(png))->no_memory = true;
  return memory;
}

void release(png_structp, png_voidp memory) { std::free(memory); }

void on_warning(png_structp, png_const_charp) {}  // ancillary chunks (text, profiles): the pixels are sound

struct Source {
  std::span<const std::byte> rest;
};

void read_bytes(png_structp png, png_bytep out, std::size_t count) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (count > source->rest.size()) png_error(png, "the file ends too early");
  std::memcpy(out, source->rest.data(), count);
  source->rest = source->rest.subspan(count);
}

struct Reader {
  Fault fault;
  Source source;
  png_structp png = nullptr;
  png_infop info = nullptr;

  explicit Reader(std::span<const std::byte> bytes) : source{bytes} {
    png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &fault, on_error, on_warning, &fault, allocate, release);
    info = png ? png_create_info_struct(png) : nullptr;
    if (!info) throw std::bad_alloc();
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

bool read_header(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_read_fn(reader.png, &reader.source, read_bytes);
  // As optimisers of PNGs write it, the size of zlib's window is often too small, which only libpng minds.
  png_set_option(reader.png, PNG_MAXIMUM_INFLATE_WINDOW, PNG_OPTION_ON);
  // libpng reads EXIF data only without the "Exif" that some put before it.
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_ALWAYS, reinterpret_cast<png_const_bytep>("eXIf"), 1);
  png_set_user_limits(reader.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // sizes are judged by check_image_size(), which says them
  // A compressed text or profile must not swell further; a chunk of any size that the file has may be passed over.
  png_set_chunk_malloc_max(reader.png, std::max<std::size_t>(8 << 20, reader.source.rest.size()));
  png_read_info(reader.png, reader.info);
  return true;
}

bool read_rows(Reader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_image(reader.png, rows);
  return true;
}

/// The chunks after the pixels, as far as they are sound: without them the picture is whole all the same.
void read_rest(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return;
  png_read_end(reader.png, reader.info);
}

/// EXIF data as a text, which is how it was kept before PNG had a chunk for it and how GraphicsMagick still does: an empty line, a name, a
/// number of bytes, and the bytes as lines of hexadecimal digits.
std::vector<std::byte> from_text(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const auto end = text.find('\n');
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  std::vector<std::byte> bytes;
  while (text.size() >= 2) {
    if (text.front() == '\n') {
      text.remove_prefix(1);
      continue;
    }
    unsigned value = 0;
    if (std::from_chars(text.data(), text.data() + 2, value, 16).ptr != text.data() + 2) break;
    bytes.push_back(static_cast<std::byte>(value));
    text.remove_prefix(2);
  }
  return bytes;
}

/// Only after read_rest(): what says it may stand after the pixels.
int orientation(Reader& reader) {
  png_unknown_chunkp chunks = nullptr;  // only those of read_header()
  if (png_get_unknown_chunks(reader.png, reader.info, &chunks) > 0)
    return exif_orientation(std::as_bytes(std::span(chunks->data, chunks->size)));
  png_textp texts = nullptr;
  const int count = png_get_text(reader.png, reader.info, &texts, nullptr);
  for (const auto& text : std::span(texts, static_cast<std::size_t>(std::max(0, count)))) {
    const std::string_view key = text.key;
    if (key == "Raw profile type exif" || key == "Raw profile type APP1") return exif_orientation(from_text({text.text, text.text_length}));
  }
  return 1;
}

/// Asks libpng to deliver 8-bit RGBA whatever the file holds: palette, 1 to 16 bits, grey, transparent colour.
bool ask_for_rgba(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_expand(reader.png);
  png_set_scale_16(reader.png);
  png_set_gray_to_rgb(reader.png);
  png_set_add_alpha(reader.png, 255, PNG_FILLER_AFTER);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

void write_bytes(png_structp png, png_bytep data, std::size_t count) {
  auto* out = static_cast<std::vector<std::byte>*>(png_get_io_ptr(png));
  const auto* from = reinterpret_cast<const std::byte*>(data);
  out->insert(out->end(), from, from + count);
}

void flush_nothing(png_structp) {}

bool write_rows(png_structp png, png_infop info, const Image& image, std::vector<std::byte>& out, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(png, &out, write_bytes, flush_nothing);
  png_set_IHDR(png, info, image.width, image.height, 8, image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  // By this a command knows the files that it wrote itself.
  char key[] = "Software", value[] = "Duet";
  png_text mark{};
  mark.compression = PNG_TEXT_COMPRESSION_NONE;
  mark.key = key;
  mark.text = value;
  mark.text_length = sizeof value - 1;
  png_set_text(png, info, &mark, 1);
  png_set_rows(png, info, rows);
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  return true;
}

}  // namespace

Image decode_png(std::span<const std::byte> bytes, const ImageLimits& limits, const std::string& subject) {
  Reader reader(bytes);
  const auto damaged = [&] {
    if (reader.fault.no_memory) throw std::bad_alloc();
    return DataError("{}: not a whole PNG: {}.", subject, reader.fault.message);
  };
  if (!read_header(reader)) throw damaged();
  check_image_size(png_get_image_width(reader.png, reader.info), png_get_image_height(reader.png, reader.info), limits, subject);
  const int width = static_cast<int>(png_get_image_width(reader.png, reader.info));
  const int height = static_cast<int>(png_get_image_height(reader.png, reader.info));
  if (!ask_for_rgba(reader)) throw damaged();
  const auto stride = static_cast<std::size_t>(width) * 4;
  DUET_CHECK(png_get_rowbytes(reader.png, reader.info) == stride, "{}", subject);
  std::vector<std::uint8_t> rgba(stride * height);
  std::vector<png_bytep> rows(height);
  for (int y = 0; y < height; ++y) rows[y] = rgba.data() + y * stride;
  if (!read_rows(reader, rows.data())) throw damaged();
  read_rest(reader);
  return upright(lay_on_white(rgba, width, height), orientation(reader));
}

std::vector<std::byte> encode_png(const Image& image) {
  DUET_CHECK(image.channels == 1 || image.channels == 3, "{} channels", image.channels);
  Fault fault;
  std::vector<std::byte> out;
  std::vector<png_bytep> rows(image.height);
  const auto stride = static_cast<std::size_t>(image.width) * image.channels;
  for (int y = 0; y < image.height; ++y) rows[y] = const_cast<png_bytep>(image.pixels.data() + y * stride);  // only read
  png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &fault, on_error, on_warning, &fault, allocate, release);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info) throw std::bad_alloc();
  const bool written = write_rows(png, info, image, out, rows.data());
  png_destroy_write_struct(&png, &info);
  if (fault.no_memory) throw std::bad_alloc();
  if (!written) throw InternalError("A {} x {} image cannot be encoded as PNG: {}.", image.width, image.height, fault.message);
  return out;
}

}  // namespace duet
