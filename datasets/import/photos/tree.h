#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace duet {

/// The files below a folder, one after the other: the files of a folder in the order of their names, then its folders in that order.
/// Memory: the names of the folders on the way down. Names that begin with a dot are passed over. One thread.
///
/// Links::inside does not enter links to folders; a link to a file counts if the file lies inside the tree. Links::followed takes what a
/// link leads to, wherever it lies, for a part of the tree; each folder is entered once, by the name under which it is met first, so that
/// circles end and the work is bounded by what is there (16 bytes of memory and more a folder).
class PhotoTree {
 public:
  struct File {
    std::filesystem::path path;  ///< to open, links resolved
    std::string name;            ///< relative to the root, with '/'; of a folder that cannot be read: ends in '/', or is empty for the root
    std::string refused;         ///< not empty: passed over, for this reason (a name with a dot is passed over without a word)
  };
  enum class Links : std::uint8_t { inside, followed };
  using Wanted = std::function<bool(const std::string& name)>;

  /// Throws InputMissing when `root` is no folder. Files that are not `wanted` are passed over before the disk is asked about them.
  explicit PhotoTree(const std::filesystem::path& root, Links links = Links::inside, Wanted wanted = {});

  /// Throws Unavailable when a limit of the machine (open files, memory) stands against reading a folder.
  std::optional<File> next();

  /// The order in which next() gives names, whatever else lies in the tree.
  static bool comes_before(std::string_view name, std::string_view other);

 private:
  struct Entry {
    std::string name;
    std::string refused;
    bool operator<(const Entry& other) const { return name < other.name; }
  };
  struct Folder {
    std::string name;            // relative to the root, ends in '/' unless it is the root
    std::vector<Entry> entries;  // files and what is passed over
    std::vector<std::string> folders;
    std::size_t entry = 0, folder = 0;
  };

  void enter(const std::string& name);
  bool entered_before(const std::string& name);
  File resolve(const std::string& name) const;

  static constexpr std::size_t kMaxDepth = 200;
  std::filesystem::path root_;
  Links links_;
  Wanted wanted_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> entered_;  // device and number of each folder; where links are followed
  std::vector<Folder> open_;
};

}  // namespace duet
