#include <gmock/gmock.h>

#include "tests/system/tiny_run.h"

// What the commands print and write of a finished run.

namespace duet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsSupersetOf;

std::string the_run() { return finished_run().folder().string(); }

Json json_of(const Words& command) {
  const auto outcome = run(command);
  EXPECT_EQ(outcome.status, 0) << fmt::format("{}", fmt::join(command, " ")) << "\n" << outcome;
  return outcome.status == 0 ? parse_json(outcome.out, command[1]) : Json::object();
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

TEST(Eval, PrintsTheFieldsFiguresWithTheirCounts) {
  const auto test = json_of(duet({"eval", "--run", the_run(), "--json"}));
  EXPECT_THAT(keys_of(test), IsSupersetOf({"queries", "gallery", "acc@1", "acc@5", "acc@10", "mean_rank_percentile"}));
  EXPECT_EQ(test.at("queries"), 16);
  EXPECT_EQ(test.at("gallery"), 8);
  EXPECT_EQ(test.at("acc@10"), 100.0);
  for (const char* figure : {"acc@1", "acc@5", "acc@10", "mean_rank_percentile"}) {
    EXPECT_GE(test.at(figure).get<double>(), 0);
    EXPECT_LE(test.at(figure).get<double>(), 100);
  }
  const auto text = run(duet({"eval", "--run", the_run(), "--split", "validation"}));
  EXPECT_EQ(text.status, 0) << text;
  EXPECT_THAT(text.out, AllOf(HasSubstr("validation best"), HasSubstr("acc@1"), HasSubstr("16")));
}

TEST(Eval, MeasuresTheWeightsThatAreAskedFor) {
  // The same figures as the run's own at its end.
  const auto own = read_json(finished_run().folder() / "results.json").at("joint").at("validation");
  for (const char* weights : {"last", "average", "best"}) {
    const auto figures = json_of(duet({"eval", "--run", the_run(), "--split", "validation", "--weights", weights, "--json"}));
    for (const char* figure : {"queries", "gallery", "acc@1", "acc@5", "acc@10", "mean_rank_percentile"})
      EXPECT_EQ(figures.at(figure), own.at(weights).at(figure)) << weights << " " << figure;
  }
  EXPECT_EQ(json_of(duet({"eval", "--run", the_run(), "--json"})),
            json_of(duet({"eval", "--run", the_run(), "--json", "--weights", "best"})));
  const auto outcome = run(duet({"eval", "--run", the_run(), "--weights", "first"}));
  EXPECT_EQ(outcome.status, 64) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr("last, average or best"));
}

TEST(Eval, TakesACheckpointAndAnyStore) {
  const TinyRun elsewhere;
  fs::copy(finished_run().latest(), elsewhere.file("moved"), fs::copy_options::recursive);
  const auto checkpoint = elsewhere.file("moved").string(), store = (stores() / "pairs.store").string();
  EXPECT_EQ(json_of(duet({"eval", "--checkpoint", checkpoint, "--store", store, "--split", "test", "--json"})),
            json_of(duet({"eval", "--run", the_run(), "--json"})));
  const auto without = run(duet({"eval", "--checkpoint", checkpoint}));
  EXPECT_EQ(without.status, 64) << without;
  EXPECT_THAT(without.error, HasSubstr("--store is needed"));
  const auto split = run(duet({"eval", "--checkpoint", checkpoint, "--store", store, "--split", "tset"}));
  EXPECT_EQ(split.status, 64) << split;
  EXPECT_THAT(split.error, AllOf(HasSubstr("'tset'"), HasSubstr("validation")));
  const auto pool = run(duet({"eval", "--run", the_run(), "--store", (stores() / "pool.store").string(), "--split", "train"}));
  EXPECT_EQ(pool.status, 64) << pool;
  EXPECT_THAT(pool.error, HasSubstr("pool.store: split 'train' holds no sketches"));
}

TEST(Eval, RanksShareTheQueriesAndAgree) {
  const auto command = duet({"eval", "--run", the_run(), "--split", "validation", "--json"});
  const auto shared = run(under_mpirun(2, command));
  ASSERT_EQ(shared.status, 0) << shared;
  EXPECT_EQ(parse_json(shared.out, "two ranks"), json_of(command));
}

