#include <gmock/gmock.h>

#include <signal.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "tests/monitoring/log/read_event_file.h"
#include "tests/python.h"
#include "tests/system/tiny_run.h"

namespace duet {
namespace {

/// (tag, step) to value, as TensorBoard shows them: files in the order of their names, of which the beginning of a session takes back what
/// earlier ones hold from its step on. Fails the test for a step that is there twice all the same.
std::map<std::pair<std::string, std::int64_t>, double> points_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::map<std::pair<std::string, std::int64_t>, double> points;
  for (const auto& file : files) {
    std::istringstream lines(run_python(kReadEventFile, {file}));
    for (std::string line; std::getline(lines, line);) {
      const auto event = parse_json(line, "python");
      const auto step = event.at("step").get<std::int64_t>();
      if (event.contains("session")) std::erase_if(points, [&](const auto& point) { return point.first.second >= step; });
      if (!event.contains("scalars")) continue;
      for (const auto& [tag, value] : event.at("scalars").items()) {
        EXPECT_TRUE(points.emplace(std::pair(tag, step), value.get<double>()).second) << tag << " at step " << step << " twice";
      }
    }
  }
  return points;
}

TEST(TensorBoard, ShowsWhatMetricsSayAfterAnInterruptionToo) {
  const TinyRun tiny;
  // Dies some steps after the last checkpoint, which it therefore repeats.
  const auto command = tiny.train({"--monitoring.tensorboard=true"});
  {
    Child program(command);
    wait_for_steps(program, tiny, 17);
    program.send(SIGKILL);
    program.wait();
  }
  const auto outcome = run(command);
  ASSERT_EQ(outcome.status, 0) << outcome;

  const auto points = points_of(tiny.folder() / "tensorboard");
  std::size_t expected = 0;
  std::ifstream in(tiny.folder() / "metrics.jsonl");
  for (std::string text; std::getline(in, text);) {
    const auto line = parse_json(text, "metrics.jsonl");
    const std::function<void(const std::string&, const Json&)> expect = [&](const std::string& tag, const Json& value) {
      if (value.is_object()) {
        for (const auto& [name, part] : value.items()) expect(tag + "/" + name, part);
      }
      if (!value.is_number()) return;
      ++expected;
      const auto found = points.find({tag, line.at("total_step").get<std::int64_t>()});
      ASSERT_NE(found, points.end()) << tag << " of " << text;
      EXPECT_EQ(found->second, double{value.get<float>()}) << tag << " of " << text;
    };
    const auto prefix =
        line.at("stage") == "joint" && line.contains("phase") ? line.at("phase").get<std::string>() : line.at("stage").get<std::string>();
    for (const auto& [name, value] : line.items()) {
      if (name != "step" && name != "total_step" && name != "time") expect(prefix + "/" + name, value);
    }
  }
  EXPECT_GT(expected, 100U);
  EXPECT_EQ(points.size(), expected) << "there is more in TensorBoard's files than in metrics.jsonl";
}

TEST(TensorBoard, GetsNothingUnlessAskedFor) { EXPECT_FALSE(std::filesystem::exists(finished_run().folder() / "tensorboard")); }

}  // namespace
}  // namespace duet
