#include "trainer/tensors/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/file_kind.h"
#include "base/json.h"

namespace duet {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian, and so is every machine this runs on");

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr std::size_t kMaxDimensions = 16;
constexpr const char* kWanted =
    "A .safetensors file is needed here; docs/configuration.md, \"Weights\", has the lines of Python that convert others.";

struct TypeName {
  at::ScalarType dtype;
  const char* name;
};
constexpr std::array kTypes{TypeName{at::kHalf, "F16"},   TypeName{at::kBFloat16, "BF16"}, TypeName{at::kFloat, "F32"},
                            TypeName{at::kDouble, "F64"}, TypeName{at::kLong, "I64"},      TypeName{at::kByte, "U8"}};

// Bytes of an element of the types that the format knows and Duet does not read; one that is not listed may be of any size.
constexpr std::array<std::pair<const char*, std::uint64_t>, 10> kOtherTypes{
    {{"BOOL", 1}, {"I8", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"I16", 2}, {"U16", 2}, {"I32", 4}, {"U32", 4}, {"U64", 8}}};

const TypeName* type_of(at::ScalarType dtype) {
  auto found = std::ranges::find(kTypes, dtype, &TypeName::dtype);
  return found == kTypes.end() ? nullptr : found;
}

const TypeName* type_of(const std::string& name) {
  auto found = std::ranges::find_if(kTypes, [&](const TypeName& type) { return name == type.name; });
  return found == kTypes.end() ? nullptr : found;
}

/// 0: not known.
std::uint64_t element_bytes(const std::string& name) {
  if (const auto* type = type_of(name)) return c10::elementSize(type->dtype);
  const auto found = std::ranges::find_if(kOtherTypes, [&](const auto& other) { return name == other.first; });
  return found == kOtherTypes.end() ? 0 : found->second;
}

/// False when the file ends before.
bool read_at(const Descriptor& descriptor, void* data, std::uint64_t bytes, std::uint64_t offset) {
  auto* at = static_cast<char*>(data);
  while (bytes > 0) {
    auto count = pread(descriptor.value(), at, bytes, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += count;
    bytes -= static_cast<std::uint64_t>(count);
    offset += static_cast<std::uint64_t>(count);
  }
  return true;
}

/// Throws DataError that names what the file is instead of safetensors, where that is known.
void refuse_other_kind(const std::filesystem::path& file) {
  if (file_kind(file) == FileKind::json)
    throw DataError("{}: is JSON, such as a configuration or a server's error, and no weights. {}", file.string(), kWanted);
  check_file_kind(file, {FileKind::safetensors}, kWanted);
}

// Not the project's Json, which keeps the order of keys: it searches linearly, and a hostile header of a million keys would take hours.
using Header = nlohmann::json;

Header parse_header(const std::string& text, const std::string& file) {
  // Looked up by a tree, so that any number of tensors will do.
  check_json_bounds(text, file, {.keys = std::numeric_limits<std::size_t>::max()});
  try {
    return Header::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw DataError("{}: its header is not JSON: {}", file, error.what());
  }
}

template <typename T>
T header_member(const Header& object, const std::string& key, const std::string& subject) {
  if (!object.is_object() || !object.contains(key)) throw DataError("{}: '{}' is missing", subject, key);
  try {
    return object.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    throw DataError("{}: '{}' has the wrong type", subject, key);
  }
}

/// A JSON integer that is neither negative nor a fraction.
std::uint64_t whole(const Header& value, const std::string& subject) {
  if (!value.is_number_unsigned()) throw DataError("{}: {} is not a whole number from 0 on", subject, value.dump());
  return value.get<std::uint64_t>();
}

SafetensorsFile::Entry parse_entry(const std::string& name, const Header& value, std::uint64_t data_begin, std::uint64_t data_bytes,
                                   const std::string& file) {
  auto subject = fmt::format("{}, tensor '{}'", file, name);
  auto type_name = header_member<std::string>(value, "dtype", subject);
  auto shape = header_member<Header>(value, "shape", subject), offsets = header_member<Header>(value, "data_offsets", subject);
  if (!shape.is_array() || shape.size() > kMaxDimensions)
    throw DataError("{}: its shape is not a list of at most {} sizes", subject, kMaxDimensions);
  if (!offsets.is_array() || offsets.size() != 2) throw DataError("{}: data_offsets is not a pair", subject);

  auto begin = whole(offsets[0], subject), end = whole(offsets[1], subject);
  if (begin > end || end > data_bytes) {
    throw DataError("{}: bytes {} to {} are not inside the file's {} bytes of data; it is cut or damaged", subject, begin, end, data_bytes);
  }
  // What cannot be read is refused when it is asked for: a file may hold more than anybody needs.
  const auto* type = type_of(type_name);
  const auto element = element_bytes(type_name);
  SafetensorsFile::Entry entry{.name = name,
                               .type = type_name,
                               .dtype = type == nullptr ? at::ScalarType::Undefined : type->dtype,
                               .shape = {},
                               .offset = data_begin + begin,
                               .bytes = end - begin};
  // A side of zero counts as one, as in the strides of a tensor: an empty tensor's other sides must not overflow either.
  std::uint64_t bytes = std::max<std::uint64_t>(element, 1);
  bool empty = false;
  for (const auto& side : shape) {
    const auto size = whole(side, subject);
    empty = empty || size == 0;
    if (__builtin_mul_overflow(bytes, std::max<std::uint64_t>(size, 1), &bytes) || bytes > static_cast<std::uint64_t>(INT64_MAX)) {
      throw DataError("{}: its shape overflows", subject);
    }
    entry.shape.push_back(static_cast<std::int64_t>(size));
  }
  if (empty) bytes = 0;
  if (element > 0 && bytes != entry.bytes) {
    throw DataError("{}: its shape needs {} bytes, its place in the file has {}", subject, bytes, entry.bytes);
  }
  return entry;
}

}  // namespace

void write_safetensors(const std::filesystem::path& file, const NamedTensors& tensors, const std::map<std::string, std::string>& metadata) {
  Header header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto* type = type_of(tensor.scalar_type());
    DUET_CHECK(type != nullptr, "{}: tensor '{}' is of a type that is not supported", file.string(), name);
    DUET_CHECK(!header.contains(name), "{}: tensor '{}' is given twice", file.string(), name);
    auto bytes = static_cast<std::uint64_t>(tensor.numel()) * tensor.element_size();
    header[name] = {{"dtype", type->name}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  auto text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data begins at a multiple of eight, as other readers of the format like it
  std::uint64_t length = text.size();

  AtomicFile output(file);
  output.write(std::as_bytes(std::span(&length, 1)));
  output.write(text);
  for (const auto& [name, tensor] : tensors) {
    auto plain = tensor.detach().cpu().contiguous();
    output.write(std::span(static_cast<const std::byte*>(plain.const_data_ptr()), plain.nbytes()));
  }
  output.commit();
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& file) : path_(file), descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (!descriptor_.valid()) throw_cannot_read(file, errno);
  struct stat status {};
  if (fstat(descriptor_.value(), &status) != 0 || !S_ISREG(status.st_mode)) throw DataError("{}: not a regular file", file.string());
  auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  std::uint64_t header_bytes = 0;
  if (file_bytes < sizeof header_bytes) refuse_other_kind(file);
  if (file_bytes < sizeof header_bytes || !read_at(descriptor_, &header_bytes, sizeof header_bytes, 0)) {
    throw DataError("{}: too short for a safetensors file", file.string());
  }
  if (header_bytes > kMaxHeader || header_bytes > file_bytes - sizeof header_bytes) {
    refuse_other_kind(file);
    throw DataError("{}: not a safetensors file, or cut: its header would have {} bytes", file.string(), header_bytes);
  }
  std::string text(header_bytes, '\0');
  if (!read_at(descriptor_, text.data(), header_bytes, sizeof header_bytes)) throw DataError("{}: cut in its header", file.string());
  // The first eight bytes of other kinds may be a small number too, as of `gzip -n`.
  if (!text.starts_with('{')) refuse_other_kind(file);
  auto header = parse_header(text, file.string());
  if (!header.is_object()) throw DataError("{}: its header is not an object", file.string());
  auto data_begin = sizeof header_bytes + header_bytes;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_null()) metadata_ = header_member<std::map<std::string, std::string>>(header, name, file.string());
    } else {
      entries_.push_back(parse_entry(name, value, data_begin, file_bytes - data_begin, file.string()));
    }
  }
  check_layout(data_begin, file_bytes);
}