TEST(Eval, GeneratedSketchesAreQueriesToo) {
  const auto figures = json_of(duet({"eval", "--run", the_run(), "--split", "validation", "--generated", "3", "--json"}));
  EXPECT_EQ(figures.at("gallery"), 8);
  EXPECT_EQ(figures.at("queries"), 24);
}

TEST(SketchCommand, DrawsEachPhotoAsVectorsAndPixels) {
  const TinyRun tiny;
  const auto store = (stores() / "pool.store").string(), photo = tiny.file("chair.png").string(), other = tiny.file("other.png").string();
  ASSERT_EQ(run(duet({"store", "show", store, "--photo", "chair-pool-0000000000", "--out", photo})).status, 0);
  fs::copy_file(photo, other);
  const auto out = tiny.file("deep") / "drawings";
  const auto list = json_of(duet({"sketch", photo, other, "--run", the_run(), "--out", out.string(), "--json"}));
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list.at(0).at("photo"), photo);
  for (const char* name : {"chair", "other"}) {
    EXPECT_THAT(read_file(out / (std::string(name) + ".svg")), testing::StartsWith("<svg"));
    const auto png = read_file(out / (std::string(name) + ".png"));
    ASSERT_GT(png.size(), 33U);
    EXPECT_EQ(png.substr(1, 3), "PNG");
    // Width, height, bits, colour type 0: one channel.
    EXPECT_EQ(png.substr(16, 10), std::string("\0\0\1\0\0\0\1\0\x8\0", 10)) << name;
  }
  EXPECT_EQ(run(duet({"sketch", photo, "--run", the_run(), "--out", out.string(), "--samples", "2"})).status, 0);
  EXPECT_TRUE(fs::exists(out / "chair-2.svg"));
}

TEST(SketchCommand, SaysWhereItCannotWrite) {
  const TinyRun tiny;
  const auto photo = tiny.file("chair.png").string(), store = (stores() / "pool.store").string();
  ASSERT_EQ(run(duet({"store", "show", store, "--photo", "chair-pool-0000000000", "--out", photo})).status, 0);
  const auto inside_a_file = (tiny.file("tiny.cfg") / "drawings").string();
  const auto drawn = run(duet({"sketch", photo, "--run", the_run(), "--out", inside_a_file}));
  EXPECT_EQ(drawn.status, 73) << drawn;
  EXPECT_THAT(drawn.error, HasSubstr(inside_a_file));
  const auto shown = run(duet({"store", "show", store, "--photo", "chair-pool-0000000000", "--out", inside_a_file + "/x.png"}));
  EXPECT_EQ(shown.status, 74) << shown;
  EXPECT_THAT(shown.error, HasSubstr(inside_a_file));
}

TEST(InspectCommand, DescribesARunAndACheckpoint) {
  for (const auto& path : {finished_run().folder(), finished_run().checkpoints(), finished_run().latest()}) {
    const auto found = json_of(duet({"inspect", path.string(), "--json"}));
    EXPECT_EQ(found.at("checkpoint"), finished_run().latest().string());
    EXPECT_EQ(found.at("step"), 30);
    EXPECT_EQ(found.at("progress").at("counts").at("joint_retrieval"), 6);
    EXPECT_EQ(found.at("configuration").at("retrieval.backbone"), "tiny");
    std::vector<std::string> files;
    for (const auto& file : found.at("files")) {
      files.push_back(file.at("file"));
      EXPECT_EQ(file.at("finite"), true) << file.at("file");
    }
    EXPECT_THAT(files, IsSupersetOf({"retrieval.safetensors", "generator.safetensors", "discriminator.safetensors"}));
  }
}

TEST(Bench, EachPrintsItsRate) {
  const auto pairs = (stores() / "pairs.store").string();
  for (const auto& [arguments, rates] : {std::pair(Words{"decode", "--batch", "2", "--steps", "5", "--backbone", "tiny", "--side", "32"},
                                                   std::vector<std::string>{"sketches_per_second", "sgemm_gflops"}),
                                         {Words{"raster", pairs}, {"sketches_per_second"}},
                                         {Words{"loader", pairs}, {"photos_per_second"}}}) {
    const auto result = json_of(duet({"bench"}) + arguments + Words{"--seconds", "0.05", "--json"});
    for (const auto& rate : rates) EXPECT_GT(result.value(rate, 0.0), 0) << arguments[0] << ": " << result;
  }
}

}  // namespace
}  // namespace duet
