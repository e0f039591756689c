#include "trainer/report/report.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>

#include "base/checksum.h"
#include "base/file.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<std::byte> bytes(const std::string& text) {
  const auto view = bytes_of(text);
  return {view.begin(), view.end()};
}

ReportImage image(const std::string& caption) { return {bytes("\x89PNG\r\n" + caption), caption}; }

Json metrics(double acc_1) {
  const Json interval = {{"low", acc_1 - 3}, {"high", acc_1 + 3}};
  return {{"queries", 323},
          {"gallery", 100},
          {"acc@1", acc_1},
          {"acc@5", 80.0},
          {"acc@10", 90.0},
          {"mean_rank_percentile", 95.0},
          {"interval", {{"acc@1", interval}, {"acc@5", interval}, {"acc@10", interval}, {"mean_rank_percentile", interval}}}};
}

ReportData full_data() {
  ReportData data;
  data.title = "chairs";
  data.summary = "A summary.";
  data.results = {{"initial weights", "", metrics(7)}, {"supervised", "last", metrics(49.5)}, {"supervised", "average", metrics(51)}};
  data.gallery = 100;
  data.queries = {{image("query-good"), {image("a"), image("b")}, {}, 0, 1},
                  {image("query-bad"), {image("c"), image("d")}, image("the-true-one"), -1, 37},
                  {image("query-fair"), {image("e"), image("f")}, {}, 1, 2}};
  data.sketches = {{image("photo-1"), {image("human-1")}, {image("before-1")}, {image("after-1")}},
                   {image("photo-2"), {}, {image("before-2")}, {}}};
  return data;
}

void fill_run(const std::filesystem::path& folder) {
  write_file_atomically(folder / "config.cfg", std::string("[run]\nseed = 1\n"));
  write_file_atomically(folder / "environment.json",
                        std::string("{\"versions\": {\"duet\": \"0.1.0\"}, \"ranks\": 2, \"hosts\": [\"a\", \"b\"]}"));
  std::ofstream(folder / "metrics.jsonl") << "{\"stage\": \"retrieval\", \"step\": 10, \"loss\": {\"total\": 0.5}}\n"
                                          << "{\"stage\": \"retrieval\", \"step\": 20, \"loss\": {\"total\": 0.25}, \"certainty\": 0.3}\n"
                                          << "{\"stage\": \"retrieval\", \"step\": 20, \"evaluation\": {\"last\": " << metrics(40).dump()
                                          << "}}\n";
}

// Every element that is opened is closed, in order; void elements and SVG's "/>" apart.
void expect_well_formed(const std::string& html) {
  static const std::set<std::string> kVoid = {"meta", "img", "!doctype"};
  std::vector<std::string> open;
  const std::regex tag("<(/?)([!A-Za-z][A-Za-z0-9]*)((?:\"[^\"]*\"|[^\">])*)>");
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it) {
    std::string name = (*it)[2];
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto attributes = (*it)[3].str();
    if (kVoid.count(name) != 0 || attributes.ends_with("/")) continue;
    if ((*it)[1].length() == 0) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << "</" << name << "> without a beginning";
      ASSERT_EQ(open.back(), name) << "closed in the wrong order";
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty()) << open.back() << " is not closed";
}

