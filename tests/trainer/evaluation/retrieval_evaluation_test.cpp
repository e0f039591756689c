#include "trainer/evaluation/retrieval_evaluation.h"

#include <gmock/gmock.h>

#include <limits>
#include <numeric>
#include <set>

#include "base/file.h"
#include "base/random.h"
#include "datasets/loader/sample.h"
#include "datasets/store/writer.h"
#include "tests/rank_world.h"
#include "trainer/evaluation/retrieval_ranks.h"

namespace duet {
namespace {

constexpr int kSide = 16;
constexpr std::int64_t kPhotos = 45;  // two batches of 32, the second one short

// A pairs store: photo i has i % 3 + 1 sketches, but for the last, which has none.
std::shared_ptr<const Store> make_store(const std::filesystem::path& path) {
  auto& control = test_world().control();
  if (control.rank() == 0) {
    auto writer = StoreWriter::create(path, StoreKind::pairs, {.photo_format = PhotoFormat::raw, .photo_side = 24});
    for (std::int64_t i = 0; i < kPhotos; ++i) {
      KeyedRandom random(1, Purpose::test, 10, static_cast<std::uint64_t>(i));
      std::vector<std::uint8_t> pixels(24 * 24 * 3);
      for (auto& value : pixels) value = static_cast<std::uint8_t>(random.below(256));
      const auto handle = writer.add_photo(
          {.id = fmt::format("photo-{}", i), .split = "test", .bytes = std::as_bytes(std::span(pixels)), .width = 24, .height = 24});
      for (std::int64_t k = 0; i + 1 < kPhotos && k <= i % 3; ++k) {
        Sketch sketch;
        for (int point = 0; point < 6; ++point)
          sketch.push_back({random.uniform(20, 236), random.uniform(20, 236), point == 5 ? 1.0 : 0.0});
        writer.add_sketch({.id = fmt::format("photo-{}_{}", i, k), .split = "test", .photo = handle, .points = sketch});
      }
    }
    writer.commit({});
  }
  control.barrier();
  return Store::open(path);
}

struct SharedFolder {
  // One folder for all ranks, removed by the first.
  SharedFolder() {
    auto& control = test_world().control();
    if (control.rank() == 0) own.emplace();
    std::string text = own ? own->path().string() : std::string();
    control.broadcast_string(text, 0);
    path = text;
  }
  ~SharedFolder() { test_world().control().barrier(); }
  std::optional<TemporaryFolder> own;
  std::filesystem::path path;
};

RetrievalConfig tiny() {
  RetrievalConfig config;
  config.backbone = "tiny";
  config.head = 12;
  config.batch_norm = BatchNormMode::local;
  return config;
}

NetworkContext context(at::ScalarType type) {
  NetworkContext result;
  result.dtype = type;
  return result;
}

// What one process without batches, ranks or sources computes: each image by itself.
Tensor embed_one_by_one(RetrievalNetwork& network, std::int64_t count, const std::function<Tensor(std::int64_t)>& image) {
  at::NoGradGuard no_gradients;
  EvaluationMode mode(network);
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < count; ++i) rows.push_back(network.embed(image(i).unsqueeze(0)));
  return at::cat(rows);
}

Tensor bytes_tensor(const std::vector<std::uint8_t>& bytes, std::vector<std::int64_t> shape) {
  return at::from_blob(const_cast<std::uint8_t*>(bytes.data()), shape, at::kByte).clone();
}

TEST(RetrievalEvaluation, EqualsOneImageAtATimeOnOneRank) {
  SharedFolder folder;
  const auto view = make_store(folder.path / "pairs.store")->view("test");
  RetrievalNetwork network(tiny(), context(at::kDouble));
  const auto gallery = gallery_of(view, kSide);
  const auto queries = sketches_of(view, gallery, kSide, true);
  const auto result = evaluate_retrieval(network, gallery, queries, test_world().control(), 1);

  ASSERT_EQ(gallery.images.count, kPhotos - 1) << "the photo without sketches is no part of the gallery";
  ASSERT_EQ(queries.images.count, view.sketch_count());
  const auto photos = embed_one_by_one(network, kPhotos - 1, [&](std::int64_t i) {
    return bytes_tensor(load_photo(view, i, kSide), {kSide, kSide, 3});
  });
  const auto sketches = embed_one_by_one(network, view.sketch_count(), [&](std::int64_t i) {
    return bytes_tensor(load_raster(view, i, kSide, true), {kSide, kSide});
  });
  std::vector<std::int64_t> truth;
  for (std::int64_t i = 0; i < view.sketch_count(); ++i) truth.push_back(view.read_sketch(i).photo);
  const auto expected = rank_gallery(sketches, photos, truth);
  EXPECT_EQ(result.truth, truth);
  EXPECT_EQ(result.rank, expected.rank);
  EXPECT_EQ(result.nearest, expected.nearest);
  EXPECT_EQ(result.nearest_each, 10);
  EXPECT_EQ(result.metrics.left_out, 0);
  EXPECT_EQ(to_json(result.metrics), to_json(retrieval_metrics(expected.rank, truth, kPhotos - 1, 1)));
  EXPECT_TRUE(network.training()) << "the network's mode is put back";
}

// A disk or a limit that one rank alone meets: the others would wait for it in a collective.
TEST(RetrievalEvaluation, WhatOneRankCannotReadEndsItOnAll) {
  auto& control = test_world().control();
  const ImageSource images{.count = 4 * kEvaluationBatch,
                           .read = [](std::int64_t first, std::int64_t last, std::vector<std::string>&) -> Tensor {
                             if (first == 3 * kEvaluationBatch) throw CannotWrite("the disk fails");
                             return at::zeros({last - first, kSide, kSide}, at::kByte);
                           },
                           .name = [](std::int64_t i) { return fmt::format("image {}", i); }};
  const QuerySource queries{.images = images, .truth = std::vector<std::int64_t>(static_cast<std::size_t>(images.count))};
  RetrievalNetwork network(tiny(), context(at::kFloat));
  try {
    evaluate_retrieval(network, {.images = images, .photo = {}}, queries, control, 1);
    ADD_FAILURE() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::cannot_write);
    EXPECT_THAT(error.what(), testing::HasSubstr("the disk fails"));
  }
  EXPECT_EQ(control.all_reduce(std::int64_t{1}), control.size()) << "ranks can still speak with each other";
}

