#include <gmock/gmock.h>
#include <signal.h>

#include <set>

#include "tests/system/tiny_run.h"

namespace duet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

/// Half a photo behind its beginning: inside the JPEG, not in an index.
void damage_photo(const fs::path& shard, std::size_t photo) {
  const auto places = photos_in(shard);
  ASSERT_GT(places.size(), photo + 1);
  flip_bit(shard, (places[photo] + places[photo + 1]) / 2);
}

int times_said(const std::string& text, const std::string& what) {
  int times = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++times;
  return times;
}

std::vector<std::string> quarantined(const TinyRun& tiny, int ranks) {
  std::vector<std::string> reasons;
  for (int rank = 0; rank < ranks; ++rank) {
    for (const auto& line : tiny.log(rank)) {
      if (line.value("event", "") == "bad_sample") reasons.push_back(line.at("reason"));
    }
  }
  return reasons;
}

TEST(DamagedData, AFlippedBitCostsOneSample) {
  const TinyRun tiny;
  const auto pool = copy_store("pool.store", tiny.file("data"));
  const auto shard = shard_of(pool, "train");
  damage_photo(shard, 3);

  const auto verified = run(duet({"store", "verify", pool.string()}));
  EXPECT_EQ(verified.status, 65) << verified;
  EXPECT_THAT(verified.out, AllOf(HasSubstr(shard.filename().string()), HasSubstr("checksum"), HasSubstr("1 bad samples")));

  // The whole pool passes at least twice.
  const auto outcome = run(tiny.train({"--ranks", "2", "--data.pool", pool.string(), "--joint.steps=12"}));
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr(shard.filename().string()), HasSubstr("Another sample stands in for it")));
  const auto reasons = quarantined(tiny, 2);
  ASSERT_FALSE(reasons.empty());
  for (const auto& reason : reasons) EXPECT_THAT(reason, AllOf(HasSubstr(pool.string()), HasSubstr("checksum"), HasSubstr("chair-pool-")));
  EXPECT_EQ(tiny.steps().back().at("total_step"), read_json(tiny.latest() / "manifest.json").at("step"));
}

TEST(DamagedData, ManyEndTheRun) {
  const TinyRun tiny;
  const auto pairs = copy_store("pairs.store", tiny.file("data"));
  const auto shard = shard_of(pairs, "train");
  for (std::size_t photo = 0; photo < 6; ++photo) damage_photo(shard, photo);

  const auto verified = run(duet({"store", "verify", pairs.string(), "--json"}));
  EXPECT_EQ(verified.status, 65) << verified;
  const auto report = parse_json(verified.out, "report");
  EXPECT_EQ(report.at("good"), false);
  EXPECT_EQ(report.at("bad_sample_count"), 6);
  for (const auto& sample : report.at("bad_samples")) EXPECT_EQ(sample.at("kind"), "photo") << sample;

  for (const auto& ranks : {Words(), Words{"--ranks", "2"}}) {
    const auto outcome = run(tiny.train(endless() + ranks + Words{"--data.labelled", pairs.string()}));
    EXPECT_EQ(outcome.status, 65) << outcome;
    EXPECT_THAT(outcome.error,
                AllOf(HasSubstr(pairs.string()), HasSubstr("records cannot be read"), HasSubstr("`duet store verify " + pairs.string())));
    EXPECT_EQ(times_said(outcome.error, "records cannot be read"), 1) << outcome;
    if (!ranks.empty()) {
      EXPECT_THAT(outcome.error, testing::ContainsRegex("rank [01] ended the run with status 65: "));
    }
  }
  const auto tolerant = run(tiny.train({"--data.max_bad_fraction=0.5", "--data.labelled", pairs.string()}));
  EXPECT_EQ(tolerant.status, 0) << tolerant;
}

