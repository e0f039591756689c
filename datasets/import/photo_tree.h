#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace duet {

/// The files below a folder, one after the other: the files of a folder in the order of their names, then its folders in that order.
/// Memory: the names of the folders on the way down. Links to folders are not entered; a link to a file counts if the file lies inside the
/// tree. Names that begin with a dot are passed over. One thread.
class PhotoTree {
 public:
  struct File {
    std::filesystem::path path;  ///< to open, links resolved
    std::string name;            ///< relative to the root, with '/'
  };
  using Refused = std::function<void(const std::string& name, const std::string& reason)>;

  /// Throws InputMissing when `root` is no folder. `refused` is told of what is passed over (but for names with a dot).
  PhotoTree(const std::filesystem::path& root, Refused refused);

  std::optional<File> next();

 private:
  struct Folder {
    std::string name;  // relative to the root, ends in '/' unless it is the root
    std::vector<std::string> files, folders;
    std::size_t file = 0, folder = 0;
  };

  void enter(const std::string& name);
  std::optional<File> resolve(const std::string& name) const;

  static constexpr std::size_t kMaxDepth = 200;
  std::filesystem::path root_;
  Refused refused_;
  std::vector<Folder> open_;
};

}  // namespace duet