// Counts what each rank reads: every position once over all ranks, whole batches only.
TEST(RetrievalEvaluation, EmbedsEachImageOnceOverAllRanks) {
  constexpr std::int64_t kImages = 3 * kEvaluationBatch + 5;
  std::vector<std::int64_t> reads(kImages, 0);
  auto images = [&](std::int64_t count) {
    return ImageSource{.count = count,
                       .read =
                           [&reads](std::int64_t first, std::int64_t last, std::vector<std::string>&) {
                             EXPECT_EQ(first % kEvaluationBatch, 0);
                             for (auto i = first; i < last; ++i) ++reads[static_cast<std::size_t>(i)];
                             auto pixels = at::zeros({last - first, kSide, kSide}, at::kByte);
                             for (auto i = first; i < last; ++i) pixels[i - first].slice(0, 0, 1 + i % kSide).fill_(i % 251);
                             return pixels;
                           },
                       .name = [](std::int64_t i) { return fmt::format("image {}", i); }};
  };
  Gallery gallery{.images = images(kImages), .photo = {}};
  QuerySource queries{.images = images(kImages), .truth = std::vector<std::int64_t>(kImages)};
  std::iota(queries.truth.begin(), queries.truth.end(), 0);
  RetrievalNetwork network(tiny(), context(at::kFloat));
  auto& control = test_world().control();
  const auto result = evaluate_retrieval(network, gallery, queries, control, 1);
  control.all_reduce(std::span(reads));
  EXPECT_THAT(reads, testing::Each(2));  // once as photo, once as query
  EXPECT_EQ(result.metrics.queries, kImages);
  EXPECT_EQ(result.metrics.acc_1, 100) << "each query equals its photo";
}

TEST(RetrievalEvaluation, TakesGeneratedRastersAsQueries) {
  SharedFolder folder;
  const auto view = make_store(folder.path / "pairs.store")->view("test");
  RetrievalNetwork network(tiny(), context(at::kDouble));
  const auto gallery = gallery_of(view, kSide);
  const std::vector<std::int64_t> photo = {3, 3, 40, 7};
  auto raster = [&](std::int64_t i) { return bytes_tensor(load_raster(view, i, kSide), {kSide, kSide}); };
  const auto queries = rasters_as_queries(photo, gallery, [&](std::int64_t first, std::int64_t last, std::vector<std::string>&) {
    std::vector<Tensor> rows;
    for (auto i = first; i < last; ++i) rows.push_back(raster(i));
    return at::stack(rows);
  });
  const auto result = evaluate_retrieval(network, gallery, queries, test_world().control(), 1);
  const auto photos = embed_one_by_one(network, kPhotos - 1, [&](std::int64_t i) {
    return bytes_tensor(load_photo(view, i, kSide), {kSide, kSide, 3});
  });
  EXPECT_EQ(result.rank, rank_gallery(embed_one_by_one(network, 4, raster), photos, photo).rank);
  EXPECT_THROW(rasters_as_queries({kPhotos - 1}, gallery, {}), UsageError) << "this photo has no sketches";
}

