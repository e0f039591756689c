#include "trainer/evaluation/retrieval_evaluation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "base/checksum.h"
#include "base/error.h"
#include "base/log.h"
#include "cluster/communicate/agreement.h"
#include "datasets/loader/sample.h"
#include "trainer/evaluation/retrieval_ranks.h"

namespace duet {
namespace {

// Rows on this rank of what all ranks compute together: whole batches, dealt out in turn,
// so that a batch is the same for any number of ranks.
struct Share {
  std::vector<std::int64_t> positions;
  Tensor embeddings;  ///< [positions, d], host
  std::vector<std::string> bad;
};

// The one entry of `flags` that says more than "all is well" wins; every rank learns of it.
enum Condition : std::int64_t { kUsable = 0, kUnreadable = 1, kNotFinite = 2, kPointless = 3 };

Share embed_share(RetrievalNetwork& network, const ImageSource& images, const Communicator& communicator) {
  Share share;
  std::vector<Tensor> parts;
  const auto device = network.parameters().front().tensor.device();
  const auto batches = (images.count + kEvaluationBatch - 1) / kEvaluationBatch;
  for (auto batch = static_cast<std::int64_t>(communicator.rank()); batch < batches; batch += communicator.size()) {
    const auto first = batch * kEvaluationBatch;
    const auto last = std::min(first + kEvaluationBatch, images.count);
    std::vector<std::string> bad(static_cast<std::size_t>(last - first));
    const auto pixels = images.read(first, last, bad);
    DUET_CHECK(pixels.size(0) == last - first, "{} images for positions {} to {}", pixels.size(0), first, last - 1);
    auto embedded = network.embed(pixels.to(device)).to(at::kCPU);
    if (embedded.scalar_type() != at::kDouble) embedded = embedded.to(at::kFloat);
    parts.push_back(embedded);
    for (auto position = first; position < last; ++position) share.positions.push_back(position);
    share.bad.insert(share.bad.end(), bad.begin(), bad.end());
  }
  if (!parts.empty()) share.embeddings = at::cat(parts);
  return share;
}

// Condition of every image, known to all ranks. Warns of unreadable ones; throws on all ranks alike. An image without a point (a query
// whose photo is left out already) is not counted again when it cannot be read either.
std::vector<std::int64_t> agree_on_conditions(const Share& share, const ImageSource& images, Communicator& communicator,
                                              double max_bad_fraction, const std::function<bool(std::int64_t position)>& has_point) {
  std::vector<std::int64_t> condition(static_cast<std::size_t>(images.count), kUsable);
  if (!share.positions.empty()) {
    const auto finite = share.embeddings.isfinite().all(1).contiguous();
    for (std::size_t row = 0; row < share.positions.size(); ++row) {
      auto& own = condition[static_cast<std::size_t>(share.positions[row])];
      if (!share.bad[row].empty()) {
        own = has_point(share.positions[row]) ? kUnreadable : kPointless;
        if (own == kUnreadable) warn("{} It is left out of the evaluation.", share.bad[row]);
      } else if (!finite.data_ptr<bool>()[row]) {
        own = kNotFinite;
      }
    }
  }
  communicator.all_reduce(std::span(condition));
  const auto broken = std::find(condition.begin(), condition.end(), kNotFinite);
  if (broken != condition.end()) {
    throw NumericalError(
        "Evaluation: the embedding of {} is not finite; the network's weights are of no use. Go back to an earlier checkpoint, with a "
        "smaller learning rate.",
        images.name(broken - condition.begin()));
  }
  const auto unreadable = std::count(condition.begin(), condition.end(), kUnreadable);
  if (unreadable > bad_samples_allowed(max_bad_fraction, images.count)) {
    throw DataError(
        "Evaluation: {} of {} images cannot be read, more than the share of {:g} that data.max_bad_fraction admits; the first is {}. "
        "`duet store verify` lists them.",
        unreadable, images.count, max_bad_fraction,
        images.name(std::find(condition.begin(), condition.end(), kUnreadable) - condition.begin()));
  }
  return condition;
}

// All ranks' rows, in order of position: each is added to zeros, which changes no bit.
Tensor gather(const Share& share, const ImageSource& images, const RetrievalNetwork& network, Communicator& communicator) {
  const auto type = network.parameters().front().tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  auto all = at::zeros({images.count, network.dimension()}, type);
  for (std::size_t row = 0; row < share.positions.size(); ++row) {
    all[share.positions[row]].copy_(share.embeddings[static_cast<std::int64_t>(row)]);
  }
  communicator.all_reduce(all.data_ptr(), all.numel(), type == at::kDouble ? DataType::float64 : DataType::float32);
  return all;
}

// Reads and embeds this rank's share. A machine's limit or a disk that one rank meets ends the evaluation on all.
Share embed(RetrievalNetwork& network, const ImageSource& images, Communicator& communicator) {
  Share share;
  on_all_or_none(communicator, [&] { share = embed_share(network, images, communicator); });
  return share;
}

std::vector<std::int64_t> usable(std::span<const std::int64_t> condition) {
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < condition.size(); ++i) {
    if (condition[i] == kUsable) positions.push_back(static_cast<std::int64_t>(i));
  }
  return positions;
}

Tensor index_tensor(const std::vector<std::int64_t>& values) { return at::tensor(at::ArrayRef<std::int64_t>(values), at::kLong); }

// Fills [count, side, side(, 3)] row by row; what cannot be read stays zero and is reported.
template <typename Read>
Tensor read_rows(std::int64_t first, std::int64_t last, std::vector<std::int64_t> shape, std::vector<std::string>& bad, const Read& read) {
  shape.insert(shape.begin(), last - first);
  auto rows = at::zeros(shape, at::kByte);
  const auto row_bytes = last > first ? rows.numel() / (last - first) : 0;
  for (auto position = first; position < last; ++position) {
    try {
      const std::vector<std::uint8_t> pixels = read(position);
      DUET_CHECK(std::ssize(pixels) == row_bytes, "{} bytes instead of {}", pixels.size(), row_bytes);
      std::copy(pixels.begin(), pixels.end(), rows.data_ptr<std::uint8_t>() + (position - first) * row_bytes);
    } catch (const DataError& error) {
      bad[static_cast<std::size_t>(position - first)] = error.what();
    }
  }
  return rows;
}

}  // namespace

