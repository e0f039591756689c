#include "datasets/import/photos/walk.h"

#include <set>

#include "base/checksum.h"
#include "base/error.h"
#include "base/random.h"

namespace duet {

bool WalkShare::has(const std::string& name) const {
  constexpr std::uint64_t kKey = 0x70617274;  // one of the store's parts, not one of whatever else hashes names
  return of == 1 || mix(kKey, checksum(bytes_of(name))) % static_cast<std::uint64_t>(of) == static_cast<std::uint64_t>(number - 1);
}

void WalkShare::check() const {
  if (of < 1 || of > kMaxParts || number < 1 || number > of)
    throw UsageError("--part {}/{}: the first number goes from 1 to the second, the second from 1 to {}.", number, of, kMaxParts);
}

PhotoWalk::PhotoWalk(const std::vector<std::filesystem::path>& folders, PhotoTree::Links links, WalkShare share)
    : links_(links), share_(share) {
  std::set<std::string> taken;
  for (const auto& folder : folders) {
    const PhotoTree early(folder);                         // to say early that one is missing
    const auto root = std::filesystem::canonical(folder);  // so that "." has a name
    const auto own = root.filename().string();
    auto prefix = own;
    for (int i = 2; !taken.insert(prefix).second; ++i) prefix = fmt::format("{}-{}", own, i);
    roots_.push_back({root, folders.size() > 1 ? prefix + "/" : ""});
  }
}

std::optional<PhotoWalk::File> PhotoWalk::next() {
  for (; root_ < roots_.size(); ++root_, tree_.reset()) {
    const auto& root = roots_[root_];
    if (!tree_) tree_.emplace(root.path, links_, [this, &root](const std::string& name) { return share_.has(root.prefix + name); });
    if (auto file = tree_->next())
      return File{static_cast<std::uint32_t>(root_), std::move(file->path), root.prefix + file->name, std::move(file->refused)};
  }
  return {};
}

std::int64_t PhotoWalk::count(const std::vector<std::filesystem::path>& folders, PhotoTree::Links links, WalkShare share) {
  PhotoWalk walk(folders, links, share);
  std::int64_t count = 0;
  while (const auto file = walk.next()) count += file->refused.empty();
  return count;
}

}  // namespace duet