void SafetensorsFile::check_layout(std::uint64_t data_begin, std::uint64_t file_bytes) {
  std::ranges::stable_sort(entries_,
                           [](const Entry& a, const Entry& b) { return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes); });
  auto expected = data_begin;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto& entry = entries_[i];
    if (entry.offset != expected) {
      throw DataError("{}, tensor '{}': its data {} that of the tensor before", path_.string(), entry.name,
                      entry.offset < expected ? "overlaps" : "leaves a hole behind");
    }
    expected += entry.bytes;
    index_[entry.name] = i;  // names are unique: they were the keys of one object
  }
  if (expected != file_bytes) throw DataError("{}: {} bytes at the end belong to no tensor", path_.string(), file_bytes - expected);
}

const SafetensorsFile::Entry* SafetensorsFile::find(const std::string& name) const {
  auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

Tensor SafetensorsFile::read(const Entry& entry) const {
  if (entry.dtype == at::ScalarType::Undefined) {
    throw DataError("{}, tensor '{}': type '{}' is not supported (F16, BF16, F32, F64, I64 and U8 are)", path_.string(), entry.name,
                    entry.type);
  }
  auto tensor = at::empty(entry.shape, entry.dtype);
  if (!read_at(descriptor_, tensor.mutable_data_ptr(), entry.bytes, entry.offset)) {
    throw DataError("{}, tensor '{}': the file ends inside it", path_.string(), entry.name);
  }
  return tensor;
}

Tensor SafetensorsFile::read(const std::string& name) const {
  const auto* entry = find(name);
  if (entry == nullptr) throw DataError("{}: no tensor '{}'", path_.string(), name);
  return read(*entry);
}

NamedTensors SafetensorsFile::read_all() const {
  NamedTensors all;
  for (const auto& entry : entries_) all.push_back({entry.name, read(entry)});
  return all;
}

}  // namespace duet
