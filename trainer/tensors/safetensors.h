#pragma once
#include "base/descriptor.h"
#include "base/torch.h"
#include "trainer/tensors/named_tensors.h"

namespace duet {

/// Writes tensors in the safetensors format (readable from Python): 8 bytes header length, JSON header, data, little-endian, no holes.
/// Through an AtomicFile (base/atomic_file.h): after a crash there is the old file or the new. Types: float16/32/64, bfloat16, int64, uint8;
/// tensors of any device and stride. The order is kept. Throws CannotWrite naming the file; InternalError on a name given twice or an
/// unsupported type.
void write_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// A safetensors file opened for reading. Untrusted: header at most 100 MB, every offset inside the file, no overlap, no hole, sizes
/// consistent with shape and type, all checked before anything is allocated for data. Tensors of types that Duet does not read (BOOL, I32,
/// F8 …) are listed; only reading one is refused. Reads with pread; safe from several threads.
class SafetensorsFile {
 public:
  struct Entry {
    std::string name;
    std::string type;      ///< as the file calls it: "F32"
    at::ScalarType dtype;  ///< Undefined: of a type that is not read; read() refuses it
    std::vector<std::int64_t> shape;
    std::uint64_t offset;  ///< of its first byte, in the file
    std::uint64_t bytes;
  };

  /// Throws InputMissing, or DataError naming the file and what is wrong with it, or of which other kind it is.
  explicit SafetensorsFile(const std::filesystem::path& file);

  const std::filesystem::path& path() const { return path_; }
  /// In the order of the data.
  const std::vector<Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Null when the file has no such tensor.
  const Entry* find(const std::string& name) const;

  /// A tensor of its own memory, on the CPU. Throws DataError naming file and tensor when it is absent, of a type that is not read, or the
  /// file was cut since it was opened.
  Tensor read(const std::string& name) const;
  NamedTensors read_all() const;

 private:
  Tensor read(const Entry& entry) const;
  void check_layout(std::uint64_t data_begin, std::uint64_t file_bytes);

  std::filesystem::path path_;
  Descriptor descriptor_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace duet