TEST(Report, HoldsEverythingInOneWellFormedPage) {
  TemporaryFolder run;
  fill_run(run.path());
  const auto html = render_report(run.path(), full_data());
  expect_well_formed(html);
  for (const auto* part : {"<h1>chairs</h1>", "A summary.", "initial weights", "supervised", "average", "49.5", "46.5 – 52.5",
                           "<td>323</td>", "<td>100</td>", "loss: retrieval", "acc@1, % (validation)", "certainty", "rank 37", "query-bad",
                           "before the joint stage", "after-1", "seed = 1", "versions.duet", "0.1.0"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
}

TEST(Report, NeedsNoNetworkAndRunsNothing) {
  TemporaryFolder run;
  fill_run(run.path());
  const auto html = render_report(run.path(), full_data());
  EXPECT_THAT(html, testing::AllOf(Not(HasSubstr("<script")), Not(HasSubstr("<link")), Not(HasSubstr("@import")), Not(HasSubstr("url(")),
                                   Not(HasSubstr("http:")), Not(HasSubstr("https:")), HasSubstr("default-src 'none'")));
  const std::regex source("src=\"([^\"]{0,10})");
  int images = 0;
  for (std::sregex_iterator it(html.begin(), html.end(), source), end; it != end; ++it, ++images) EXPECT_EQ((*it)[1].str(), "data:image");
  EXPECT_EQ(images, 3 + 6 + 1 + 2 + 4);
}

TEST(Report, EscapesWhateverComesFromOutside) {
  TemporaryFolder run;
  const std::string evil = "\"><script>alert(1)</script>";
  const auto in_json = Json(evil).dump();
  write_file_atomically(run / "config.cfg", evil);
  write_file_atomically(run / "environment.json", "{" + in_json + ": {" + in_json + ": " + in_json + "}}");
  std::ofstream(run / "metrics.jsonl") << "{\"stage\": " << in_json << ", \"phase\": " << in_json << ", \"step\": 1, \"loss\": {" << in_json
                                       << ": 1}, \"evaluation\": {" << in_json << ": {\"acc@1\": 5}}}\n";
  auto data = full_data();
  data.title = data.summary = evil;
  data.results[0].stage = data.results[0].weights = evil;
  data.queries[0].query.caption = data.queries[0].nearest[0].caption = data.sketches[0].before[0].caption = evil;
  data.queries[0].query.bytes = bytes(evil);
  const auto html = render_report(run.path(), data);
  EXPECT_THAT(html, testing::AllOf(Not(HasSubstr("<script")), Not(HasSubstr("\">&lt;")), HasSubstr("&quot;&gt;&lt;script&gt;")));
  expect_well_formed(html);
}

TEST(Report, ShowsFailuresFirstAndFramesTheTruePhoto) {
  TemporaryFolder run;
  const auto html = render_report(run.path(), full_data());
  EXPECT_LT(html.find("rank 37"), html.find("rank 2<"));
  EXPECT_LT(html.find("rank 2<"), html.find("rank 1<"));
  std::vector<std::string> framed;
  const std::regex frame("<figure class=\"tile true\"><img src=\"[^\"]*\" alt=\"([^\"]*)\">");
  for (std::sregex_iterator it(html.begin(), html.end(), frame), end; it != end; ++it) framed.push_back((*it)[1]);
  EXPECT_THAT(framed, testing::ElementsAre("the-true-one", "f", "a"));
}

TEST(Report, MakesDoWithAnEmptyRun) {
  TemporaryFolder run;
  const auto html = render_report(run.path(), {.title = "nothing yet", .summary = {}, .results = {}, .queries = {}, .sketches = {}});
  expect_well_formed(html);
  EXPECT_THAT(html, testing::AllOf(HasSubstr("nothing yet"), Not(HasSubstr("<h2>"))));
}

TEST(Report, SaysHowManyLinesWereDamaged) {
  TemporaryFolder run;
  std::ofstream(run / "metrics.jsonl") << "{\"stage\": \"pairs\", \"step\": 1, \"loss\": {\"total\": 1}}\ngarbage\n";
  EXPECT_THAT(render_report(run.path(), {.title = "t", .summary = {}, .results = {}, .queries = {}, .sketches = {}}),
              HasSubstr("1 damaged lines of metrics.jsonl"));
}

TEST(Report, RefusesFiguresWithoutCounts) {
  TemporaryFolder run;
  auto data = full_data();
  data.results[0].metrics.erase("queries");
  EXPECT_THAT([&] { render_report(run.path(), data); }, testing::ThrowsMessage<DataError>(HasSubstr("queries")));
  EXPECT_THROW(render_report(run / "absent", full_data()), InputMissing);
}

TEST(Report, IsWrittenIntoTheRunsFolder) {
  TemporaryFolder run;
  write_report(run.path(), full_data());
  EXPECT_THAT(read_file(run / "report.html"), testing::StartsWith("<!DOCTYPE html>"));
}

}  // namespace
}  // namespace duet
