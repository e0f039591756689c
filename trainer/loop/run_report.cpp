#include "trainer/loop/run_report.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cluster/communicate/agreement.h"
#include "cluster/run/run_folder.h"
#include "datasets/image/image.h"
#include "datasets/loader/sample.h"
#include "datasets/sketch/svg.h"
#include "monitoring/metrics/run_name.h"
#include "trainer/evaluation/generator_evaluation.h"
#include "trainer/evaluation/retrieval_evaluation.h"
#include "trainer/report/report.h"

namespace duet {
namespace {

constexpr int kThumbnailSide = 128;
constexpr std::int64_t kShownQueries = 24;
constexpr std::int64_t kShownPhotos = 12;
constexpr int kShownSamples = 3;

std::vector<std::byte> bytes_of_text(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

ReportImage photo_image(const StoreView& view, std::int64_t photo) {
  Image image(kThumbnailSide, kThumbnailSide, 3);
  image.pixels = load_photo(view, photo, kThumbnailSide);
  return {.bytes = encode_jpeg(image, 85), .caption = view.photo_info(photo).id};
}

ReportImage sketch_image(std::span<const SketchPoint> sketch, const std::string& caption) {
  return {.bytes = bytes_of_text(to_svg(sketch, {})), .caption = caption};
}

void add_results(ReportData& report, const Json& results) {
  auto add_split = [&](const std::string& stage, const Json& splits) {
    for (const auto& [split, figures] : splits.items()) {
      for (const auto& [weights, metrics] : figures.items()) {
        report.results.push_back({.stage = stage + ", " + split, .weights = stage == "initial weights" ? "" : weights, .metrics = metrics});
        if (stage == "initial weights") break;  // last, average and best are the same before the first step
      }
    }
  };
  if (results.contains("initial")) add_split("initial weights", results["initial"]);
  if (results.contains("supervised")) add_split("supervised", results["supervised"]);
  if (results.contains("joint")) add_split("joint", results["joint"]);
  if (results.contains("generator")) {
    for (const auto& [stage, metrics] : results["generator"].items()) {
      report.results.push_back(
          {.stage = "generated sketches find their photo (validation), after " + stage, .weights = "", .metrics = metrics});
    }
  }
}

// The worst first, then evenly through the ranks, so that success is seen too.
std::vector<std::int64_t> chosen_queries(const RetrievalResult& result) {
  std::vector<std::int64_t> order;
  for (std::int64_t query = 0; query < static_cast<std::int64_t>(result.rank.size()); ++query) {
    if (result.rank[static_cast<std::size_t>(query)] > 0) order.push_back(query);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return result.rank[static_cast<std::size_t>(a)] > result.rank[static_cast<std::size_t>(b)];
  });
  if (static_cast<std::int64_t>(order.size()) <= kShownQueries) return order;
  std::vector<std::int64_t> chosen(order.begin(), order.begin() + kShownQueries / 2);
  const auto rest = static_cast<std::int64_t>(order.size()) - kShownQueries / 2;
  for (std::int64_t i = 0; i < kShownQueries / 2; ++i) {
    chosen.push_back(order[static_cast<std::size_t>(kShownQueries / 2 + i * rest / (kShownQueries / 2))]);
  }
  return chosen;
}

void add_queries(ReportData& report, const RetrievalResult& result, const StoreView& view, const Gallery& gallery) {
  report.gallery = gallery.images.count;
  for (const auto query : chosen_queries(result)) {
    const auto at = static_cast<std::size_t>(query);
    const auto sketch = view.read_sketch(query);
    ReportQuery shown{.query = sketch_image(sketch.points, sketch.id), .nearest = {}, .true_photo = {}, .rank = result.rank[at]};
    for (std::int64_t place = 0; place < result.nearest_each; ++place) {
      const auto position = result.nearest[at * static_cast<std::size_t>(result.nearest_each) + static_cast<std::size_t>(place)];
      if (position == result.truth[at]) shown.truth = static_cast<int>(place);
      shown.nearest.push_back(photo_image(view, gallery.photo[static_cast<std::size_t>(position)]));
    }
    if (shown.truth < 0) shown.true_photo = photo_image(view, gallery.photo[static_cast<std::size_t>(result.truth[at])]);
    report.queries.push_back(std::move(shown));
  }
}

// What the generator drew of the same photo at the end of its own fit, where the trainer left it in RUN/samples.
std::optional<ReportImage> sample_before_joint(const std::filesystem::path& folder, std::int64_t photo) {
  const auto newest = RunFolder(folder).newest_sample("pairs", photo);
  if (!newest) return std::nullopt;
  return ReportImage{.bytes = bytes_of_text(read_file(*newest, 1 << 20)), .caption = "before the joint stage"};
}

void add_sketches(ReportData& report, const SketchSource& source, const StoreView& view) {
  const auto drawn = sketches_of_photos(source, view, kShownPhotos, kShownSamples);
  for (std::int64_t photo = 0; photo < std::ssize(drawn); ++photo) {
    const auto& sketches = drawn[static_cast<std::size_t>(photo)];
    if (sketches.empty()) continue;
    ReportSketch shown{.photo = photo_image(view, photo), .human = {}, .before = {}, .after = {}};
    const auto info = view.photo_info(photo);
    for (std::int64_t i = 0; i < std::min<std::int64_t>(2, info.sketch_count); ++i) {
      try {
        const auto sketch = view.read_sketch(info.first_sketch + i);
        shown.human.push_back(sketch_image(sketch.points, "human"));
      } catch (const DataError& error) {
        warn("{} The report goes without it.", error.what());
      }
    }
    if (const auto before = sample_before_joint(source.config.run.folder, photo)) shown.before.push_back(*before);
    for (const auto& sketch : sketches) shown.after.push_back(sketch_image(sketch, "generated"));
    report.sketches.push_back(std::move(shown));
  }
  const auto unreadable = std::ranges::count_if(drawn, [](const auto& sketches) { return sketches.empty(); });
  if (unreadable > 0) report.summary += fmt::format(" {} of these photos cannot be read and are left out.", unreadable);
}

// Queries against the gallery, with `best` weights where there are some. Collective; fails on all ranks alike.
std::pair<RetrievalResult, Gallery> retrieve(RunState& state, const Ranks& ranks, const StoreView& view, const NamedTensors& best) {
  const auto& config = state.context().config;
  Gallery gallery;
  QuerySource queries;
  on_all_or_none(ranks.control, [&] {
    gallery = gallery_of(view, config.data.image_side);
    queries = sketches_of(view, gallery, config.data.image_side, config.run.sketch_polarity == Polarity::dark_on_white);
  });
  auto& network = *state.networks.retrieval;
  const auto exchange = [&] {
    if (!best.empty()) network.state().swap_values(best, "the best weights");
  };
  exchange();
  try {
    auto result = evaluate_retrieval(network, gallery, queries, ranks.control, config.run.seed, config.data.max_bad_fraction);
    exchange();
    return {std::move(result), std::move(gallery)};
  } catch (...) {
    exchange();
    throw;
  }
}

}  // namespace

bool write_run_report(RunState& state, const Ranks& ranks, const OpenedData& data, const NamedTensors& best, const Json& results) {
  const auto context = state.context();
  const auto& config = context.config;
  const auto view = data.test ? data.test : data.validation;
  ReportData report;
  report.title = run_name(config.run.folder);
  report.summary = fmt::format("{} steps on {} ranks.", state.counts.total(), ranks.size());
  if (view) report.summary += fmt::format(" Queries are of the {} part, which was not trained on.", view->split());
  if (state.networks.generator) {
    report.summary += fmt::format(" Sketches are drawn of photos of the {} part.", data.validation ? "validation" : "training");
  }
  // What cannot be made is missing, which the report says; the rest of it is made all the same.
  const auto part = [&](const char* name, const auto& make) {
    try {
      make();
    } catch (const RankLost&) {
      throw;
    } catch (const std::exception& error) {
      report.summary += fmt::format(" The {} are missing: {}", name, error.what());
      if (ranks.rank() == 0)
        warn("{}: the report goes without its {}: {} The training is finished and saved all the same.", config.run.folder, name,
             error.what());
    }
  };
  std::optional<std::pair<RetrievalResult, Gallery>> retrieved;
  if (view && view->sketch_count() > 0) {
    part("queries", [&] {
      retrieved = retrieve(state, ranks, *view, best);
      if (const auto left_out = retrieved->first.metrics.left_out; left_out > 0)
        report.summary += fmt::format(" {} photos and sketches of the {} part cannot be read and are left out.", left_out, view->split());
    });
  }
  if (ranks.rank() != 0) return true;
  if (retrieved) part("queries", [&] { add_queries(report, retrieved->first, *view, retrieved->second); });
  if (state.networks.generator) {
    part("drawings", [&] { add_sketches(report, context.sketches(), data.validation ? *data.validation : *data.training.labelled); });
  }
  try {
    add_results(report, results);
    write_report(config.run.folder, report);
  } catch (const std::exception& error) {
    warn("{}: the report could not be made: {} The training is finished and saved all the same.", config.run.folder, error.what());
    return false;
  }
  return true;
}

}  // namespace duet
