#include "base/file_kind.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <string_view>

#include "base/error.h"

namespace duet {
namespace {

using namespace std::literals;

constexpr std::size_t kHead = 1024;

std::string head_of(const std::filesystem::path& file) {
  std::string head(kHead, '\0');
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return "\0"s;
  std::ifstream in(file, std::ios::binary);
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return head;
}

bool is_web_page(std::string_view head) {
  const auto begin = head.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  if (begin == std::string_view::npos) return false;
  std::string start(head.substr(begin, 14));
  std::transform(start.begin(), start.end(), start.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<?xml");
}

/// By the name of a zip's first entry, which stands at byte 30.
FileKind zip_kind(std::string_view head) {
  if (head.size() < 30) return FileKind::archive;
  const auto length = static_cast<unsigned char>(head[26]) | static_cast<unsigned char>(head[27]) << 8;
  const auto name = head.substr(30, static_cast<std::size_t>(length));
  if (name.ends_with(".npy")) return FileKind::numpy_archive;
  if (name.ends_with("/data.pkl") || name.ends_with("/.format_version") || name.ends_with("/byteorder")) return FileKind::torch;
  return FileKind::archive;
}

bool is_safetensors(std::string_view head) {
  std::uint64_t length = 0;
  if (head.size() < 10) return false;
  for (int i = 0; i < 8; ++i) length |= std::uint64_t{static_cast<unsigned char>(head[static_cast<std::size_t>(i)])} << (8 * i);
  return length >= 2 && length <= 100'000'000 && head[8] == '{' && (head[9] == '"' || head[9] == '}' || head[9] == ' ');
}

FileKind kind_of(std::string_view head) {
  const auto begins = [head](std::string_view with) { return head.starts_with(with); };
  if (head.empty()) return FileKind::empty;
  if (begins("version https://git-lfs")) return FileKind::lfs_pointer;
  if (is_web_page(head)) return FileKind::web_page;
  if (begins("\x1f\x8b"sv) || begins("BZh") ||
      begins("\xfd"
             "7zXZ\0"sv) ||
      begins("\x28\xb5\x2f\xfd"sv))
    return FileKind::compressed;
  if (begins("PK\3\4"sv)) return zip_kind(head);
  if (begins("7z\xbc\xaf\x27\x1c"sv) || begins("Rar!\x1a\x07"sv) || (head.size() > 262 && head.substr(257, 5) == "ustar"))
    return FileKind::archive;
  if (begins("\x93NUMPY"sv)) return FileKind::numpy_array;
  if (begins("\x89HDF\r\n\x1a\n"sv)) return FileKind::hdf5;
  if (begins("\x89PNG"sv) || begins("\xff\xd8\xff"sv) || begins("GIF8") || (begins("RIFF") && head.substr(8, 4) == "WEBP"))
    return FileKind::picture;
  if (begins("%PDF-")) return FileKind::pdf;
  if (begins("PAR1")) return FileKind::parquet;
  // The first thing in PyTorch's older form is a number by which it is known.
  if (begins("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv)) return FileKind::torch;
  if (head[0] == '\x80' && head.size() > 1 && head[1] >= 2 && head[1] <= 5) return FileKind::pickle;
  if (is_safetensors(head)) return FileKind::safetensors;
  const auto text = head.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  if (text != std::string_view::npos && (head[text] == '{' || head[text] == '['))
    return head.find("\"weight_map\"") != std::string_view::npos ? FileKind::weight_index : FileKind::json;
  return FileKind::unknown;
}

std::string words(FileKind kind) {
  switch (kind) {
    case FileKind::unknown:
      return {};
    case FileKind::empty:
      return "empty. Was a download or a copy interrupted? Fetch it anew";
    case FileKind::lfs_pointer:
      return "a Git LFS pointer, not the file itself. `git lfs pull` in its repository fetches the file";
    case FileKind::web_page:
      return "a web page (HTML or XML), not the file itself: a server asked to sign in or to confirm, or told of an error. Open it in a "
             "browser to see, and download the file anew";
    case FileKind::compressed:
      return "compressed. Unpack it first (`gunzip`, `bunzip2`, `unxz` or `unzstd`; `tar -xf` where it is an archive)";
    case FileKind::archive:
      return "an archive. Unpack it first (`unzip` or `tar -xf`) and name what lies in it";
    case FileKind::numpy_array:
      return "an array of NumPy (.npy). Duet reads no such files: sketches come as ndjson or as a pickled dictionary, weights as "
             "safetensors";
    case FileKind::numpy_archive:
      return "an archive of NumPy arrays (.npz), as sketch-rnn keeps offsets of drawings. Duet reads the same drawings as ndjson "
             "(`duet import quickdraw`) or as a pickled dictionary of arrays (`duet import chairv2`)";
    case FileKind::torch:
      return "a file of PyTorch (.pth, .pt, .bin). Weights are read as safetensors: convert them once with Python's safetensors";
    case FileKind::pickle:
      return "a pickle of Python. `duet import chairv2 --coordinates` reads a dictionary of sketches; weights are converted to safetensors";
    case FileKind::hdf5:
      return "an HDF5 file. A store is named by its folder, not by a shard in it; weights are read as safetensors";
    case FileKind::safetensors:
      return "a file of weights (safetensors). `duet inspect` shows what is in it, and `--retrieval.weights` takes it";
    case FileKind::weight_index:
      return "the index of weights that lie in several files. Join them into one safetensors file and name that";
    case FileKind::json:
      return "JSON. `duet import quickdraw` takes drawings, one JSON object a line";
    case FileKind::picture:
      return "a picture. `duet import photos` takes folders of pictures";
    case FileKind::pdf:
      return "a PDF document";
    case FileKind::parquet:
      return "a Parquet file. Export its pictures into a folder for `duet import photos`, its drawings as ndjson for `duet import "
             "quickdraw`";
  }
  return {};
}

}  // namespace

FileKind file_kind(const std::filesystem::path& file) { return kind_of(head_of(file)); }

std::string looks_like(const std::filesystem::path& file) { return words(file_kind(file)); }

void check_file_kind(const std::filesystem::path& file, std::initializer_list<FileKind> wanted, const std::string& expected) {
  const auto kind = file_kind(file);
  if (kind == FileKind::unknown || std::find(wanted.begin(), wanted.end(), kind) != wanted.end()) return;
  throw DataError("{}: is {}. {}", file.string(), words(kind), expected);
}

}  // namespace duet