TEST(DamagedData, AnUnreadableValidationPhotoIsLeftOutWhereverItWouldBeLookedAt) {
  const TinyRun tiny;
  const auto pairs = copy_store("pairs.store", tiny.file("data"));
  damage_photo(shard_of(pairs, "validation"), 2);
  const Words damaged{"--data.labelled", pairs.string(), "--run.samples_every=4"};

  const auto tolerant = run(tiny.train(damaged + Words{"--ranks", "2"}));
  ASSERT_EQ(tolerant.status, 0) << tolerant;
  EXPECT_THAT(tolerant.error, AllOf(HasSubstr("It is left out of the evaluation"), HasSubstr("No sketch is drawn of it")));
  const auto results = read_json(tiny.folder() / "results.json");
  for (const auto& judged : {results.at("generator").at("joint"), results.at("joint").at("validation").at("last")}) {
    EXPECT_EQ(judged.at("gallery"), 7) << judged;
    EXPECT_EQ(judged.at("left_out"), 1) << judged;
  }
  std::set<std::string> drawn;
  for (const auto& entry : fs::directory_iterator(tiny.folder() / "samples")) {
    const auto name = entry.path().filename().string();
    drawn.insert(name.substr(name.rfind("photo-")));
  }
  EXPECT_EQ(drawn.size(), 7u);
  EXPECT_FALSE(drawn.contains("photo-2.svg"));
  EXPECT_THAT(read_file(tiny.folder() / "report.html"), HasSubstr("1 of these photos cannot be read and are left out"));

  damage_photo(shard_of(pairs, "validation"), 5);
  // A generator alone: nothing but the drawings looks at the validation part, and these cost no training.
  const auto alone = run(TinyRun().train(damaged + Words{"--retrieval.steps=0", "--joint.steps=0"}));
  EXPECT_EQ(alone.status, 0) << alone;
  EXPECT_THAT(alone.error, AllOf(HasSubstr(pairs.string()), HasSubstr("2 of the 6 photos that sketches were to be drawn of")));
  const auto evaluated = run(TinyRun().train(damaged));
  EXPECT_EQ(evaluated.status, 65) << evaluated;
}

TEST(DamagedData, AShardThatIsCutDuringTheRunIsNamed) {
  const TinyRun tiny;
  const auto pairs = copy_store("pairs.store", tiny.file("data"));
  const auto shard = shard_of(pairs, "train");
  Child program(tiny.train(endless() + Words{"--ranks", "2", "--data.labelled", pairs.string()}));
  wait_for_steps(program, tiny, 4);
  fs::resize_file(shard, 20'000);
  const auto outcome = program.wait();
  EXPECT_EQ(outcome.status, 65) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr(pairs.string()), HasSubstr(shard.filename().string())));
  EXPECT_TRUE(program.processes().empty());
  EXPECT_FALSE(tiny.latest().empty());
}

TEST(DamagedData, AShardThatIsGoneIsNamed) {
  const TinyRun tiny;
  const auto pairs = copy_store("pairs.store", tiny.file("data"));
  const auto shard = shard_of(pairs, "train");
  const auto command = tiny.train(endless() + Words{"--ranks", "2", "--data.labelled", pairs.string()});
  Child program(command);
  wait_for_steps(program, tiny, 6);
  fs::remove(shard);  // what is open stays readable
  const auto steps = std::ssize(tiny.steps());
  EXPECT_TRUE(wait_until([&] { return std::ssize(tiny.steps()) > steps + 3 || !program.running(); }));
  program.send(SIGTERM);
  EXPECT_EQ(program.wait().status, 75);
  const auto outcome = run(command);
  EXPECT_EQ(outcome.status, 65) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr(shard.string()));
  EXPECT_EQ(run(duet({"store", "verify", pairs.string()})).status, 65);
}

TEST(DamagedData, ASketchCommandNamesTheFileThatIsNoImage) {
  const TinyRun tiny;
  for (const auto& [file, status] : {std::pair(tiny.file("tiny.cfg"), 65), {tiny.file("absent.jpg"), 66}}) {
    const auto outcome =
        run(duet({"sketch", file.string(), "--run", finished_run().folder().string(), "--out", tiny.file("out").string()}));
    EXPECT_EQ(outcome.status, status) << outcome;
    EXPECT_THAT(outcome.error, HasSubstr(file.string()));
  }
  EXPECT_FALSE(fs::exists(tiny.file("out")));
}

}  // namespace
}  // namespace duet
