#include "datasets/import/photos/selection.h"

#include <utility>

#include "base/checksum.h"
#include "base/error.h"
#include "datasets/image/perceptual_hash.h"
#include "datasets/store/store.h"

namespace duet {

void report_candidate(ImportReport& report, const Candidate& candidate, const std::string& excluded_by) {
  if (candidate.kind != Candidate::Kind::passed_over) report.count("files");
  switch (candidate.kind) {
    case Candidate::Kind::photo:
      return report.count("photos imported");
    case Candidate::Kind::passed_over:
      return report.leave_out("passed over", candidate.name.empty() ? "." : candidate.name, candidate.detail);
    case Candidate::Kind::unreadable:
      return report.leave_out("no readable photo", candidate.name, candidate.detail);
    case Candidate::Kind::excluded:
      return report.leave_out(fmt::format("looks like a photo of {}", excluded_by), candidate.name, candidate.detail);
    case Candidate::Kind::present:
      return report.leave_out("looks like a photo of the store", candidate.name, candidate.detail);
  }
}

PhotoSelection::PhotoSelection(ImportTarget target, std::string excluded_by, StoreWriter writer)
    : target_(std::move(target)),
      excluded_by_(std::move(excluded_by)),
      report_(target_.list_file),
      writer_(std::move(writer)),
      index_(kLookAlikeDistance) {
  report_.count("files", 0);
  report_.count("photos imported", 0);
  if (!target_.append) return;
  Store::open(target_.store, {}, 1)->view("all").for_each_photo_id([this](const std::string& id) { ids_.insert(checksum(bytes_of(id))); });
}

std::string PhotoSelection::id_for(const Candidate& candidate) {
  auto id = photo_id(candidate);
  if (ids_.insert(checksum(bytes_of(id)))) return id;
  id += "#" + to_hex(candidate.hash);  // no other photo of the store looks the same
  ids_.insert(checksum(bytes_of(id)));
  report_.point_out("another photo of the same name; its id got an addition", id);
  return id;
}

void PhotoSelection::take(const Candidate& candidate) {
  using Kind = Candidate::Kind;
  if (candidate.kind == Kind::photo || candidate.kind == Kind::present) {
    const auto match = index_.nearest(candidate.hash);
    // Of a photo that was there and an equally near one that was kept, the older is named.
    if (match && (candidate.kind == Kind::photo || hamming_distance(index_.hash(*match), candidate.hash) < candidate.distance)) {
      report_.count("files");
      return report_.leave_out("looks like a photo taken before", candidate.name, journal_.at(*match));
    }
  }
  if (candidate.kind == Kind::photo) {
    const auto id = id_for(candidate);
    writer_.add_photo({.id = id, .bytes = candidate.jpeg, .width = candidate.width, .height = candidate.height, .hash = candidate.hash});
    index_.add(candidate.hash);
    journal_.append(id);
  }
  report_candidate(report_, candidate, excluded_by_);
}

ImportReport PhotoSelection::commit(Json provenance, const std::string& subject) {
  if (empty() && !target_.append) throw DataError("{}: no photo to import.\n{}", subject, report_.text());
  if (empty()) {
    report_.remark(fmt::format("No photo is new: the store stays at generation {}.", read_newest_generation(target_.store)));
    report_.close();
    return std::move(report_);
  }
  provenance["report"] = report_.json();
  const auto manifest = writer_.commit(provenance);
  report_.remark(fmt::format("The store holds {} photos, generation {}.", manifest.total().photos, manifest.generation));
  report_.close();
  return std::move(report_);
}

}  // namespace duet
