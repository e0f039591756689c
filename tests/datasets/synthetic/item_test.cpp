#include "datasets/synthetic/item.h"

#include <gmock/gmock.h>

#include <set>

#include "base/error.h"
#include "datasets/image/perceptual_hash.h"
#include "datasets/store/store.h"
#include "datasets/synthetic/write.h"

namespace duet {
namespace {

using ::testing::HasSubstr;

TEST(SyntheticItem, IsAPureFunctionOfKindSeedAndIndex) {
  for (const auto kind : {ItemKind::chair, ItemKind::shoe}) {
    const auto first = render_item(kind, 5, 17);
    render_item(kind, 5, 18);
    const auto again = render_item(kind, 5, 17);
    EXPECT_EQ(first.photo, again.photo);
    EXPECT_EQ(first.sketch, again.sketch);
    EXPECT_EQ(render_photo(kind, 5, 17), first.photo);
    EXPECT_EQ(render_sketch(kind, 5, 17, 0), first.sketch);
    EXPECT_NE(render_photo(kind, 6, 17), first.photo);
    EXPECT_NE(render_sketch(kind, 5, 17, 1), first.sketch);
  }
  EXPECT_NE(render_photo(ItemKind::chair, 5, 17), render_photo(ItemKind::shoe, 5, 17));
}

TEST(SyntheticItem, IsADifferentThingForEveryIndex) {
  for (const auto kind : {ItemKind::chair, ItemKind::shoe}) {
    std::set<std::uint64_t> hashes;
    for (int index = 0; index < 80; ++index) hashes.insert(perceptual_hash(render_photo(kind, 1, index, 128)));
    EXPECT_GE(hashes.size(), 79u) << to_string(kind);
  }
}

TEST(ItemKind, IsNamed) {
  for (const auto kind : {ItemKind::chair, ItemKind::shoe}) EXPECT_EQ(item_kind(to_string(kind)), kind);
  try {
    item_kind("table");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'table'"));
  }
}

}  // namespace
}  // namespace duet
