#include "datasets/import/photos/id_journal.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "base/error.h"

namespace duet {
namespace {

TEST(IdJournal, KeepsItsFilesWhereTmpdirSays) {
  ::setenv("TMPDIR", "/absent", 1);
  EXPECT_THROW(IdJournal(), CannotWrite);
  ::unsetenv("TMPDIR");
  IdJournal journal;
  journal.append("chair");
  journal.append("table");
  EXPECT_EQ(journal.at(1), "table");
}

}  // namespace
}  // namespace duet