// Sources of plain images, of which some cannot be read.
ImageSource broken_images(std::int64_t count, std::set<std::int64_t> broken) {
  return {.count = count,
          .read =
              [broken](std::int64_t first, std::int64_t last, std::vector<std::string>& bad) {
                auto pixels = at::zeros({last - first, kSide, kSide}, at::kByte);
                for (auto i = first; i < last; ++i) {
                  pixels[i - first].slice(0, 0, 1 + i % kSide).fill_(200);
                  if (broken.count(i) != 0) bad[static_cast<std::size_t>(i - first)] = fmt::format("image {}: damaged.", i);
                }
                return pixels;
              },
          .name = [](std::int64_t i) { return fmt::format("image {}", i); }};
}

TEST(RetrievalEvaluation, LeavesUnreadableImagesOutOfEveryFigure) {
  constexpr std::int64_t kImages = 12;
  const Gallery gallery{.images = broken_images(kImages, {5}), .photo = {}};
  QuerySource queries{.images = broken_images(kImages, {2}), .truth = std::vector<std::int64_t>(kImages)};
  std::iota(queries.truth.begin(), queries.truth.end(), 0);
  RetrievalNetwork network(tiny(), context(at::kDouble));
  const auto result = evaluate_retrieval(network, gallery, queries, test_world().control(), 1, 0.1);
  EXPECT_EQ(result.metrics.left_out, 2);
  EXPECT_EQ(result.metrics.gallery, kImages - 1);
  EXPECT_EQ(result.metrics.queries, kImages - 2) << "neither the damaged sketch nor the sketch of the damaged photo counts";
  EXPECT_EQ(result.rank[2], 0);
  EXPECT_EQ(result.rank[5], 0);
  EXPECT_EQ(result.rank[7], 1);
  EXPECT_EQ(result.nearest[7 * 10], 7) << "positions are those of the whole gallery";
}

TEST(RetrievalEvaluation, StopsWhereTooMuchIsUnreadable) {
  const Gallery gallery{.images = broken_images(12, {}), .photo = {}};
  QuerySource queries{.images = broken_images(12, {3, 9, 10}), .truth = std::vector<std::int64_t>(12, 0)};
  RetrievalNetwork network(tiny(), context(at::kDouble));
  EXPECT_THAT([&] { evaluate_retrieval(network, gallery, queries, test_world().control(), 1, 0.1); },
              testing::ThrowsMessage<DataError>(testing::AllOf(testing::HasSubstr("3 of 12"), testing::HasSubstr("image 3"))));
}

TEST(RetrievalEvaluation, NamesTheFirstImageThatHasNoFiniteEmbedding) {
  const Gallery gallery{.images = broken_images(40, {}), .photo = {}};
  QuerySource queries{.images = broken_images(40, {}), .truth = std::vector<std::int64_t>(40, 0)};
  RetrievalNetwork network(tiny(), context(at::kDouble));
  at::NoGradGuard no_gradients;
  network.parameters().front().tensor.fill_(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT([&] { evaluate_retrieval(network, gallery, queries, test_world().control(), 1); },
              testing::ThrowsMessage<NumericalError>(testing::HasSubstr("embedding of image 0 is not finite")));
}

TEST(RetrievalEvaluation, FindsPhotosThatAreInTheGalleryTwice) {
  SharedFolder folder;
  const auto path = folder.path / "twins.store";
  if (test_world().rank() == 0) {
    auto writer = StoreWriter::create(path, StoreKind::pairs, {.photo_format = PhotoFormat::raw, .photo_side = 4});
    const std::vector<std::byte> dark(48, std::byte{1}), bright(48, std::byte{200});
    // Hashes of different pictures may be equal; a photo without a sketch is not in the gallery.
    for (const auto& [id, bytes, hash] :
         {std::tuple("a", dark, 7), {"b", bright, 7}, {"c", dark, 7}, {"alone", bright, 8}, {"idle", dark, 7}}) {
      const auto handle =
          writer.add_photo({.id = id, .split = "test", .bytes = bytes, .width = 4, .height = 4, .hash = static_cast<std::uint64_t>(hash)});
      if (id == std::string("idle")) continue;
      writer.add_sketch({.id = fmt::format("{}_0", id), .split = "test", .photo = handle, .points = {{1, 1, 0}, {9, 9, 1}}});
    }
    writer.commit({});
  }
  test_world().control().barrier();
  const auto view = Store::open(path)->view("test");
  EXPECT_THAT(same_photos(view, gallery_of(view, kSide)), testing::ElementsAre(testing::ElementsAre("a", "c")));
}

TEST(RetrievalEvaluation, RefusesSketchesWithoutPhotos) {
  SharedFolder folder;
  const auto path = folder.path / "strokes.store";
  if (test_world().rank() == 0) {
    auto writer = StoreWriter::create(path, StoreKind::strokes);
    writer.add_sketch({.id = "alone", .split = "test", .photo = -1, .points = {{1, 1, 0}, {9, 9, 1}}});
    writer.commit({});
  }
  test_world().control().barrier();
  const auto view = Store::open(path)->view("test");
  EXPECT_THROW(sketches_of(view, gallery_of(view, kSide), kSide, false), UsageError);
}

}  // namespace
}  // namespace duet
