#pragma once
#include "trainer/evaluation/retrieval_evaluation.h"
#include "trainer/networks/pseudo_sketches.h"

namespace duet {

/// How well a view's photos are found by sketches that the generator draws of them (docs/method.md §9.2): each of the view's photos that
/// has sketches is drawn `samples` times, each with a latent of its own, greedily, and looked for among all of them by `judge`. Collective
/// over `ranks`; every rank gets the same result. Photos that cannot be read are left out, as in evaluate_retrieval().
RetrievalResult evaluate_generator(const SketchSource& source, RetrievalNetwork& judge, const StoreView& view, int samples,
                                   Communicator& ranks);

/// The generator's sketches of the view's first photos (not flipped), at most `photos` of them, `samples` each; the same as
/// evaluate_generator() uses. By photo; none for a photo that cannot be read, which is said. Throws DataError when those are more than
/// bad_samples_allowed() of the view's photos.
std::vector<std::vector<Sketch>> sketches_of_photos(const SketchSource& source, const StoreView& view, std::int64_t photos, int samples);

/// The same of photos that lie in no store: uint8 [1, side, side, 3] each.
std::vector<Sketch> sketches_of_images(const SketchSource& source, const std::vector<Tensor>& photos, int samples);

}  // namespace duet
