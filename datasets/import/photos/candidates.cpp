#include "datasets/import/photos/candidates.h"

#include "base/error.h"
#include "base/text.h"
#include "datasets/image/perceptual_hash.h"

namespace duet {

std::string photo_id(const Candidate& candidate) { return printable(candidate.name, static_cast<std::size_t>(kMaxIdBytes) - 40); }

std::shared_ptr<const Store> open_exclude_like(const std::filesystem::path& path) {
  if (path.empty()) return nullptr;
  auto store = Store::open(path);
  if (store->manifest().total().photos == 0)
    throw UsageError("--exclude-like {}: holds no photos, so that nothing can look like them.", path.string());
  return store;
}

PhotoCandidates::Looks::Looks(const Store& store) : view(store.view("all")), index(kLookAlikeDistance) {
  view.for_each_hash([&](std::int64_t, std::uint64_t hash) { index.add(hash); });
}

PhotoCandidates::PhotoCandidates(const Options& options)
    : walk_(options.folders, options.links, options.share),
      workers_(import_threads(options.threads), [this, photo = options.photo](const PhotoWalk::File& file) {
        return judge(file, file.refused.empty() ? prepare_photo(file.path, photo) : PreparedPhoto{});
      }) {
  if (options.exclude_like) excluded_.emplace(*options.exclude_like);
  if (options.existing) existing_.emplace(*options.existing);
}

std::optional<Candidate> PhotoCandidates::next() {
  while (more_ && !workers_.full()) {
    auto file = walk_.next();
    more_ = file.has_value();
    if (file) workers_.put(std::move(*file));
  }
  if (workers_.empty()) return {};
  return workers_.take();
}

Candidate PhotoCandidates::judge(const PhotoWalk::File& file, PreparedPhoto photo) const {
  Candidate candidate{.folder = file.folder, .name = file.name, .hash = photo.hash, .detail = {}};
  const auto is = [&](Candidate::Kind kind, std::string detail) {
    candidate.kind = kind;
    candidate.detail = std::move(detail);
    return candidate;
  };
  if (!file.refused.empty()) return is(Candidate::Kind::passed_over, file.refused);
  if (!photo.fault.empty()) return is(Candidate::Kind::unreadable, photo.fault);
  if (excluded_) {
    if (const auto match = excluded_->index.nearest(photo.hash)) {
      const auto like = excluded_->view.photo_info(*match);
      return is(Candidate::Kind::excluded, fmt::format("{} ({})", like.id, like.split));
    }
  }
  if (existing_) {
    if (const auto match = existing_->index.nearest(photo.hash)) {
      candidate.distance = static_cast<std::uint8_t>(hamming_distance(existing_->index.hash(*match), photo.hash));
      return is(Candidate::Kind::present, existing_->view.photo_info(*match).id);
    }
  }
  candidate.width = photo.width;
  candidate.height = photo.height;
  candidate.jpeg = std::move(photo.jpeg);
  return candidate;
}

}  // namespace duet
