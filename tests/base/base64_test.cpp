#include "base/base64.h"

#include <gtest/gtest.h>

#include <string_view>

#include "base/checksum.h"

namespace duet {
namespace {

TEST(Base64, GivesTheVectorsOfRfc4648) {
  for (const auto& [text, encoded] : {std::pair<std::string_view, std::string_view>{"", ""},
                                      {"f", "Zg=="},
                                      {"fo", "Zm8="},
                                      {"foo", "Zm9v"},
                                      {"foob", "Zm9vYg=="},
                                      {"fooba", "Zm9vYmE="},
                                      {"foobar", "Zm9vYmFy"}})
    EXPECT_EQ(base64(bytes_of(text)), encoded);
}

TEST(Base64, ForPathsHoldsNoSlashAndNoPlus) {
  const std::string_view text = "\xfb\xff\xbf";
  EXPECT_EQ(base64(bytes_of(text)), "+/+/");
  EXPECT_EQ(base64_for_paths(bytes_of(text)), "-_-_");
}

}  // namespace
}  // namespace duet
