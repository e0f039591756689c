#include "launch/cli/output_file.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"

namespace duet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

class OutputFile : public testing::Test {
 protected:
  void put(const std::string& name, std::string_view content) const {
    fs::create_directories((folder_ / name).parent_path());
    write_file_atomically(folder_ / name, content);
  }

  TemporaryFolder folder_;
};

TEST_F(OutputFile, NeverFallsOnAnInputWhateverLinksLeadThere) {
  put("photos/a.png", "DRAWN and yet read");
  fs::create_directory_symlink(folder_ / "photos", folder_ / "drawings");
  fs::create_directory(folder_ / "hard");
  fs::create_hard_link(folder_ / "photos/a.png", folder_ / "hard/a.png");
  const std::vector<fs::path> inputs = {folder_ / "photos/a.png"};
  for (const char* place : {"photos", "drawings", "hard"}) {
    EXPECT_THAT([&] { refuse_to_overwrite(folder_ / place / "a.png", inputs, "DRAWN"); },
                ThrowsMessage<CannotCreate>(AllOf(HasSubstr((folder_ / place / "a.png").string()), HasSubstr(inputs[0].string()))));
  }
}

TEST_F(OutputFile, ReplacesOnlyWhatItsCommandWrote) {
  put("earlier.png", "DRAWN before");
  put("somebody's.png", "a photo");
  put("short.png", "DR");
  fs::create_symlink(folder_ / "earlier.png", folder_ / "link.png");
  fs::create_symlink(folder_ / "nowhere.png", folder_ / "dangling.png");
  fs::create_directory(folder_ / "folder.png");
  EXPECT_NO_THROW(refuse_to_overwrite(folder_ / "new.png", {}, "DRAWN"));
  EXPECT_NO_THROW(refuse_to_overwrite(folder_ / "earlier.png", {}, "DRAWN"));
  for (const char* name : {"somebody's.png", "short.png", "link.png", "dangling.png", "folder.png"})
    EXPECT_THROW(refuse_to_overwrite(folder_ / name, {}, "DRAWN"), CannotCreate) << name;
}

TEST_F(OutputFile, OfARunNeedsAFolderThatIsNotSomebodyElses) {
  EXPECT_NO_THROW(refuse_foreign_run_folder(folder_ / "absent"));
  put("mine/config.cfg", "[run]\nseed = 3\n");
  put("mine/notes.txt", "x");
  EXPECT_THAT([&] { refuse_foreign_run_folder(folder_ / "mine"); }, ThrowsMessage<CannotCreate>(HasSubstr("config.cfg")));
  put("mine/owner.json", "{}");
  EXPECT_NO_THROW(refuse_foreign_run_folder(folder_ / "mine")) << "a run's own";
  put("copied/checkpoints/latest", "step-00000001\n");
  put("copied/config.cfg", "[run]\n");
  EXPECT_NO_THROW(refuse_foreign_run_folder(folder_ / "copied")) << "a checkpoint that is continued elsewhere";
}

TEST_F(OutputFile, OfARunIsNotWrittenThroughLinks) {
  put("run/owner.json", "{}");
  fs::create_directory_symlink(folder_ / "run", folder_ / "reached");
  EXPECT_NO_THROW(refuse_foreign_run_folder(folder_ / "reached")) << "the folder itself may be a link";
  fs::create_directory(folder_ / "elsewhere");
  for (const char* name : {"log", "checkpoints", "samples", "tensorboard", "metrics.jsonl", "run.lock"}) {
    fs::create_symlink(folder_ / "elsewhere", folder_ / "run" / name);
    EXPECT_THAT([&] { refuse_foreign_run_folder(folder_ / "run"); },
                ThrowsMessage<CannotCreate>(AllOf(HasSubstr(name), HasSubstr("elsewhere"))));
    fs::remove(folder_ / "run" / name);
  }
}

}  // namespace
}  // namespace duet
