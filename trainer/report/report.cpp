#include "trainer/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "cluster/run/run_folder.h"
#include "trainer/report/chart.h"
#include "trainer/report/html.h"
#include "trainer/report/run_history.h"
#include "trainer/report/style.h"

namespace duet {
namespace {

constexpr std::uint64_t kTextLimit = 4 << 20;  // of config.cfg and environment.json: larger ones are not ours

std::string tile(const ReportImage& image, bool is_true = false) {
  const auto caption = escape_html(image.caption);
  const auto picture = image.bytes.empty() ? std::string("<span class=\"blank\"></span>")
                                           : fmt::format("<img src=\"{}\" alt=\"{}\">", data_uri(image.bytes), caption);
  return fmt::format("<figure class=\"tile{}\">{}{}</figure>", is_true ? " true" : "", picture, caption);
}

std::string tiles(const std::vector<ReportImage>& images) {
  std::string html = "<div class=\"shown\">";
  for (const auto& image : images) html += tile(image);
  return html + "</div>";
}

// A figure with its interval below; `bar` draws both on a scale from 0 to 100.
std::string figure_cell(const Json& metrics, const char* figure, bool bar) {
  const auto subject = std::string("report: metrics");
  const auto value = member<double>(metrics, figure, subject);
  const auto interval = member<Json>(member<Json>(metrics, "interval", subject), figure, subject);
  const auto low = member<double>(interval, "low", subject), high = member<double>(interval, "high", subject);
  std::string drawing;
  if (bar) {
    drawing = fmt::format(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"100\" height=\"8\" "
        "style=\"fill:var(--faint)\"/><rect x=\"{:.2f}\" width=\"{:.2f}\" height=\"8\" style=\"fill:var(--c0);opacity:.4\"/><rect "
        "x=\"{:.2f}\" "
        "width=\"1\" height=\"8\" style=\"fill:var(--c0)\"/></svg>",
        low, std::max(0.0, high - low), std::clamp(value - 0.5, 0.0, 99.0));
  }
  return fmt::format("<td>{:.1f}{}<small>{:.1f} – {:.1f}</small></td>", value, drawing, low, high);
}

std::string results_table(const std::vector<ReportResult>& results) {
  if (results.empty()) return {};
  std::string html =
      "<h2>Results</h2><div class=\"wide\"><table><tr><th>stage</th><th class=\"word\">weights</th><th>acc@1 %</th><th>acc@5 "
      "%</th><th>acc@10 "
      "%</th><th>mean rank percentile</th><th>queries</th><th>gallery</th></tr>\n";
  const ReportResult* before = nullptr;
  for (const auto& result : results) {
    const bool new_stage = before == nullptr || before->stage != result.stage;
    const auto stage = new_stage ? escape_html(result.stage) : "";
    html += fmt::format("<tr{}><td>{}</td><td class=\"word\">{}</td>{}{}{}{}<td>{}</td><td>{}</td></tr>\n",
                        new_stage ? " class=\"stage\"" : "", stage, escape_html(result.weights), figure_cell(result.metrics, "acc@1", true),
                        figure_cell(result.metrics, "acc@5", false), figure_cell(result.metrics, "acc@10", false),
                        figure_cell(result.metrics, "mean_rank_percentile", false),
                        member<std::int64_t>(result.metrics, "queries", "report: metrics"),
                        member<std::int64_t>(result.metrics, "gallery", "report: metrics"));
    before = &result;
  }
  return html +
         "</table></div><p class=\"soft\">Under each figure its 95 % interval (bootstrap over photos). The rank of the true photo counts "
         "every "
         "gallery photo that is as near or nearer; a mean rank percentile of 50 is chance.</p>\n";
}

std::string curves(const RunHistory& history) {
  std::string evaluations, losses, figures, names;
  evaluations += line_chart({.title = "acc@1, % (validation)", .x = "steps of all stages", .marks = history.stages}, history.acc_1);
  evaluations += line_chart({.title = "acc@10, % (validation)", .x = "steps of all stages", .marks = history.stages}, history.acc_10);
  evaluations += line_chart({.title = "mean rank percentile (validation)", .x = "steps of all stages", .marks = history.stages},
                            history.mean_rank_percentile);
  for (const auto& loss : history.losses) {
    const auto title = loss.phase.empty() || loss.phase == loss.stage ? loss.stage : loss.stage + " · " + loss.phase;
    losses += line_chart({.title = "loss: " + title, .x = "steps of the stage", .marks = {}}, loss.curves);
  }
  for (const auto& [quantity, curves] : history.figures) {
    const auto& row = row_of(quantity);
    names += fmt::format("{}{}", names.empty() ? "" : " and ", row.name);
    figures += line_chart({.title = fmt::format("{}: {}", row.name, row.chart), .x = "steps of the stage", .marks = {}}, curves);
  }
  if (!names.empty()) names.front() = static_cast<char>(std::toupper(names.front()));

  auto section = [](const std::string& heading, const std::string& charts) {
    return charts.empty() ? std::string() : fmt::format("<h2>{}</h2><div class=\"charts\">{}</div>\n", heading, charts);
  };
  auto html = section("Accuracy over time", evaluations) + section("Losses", losses) + section(names, figures);
  if (history.damaged_lines > 0)
    html += fmt::format("<p class=\"soft\">{} damaged lines of metrics.jsonl were left out.</p>\n", history.damaged_lines);
  return html;
}

std::string queries(const ReportData& data) {
  if (data.queries.empty()) return {};
  std::vector<const ReportQuery*> order;
  for (const auto& query : data.queries) order.push_back(&query);
  std::stable_sort(order.begin(), order.end(), [](const ReportQuery* a, const ReportQuery* b) { return a->rank > b->rank; });

  auto html = fmt::format(
      "<h2>Queries, failures first</h2><p class=\"soft\">A sketch and its nearest of {} photos, from the left; the true one is "
      "framed.</p>\n",
      data.gallery);
  for (const auto* query : order) {
    html += fmt::format("<div class=\"query\"><div class=\"asked\">{}<span class=\"{}\">rank {}</span></div><div class=\"shown\">",
                        tile(query->query),
                        query->rank == 1   ? "hit"
                        : query->rank > 10 ? "miss"
                                           : "near",
                        query->rank);
    for (std::size_t i = 0; i < query->nearest.size(); ++i) html += tile(query->nearest[i], static_cast<int>(i) == query->truth);
    if (query->truth < 0) html += "<span class=\"gap\">…</span>" + tile(query->true_photo, true);
    html += "</div></div>\n";
  }
  return html;
}

std::string sketches(const std::vector<ReportSketch>& sketches) {
  if (sketches.empty()) return {};
  std::string html = "<h2>What the generator draws</h2>\n";
  for (const auto& sketch : sketches) {
    html += "<div class=\"drawn\"><div><h4>photo</h4>" + tile(sketch.photo) + "</div>";
    const std::pair<const char*, const std::vector<ReportImage>*> columns[] = {
        {"people", &sketch.human}, {"before the joint stage", &sketch.before}, {"after the joint stage", &sketch.after}};
    for (const auto& [heading, images] : columns) {
      if (!images->empty()) html += fmt::format("<div><h4>{}</h4>{}</div>", heading, tiles(*images));
    }
    html += "</div>\n";
  }
  return html;
}

// Nested objects as rows "a.b.c"; what is no object, as it stands.
void add_facts(const std::string& name, const Json& value, std::string& rows) {
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) add_facts(name.empty() ? key : name + "." + key, inner, rows);
    return;
  }
  const auto text = value.is_string() ? value.get<std::string>() : json_text(value);
  rows += fmt::format("<tr><td>{}</td><td>{}</td></tr>", escape_html(name), escape_html(text));
}