Gallery gallery_of(const StoreView& view, int side) {
  Gallery gallery;
  for (std::int64_t photo = 0; photo < view.photo_count(); ++photo) {
    if (view.photo_info(photo).sketch_count > 0) gallery.photo.push_back(photo);
  }
  gallery.images.count = std::ssize(gallery.photo);
  gallery.images.read = [view, side, photo = gallery.photo](std::int64_t first, std::int64_t last, std::vector<std::string>& bad) {
    return read_rows(first, last, {side, side, 3}, bad,
                     [&](std::int64_t position) { return load_photo(view, photo[static_cast<std::size_t>(position)], side); });
  };
  gallery.images.name = [view, photo = gallery.photo](std::int64_t position) {
    return fmt::format("photo '{}' of {}", view.photo_info(photo[static_cast<std::size_t>(position)]).id, view.store().path().string());
  };
  return gallery;
}

std::vector<std::vector<std::string>> same_photos(const StoreView& view, const Gallery& gallery) {
  std::map<std::uint64_t, std::vector<std::int64_t>> by_hash;  // equal pixels have equal hashes: only those are read
  for (const auto photo : gallery.photo) by_hash[view.photo_info(photo).hash].push_back(photo);
  std::vector<std::vector<std::string>> same;
  for (const auto& [hash, photos] : by_hash) {
    if (photos.size() < 2) continue;
    std::map<std::uint64_t, std::vector<std::string>> by_bytes;
    for (const auto photo : photos) {
      try {
        std::vector<std::byte> bytes;
        const auto info = view.read_photo(photo, bytes);
        by_bytes[checksum(bytes)].push_back(info.id);
      } catch (const DataError&) {  // the evaluation has warned of it
      }
    }
    for (auto& [sum, ids] : by_bytes) {
      if (ids.size() > 1) same.push_back(std::move(ids));
    }
  }
  return same;
}

QuerySource sketches_of(const StoreView& view, const Gallery& gallery, int side, bool dark_on_white) {
  QuerySource queries;
  queries.truth.resize(static_cast<std::size_t>(view.sketch_count()), -1);
  for (std::size_t position = 0; position < gallery.photo.size(); ++position) {
    const auto info = view.photo_info(gallery.photo[position]);
    for (std::int64_t sketch = 0; sketch < info.sketch_count; ++sketch) {
      queries.truth[static_cast<std::size_t>(info.first_sketch + sketch)] = static_cast<std::int64_t>(position);
    }
  }
  if (std::find(queries.truth.begin(), queries.truth.end(), -1) != queries.truth.end()) {
    throw UsageError("{}, split '{}': there are sketches without a photo, which cannot be searched for. Name a store of pairs.",
                     view.store().path().string(), view.split());
  }
  queries.images.count = view.sketch_count();
  queries.images.read = [view, side, dark_on_white](std::int64_t first, std::int64_t last, std::vector<std::string>& bad) {
    return read_rows(first, last, {side, side}, bad, [&](std::int64_t sketch) { return load_raster(view, sketch, side, dark_on_white); });
  };
  queries.images.name = [view, photo = gallery.photo, truth = queries.truth](std::int64_t sketch) {
    const auto shown = photo[static_cast<std::size_t>(truth[static_cast<std::size_t>(sketch)])];
    return fmt::format("sketch {} of {}, split '{}' (it shows photo '{}')", sketch, view.store().path().string(), view.split(),
                       view.photo_info(shown).id);
  };
  return queries;
}

