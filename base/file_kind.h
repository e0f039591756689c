#pragma once
#include <filesystem>
#include <initializer_list>
#include <string>

namespace duet {

/// What a file is by its first bytes, as far as it matters to somebody who named the wrong one.
enum class FileKind {
  unknown,
  empty,
  lfs_pointer,    ///< what Git leaves where the file's content was not fetched
  web_page,       ///< HTML or XML: what a server sends instead of a file
  compressed,     ///< gzip, bzip2, xz, Zstandard
  archive,        ///< tar, zip, 7z, rar
  numpy_array,    ///< .npy
  numpy_archive,  ///< .npz
  torch,          ///< .pth, .pt, .bin of PyTorch, both forms
  pickle,         ///< of another program, protocol 2 or later
  hdf5,
  safetensors,
  weight_index,  ///< .index.json of weights in several files
  json,          ///< also one object a line
  picture,
  pdf,
  parquet,
};

/// Never throws: what cannot be read is unknown.
FileKind file_kind(const std::filesystem::path& file);

/// "a Git LFS pointer, not the file itself. `git lfs pull` fetches it": for a message "FILE: is …"; empty for unknown. Says which command
/// or step takes the file.
std::string looks_like(const std::filesystem::path& file);

/// Throws DataError "FILE: is …; EXPECTED" when the file is of a kind that is known and not among `wanted`.
void check_file_kind(const std::filesystem::path& file, std::initializer_list<FileKind> wanted, const std::string& expected);

}  // namespace duet
