#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/torch.h"
#include "cluster/communicate/communicator.h"
#include "datasets/store/store.h"
#include "trainer/evaluation/retrieval_metrics.h"
#include "trainer/models/retrieval_network.h"

namespace duet {

/// Images to embed, by position. read(first, last, bad) returns uint8 [last − first, side, side, 3] or [last − first, side, side] for
/// positions first … last − 1, on the host; an image that cannot be read is reported in `bad` (message by row, else empty) and its pixels
/// do not matter. name(position) is for messages.
struct ImageSource {
  std::int64_t count = 0;
  std::function<Tensor(std::int64_t first, std::int64_t last, std::vector<std::string>& bad)> read;
  std::function<std::string(std::int64_t position)> name;
};

/// What is searched for: query i shows gallery photo truth[i].
struct QuerySource {
  ImageSource images;
  std::vector<std::int64_t> truth;
};

/// The distinct photos of a view's sketches, in the view's order (docs/method.md §9.1), resized to side × side.
/// photo: index in the view, by gallery position.
struct Gallery {
  ImageSource images;
  std::vector<std::int64_t> photo;
};
Gallery gallery_of(const StoreView& view, int side);

/// Photos of the gallery that show the very same pixels under several ids, by their ids, those of one picture together: a query's true
/// photo then has a twin, and a tie counts against it. Photos that cannot be read are not looked at.
std::vector<std::vector<std::string>> same_photos(const StoreView& view, const Gallery& gallery);

/// Every sketch of the view, as the human raster of docs/method.md §3.9 at side × side. dark_on_white: the polarity the network was trained
/// with. sketch i of the result is sketch i of the view.
QuerySource sketches_of(const StoreView& view, const Gallery& gallery, int side, bool dark_on_white);

/// Rasters as queries that are no sketches of the view: the generator's, for instance. rasters: as ImageSource::read, [last − first, side,
/// side], called on one rank for each range; ranges start at multiples of kEvaluationBatch. photo: the true photo of each query, index in
/// the gallery's view. Throws UsageError when one of them is not in the gallery.
QuerySource rasters_as_queries(std::vector<std::int64_t> photo, const Gallery& gallery, decltype(ImageSource::read) rasters);

struct RetrievalResult {
  RetrievalMetrics metrics;
  std::vector<std::int64_t> rank;     ///< by query; 0 where the query or its photo could not be read
  std::vector<std::int64_t> truth;    ///< by query, gallery position
  std::vector<std::int64_t> nearest;  ///< [queries, nearest_each], gallery positions, nearest first
  std::int64_t nearest_each = 0;
};

/// Images embedded at a time: fixed, so that a batch's rounding does not depend on the number of ranks.
inline constexpr std::int64_t kEvaluationBatch = 32;

/// Embeds gallery and queries, spread over the ranks (each image once), and ranks them. Collective: every rank calls it with the same
/// arguments and receives the same result, whatever their number. The network is put into evaluation mode meanwhile; no gradients.
/// `communicator` moves host memory. Unreadable images are left out with a warning, more than bad_samples_allowed() of them throw
/// DataError. Throws NumericalError naming the first image whose embedding is not finite. What it throws, it throws on all ranks.
RetrievalResult evaluate_retrieval(RetrievalNetwork& network, const Gallery& gallery, const QuerySource& queries,
                                   Communicator& communicator, std::uint64_t seed, double max_bad_fraction = 0.01);

}  // namespace duet