QuerySource rasters_as_queries(std::vector<std::int64_t> photo, const Gallery& gallery, decltype(ImageSource::read) rasters) {
  std::unordered_map<std::int64_t, std::int64_t> position_of;
  for (std::size_t position = 0; position < gallery.photo.size(); ++position)
    position_of[gallery.photo[position]] = static_cast<std::int64_t>(position);
  QuerySource queries;
  for (const auto index : photo) {
    const auto found = position_of.find(index);
    if (found == position_of.end()) throw UsageError("Photo {} has queries but is not in the gallery (it has no sketches).", index);
    queries.truth.push_back(found->second);
  }
  queries.images.count = std::ssize(queries.truth);
  queries.images.read = std::move(rasters);
  queries.images.name = [photo = std::move(photo)](std::int64_t query) {
    return fmt::format("generated sketch {} (of photo {})", query, photo[static_cast<std::size_t>(query)]);
  };
  return queries;
}

RetrievalResult evaluate_retrieval(RetrievalNetwork& network, const Gallery& gallery, const QuerySource& queries,
                                   Communicator& communicator, std::uint64_t seed, double max_bad_fraction) {
  DUET_CHECK(!communicator.device_memory(), "evaluation gathers in host memory");
  DUET_CHECK(queries.images.count == std::ssize(queries.truth), "{} queries, {} true photos", queries.images.count, queries.truth.size());
  at::NoGradGuard no_gradients;
  EvaluationMode evaluation_mode(network);

  const auto photos = embed(network, gallery.images, communicator);
  const auto photo_condition =
      agree_on_conditions(photos, gallery.images, communicator, max_bad_fraction, [](std::int64_t) { return true; });
  const auto photo_embeddings = gather(photos, gallery.images, network, communicator);
  // Unreadable photos leave the gallery; positions in what is left are mapped back below.
  const auto shown = usable(photo_condition);
  std::vector<std::int64_t> place(photo_condition.size(), -1);
  for (std::size_t i = 0; i < shown.size(); ++i) place[static_cast<std::size_t>(shown[i])] = static_cast<std::int64_t>(i);
  auto photo_is_shown = [&](std::int64_t query) {
    return place[static_cast<std::size_t>(queries.truth[static_cast<std::size_t>(query)])] >= 0;
  };

  const auto sketches = embed(network, queries.images, communicator);
  const auto sketch_condition = agree_on_conditions(sketches, queries.images, communicator, max_bad_fraction, photo_is_shown);
  auto counts = [&](std::int64_t query) { return sketch_condition[static_cast<std::size_t>(query)] == kUsable && photo_is_shown(query); };

  RetrievalResult result;
  result.truth = queries.truth;
  result.rank.resize(queries.truth.size(), 0);
  result.nearest_each = nearest_count(std::ssize(shown));
  result.nearest.resize(queries.truth.size() * static_cast<std::size_t>(result.nearest_each), 0);

  std::vector<std::int64_t> own_rows, own_queries, own_truth;
  for (std::size_t row = 0; row < sketches.positions.size(); ++row) {
    const auto query = sketches.positions[row];
    if (!counts(query)) continue;
    own_rows.push_back(static_cast<std::int64_t>(row));
    own_queries.push_back(query);
    own_truth.push_back(place[static_cast<std::size_t>(queries.truth[static_cast<std::size_t>(query)])]);
  }
  if (!own_queries.empty()) {
    const auto ranking = rank_gallery(sketches.embeddings.index_select(0, index_tensor(own_rows)),
                                      photo_embeddings.index_select(0, index_tensor(shown)), own_truth);
    for (std::size_t i = 0; i < own_queries.size(); ++i) {
      const auto query = static_cast<std::size_t>(own_queries[i]);
      const auto each = static_cast<std::size_t>(result.nearest_each);
      result.rank[query] = ranking.rank[i];
      for (std::size_t k = 0; k < each; ++k)
        result.nearest[query * each + k] = shown[static_cast<std::size_t>(ranking.nearest[i * each + k])];
    }
  }
  communicator.all_reduce(std::span(result.rank));
  communicator.all_reduce(std::span(result.nearest));

  std::vector<std::int64_t> rank, photo;
  for (std::size_t query = 0; query < result.rank.size(); ++query) {
    if (!counts(static_cast<std::int64_t>(query))) continue;
    rank.push_back(result.rank[query]);
    photo.push_back(result.truth[query]);
  }
  result.metrics = retrieval_metrics(rank, photo, std::ssize(shown), seed);
  result.metrics.left_out =
      gallery.images.count - std::ssize(shown) + std::count(sketch_condition.begin(), sketch_condition.end(), kUnreadable);
  return result;
}

}  // namespace duet
