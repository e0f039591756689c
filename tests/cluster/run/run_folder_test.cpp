#include "cluster/run/run_folder.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

class RunFolderTest : public testing::Test {
 protected:
  RunFolderTest() {
    std::filesystem::create_directories(run_.checkpoints().path());
    std::filesystem::create_directories(run_.log());
    std::filesystem::create_directories(run_.samples());
  }
  void latest_says(const std::string& text) { write_file_atomically(run_.checkpoints().latest(), text); }

  TemporaryFolder folder_;
  RunFolder run_{folder_ / "run"};
};

TEST_F(RunFolderTest, LatestNamesTheNewestCheckpointWhateverFollowsTheName) {
  EXPECT_FALSE(run_.checkpoints().has_any());
  EXPECT_FALSE(run_.checkpoints().newest());
  for (const char* end : {"", "\n", "\r\n", " \n"}) {
    latest_says(std::string("step-00000240") + end);
    EXPECT_TRUE(run_.checkpoints().has_any());
    EXPECT_EQ(run_.checkpoints().newest(), folder_ / "run/checkpoints/step-00000240");
  }
}

TEST_F(RunFolderTest, LatestLeadsNowhereElse) {
  for (const char* text : {"", "../../etc\n", "/etc", "step-1", "step-0000024x", "step-00000240/..", "step-00000240\nstep-00000250"}) {
    latest_says(text);
    EXPECT_THAT([&] { run_.checkpoints().newest(); }, testing::ThrowsMessage<DataError>(HasSubstr("checkpoints/latest"))) << text;
  }
}

TEST_F(RunFolderTest, NamesOfCheckpointsAreKnownAgain) {
  const auto checkpoints = run_.checkpoints();
  const auto name = [](const std::filesystem::path& path) { return path.filename().string(); };
  EXPECT_EQ(name(checkpoints.of_step(240)), "step-00000240");
  for (const std::int64_t step : {0LL, 240LL, 123'456'789'012LL}) {
    EXPECT_TRUE(RunCheckpoints::is_name(name(checkpoints.of_step(step))));
    EXPECT_FALSE(RunCheckpoints::is_replaced(name(checkpoints.of_step(step))));
    EXPECT_TRUE(RunCheckpoints::is_name(name(checkpoints.replaced(step, 7))));
    EXPECT_TRUE(RunCheckpoints::is_replaced(name(checkpoints.replaced(step, 7))));
    EXPECT_TRUE(RunCheckpoints::is_partial(name(checkpoints.partial(step))));
    EXPECT_FALSE(RunCheckpoints::is_name(name(checkpoints.partial(step))));
  }
  for (const char* other : {"latest", "step-", "step-1234567", "step-00000240.replaced-", "step-00000240.bak", "xstep-00000240"})
    EXPECT_FALSE(RunCheckpoints::is_name(other)) << other;
  EXPECT_EQ(RunFolder::of_checkpoint(checkpoints.of_step(240)).path(), run_.path());
}

TEST_F(RunFolderTest, FilesOfTheRetrievalNetworkByItsWeights) {
  EXPECT_EQ(CheckpointFile::of_retrieval("last"), CheckpointFile::of_network("retrieval"));
  EXPECT_EQ(CheckpointFile::of_retrieval("best"), "retrieval-best.safetensors");
}

TEST_F(RunFolderTest, FindsWhatRanksLeftAmongOtherLogs) {
  EXPECT_THAT(run_.traces(), testing::IsEmpty());
  for (const auto& file : {run_.trace(0), run_.trace(12), run_.last_words(3), run_.rank_log(0), run_.ranks_joined(), run_.slurm_log("7")})
    std::ofstream(file) << "x";
  EXPECT_THAT(run_.traces(), UnorderedElementsAre(run_.trace(0), run_.trace(12)));
  EXPECT_THAT(run_.all_last_words(), UnorderedElementsAre(run_.last_words(3)));
}

TEST_F(RunFolderTest, TheNewestSampleIsThatOfTheStageAndPhoto) {
  EXPECT_FALSE(run_.newest_sample("pairs", 3));
  for (const auto& file :
       {run_.sample("pairs", 90, 3), run_.sample("pairs", 240, 3), run_.sample("pairs", 300, 13), run_.sample("joint", 400, 3)})
    std::ofstream(file) << "x";
  EXPECT_EQ(run_.newest_sample("pairs", 3), run_.sample("pairs", 240, 3));
}

}  // namespace
}  // namespace duet