std::string facts(const RunFolder& run) {
  std::string html;
  if (const auto file = run.environment(); std::filesystem::exists(file)) {
    std::string rows;
    add_facts({}, parse_json(read_file(file, kTextLimit), file.string()), rows);
    html += fmt::format("<h2>Versions, machine, data</h2><div class=\"wide\"><table class=\"facts\">{}</table></div>\n", rows);
  }
  if (const auto file = run.config(); std::filesystem::exists(file)) {
    html += fmt::format("<h2>Configuration</h2><details><summary>config.cfg, as it was resolved</summary><pre>{}</pre></details>\n",
                        escape_html(read_file(file, kTextLimit)));
  }
  return html;
}

}  // namespace

std::string render_report(const std::filesystem::path& run_folder, const ReportData& data) {
  if (!std::filesystem::is_directory(run_folder)) throw InputMissing("{}: there is no such run folder to report on.", run_folder.string());
  const RunFolder run(run_folder);
  const auto title = escape_html(data.title);
  auto html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
      "<title>{0} – Duet</title><style>{1}</style></head><body>\n<header><p class=\"soft\">Duet, report of a run</p><h1>{0}</h1>",
      title, kReportStyle);
  if (!data.summary.empty()) html += fmt::format("<p>{}</p>", escape_html(data.summary));
  html += fmt::format("<p class=\"soft\">written {}</p></header>\n", utc_now());
  html += results_table(data.results);
  html += curves(read_history(run.metrics()));
  html += queries(data);
  html += sketches(data.sketches);
  html += facts(run);
  return html + "</body></html>\n";
}

void write_report(const std::filesystem::path& run_folder, const ReportData& data) {
  write_file_atomically(RunFolder(run_folder).report(), render_report(run_folder, data));
}

}  // namespace duet
