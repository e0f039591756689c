#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datasets/import/photos/tree.h"

namespace duet {

/// At most so many shares: each is a process that reads all names.
inline constexpr int kMaxParts = 4096;

/// One of several shares of the files, dealt out by a hash of their names: the same on every host. The default is all of them.
struct WalkShare {
  int number = 1;  ///< from 1
  int of = 1;
  bool has(const std::string& name) const;
  /// Throws UsageError naming --part when number or of is out of range.
  void check() const;
};

/// The files below several folders, in order: the order of an import.
class PhotoWalk {
 public:
  struct File {
    std::uint32_t folder;        ///< which of the folders, from 0
    std::filesystem::path path;  ///< to open
    std::string name;            ///< below its folder; where there are several folders, that one's own name comes first. As PhotoTree's
    std::string refused;         ///< not empty: passed over, for this reason
  };

  /// Throws InputMissing when one of them is no folder.
  explicit PhotoWalk(const std::vector<std::filesystem::path>& folders, PhotoTree::Links links = PhotoTree::Links::inside,
                     WalkShare share = {});

  std::optional<File> next();

  /// How many files next() will give that are not refused.
  static std::int64_t count(const std::vector<std::filesystem::path>& folders, PhotoTree::Links links, WalkShare share = {});

 private:
  struct Root {
    std::filesystem::path path;
    std::string prefix;
  };
  PhotoTree::Links links_;
  WalkShare share_;
  std::vector<Root> roots_;
  std::size_t root_ = 0;
  std::optional<PhotoTree> tree_;
};

}  // namespace duet
