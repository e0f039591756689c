#include "trainer/report/html.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/checksum.h"

namespace duet {
namespace {

using namespace std::string_literals;

TEST(EscapeHtml, LeavesNothingThatCouldEndTextOrAttribute) {
  EXPECT_EQ(escape_html("<b a=\"x\" c='y'>&amp;"), "&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;amp;");
}

TEST(EscapeHtml, KeepsTextOfAllLanguages) {
  EXPECT_EQ(escape_html("Stühle 椅子 \xF0\x9F\xAA\x91\n\t"), "Stühle 椅子 \xF0\x9F\xAA\x91\n\t");
}

TEST(EscapeHtml, ReplacesBytesThatAreNoText) {
  const auto mark = "\xEF\xBF\xBD"s;
  EXPECT_EQ(escape_html("a\xFFz"), "a" + mark + "z");
  EXPECT_EQ(escape_html("\xC3"), mark);                             // ends within a sequence
  EXPECT_EQ(escape_html("\xC0\xBC"), mark + mark);                  // '<' in too many bytes
  EXPECT_EQ(escape_html("\xED\xA0\x80"), mark + mark + mark);       // a surrogate
  EXPECT_EQ(escape_html("\xE2<script>"), mark + "&lt;script&gt;");  // a broken sequence must not swallow what follows
  EXPECT_EQ(escape_html("a\0b"s), "a" + mark + "b");
}

TEST(DataUri, EncodesAsRfc4648Says) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, encoded] : cases) {
    EXPECT_EQ(data_uri(bytes_of(std::string(text))), std::string("data:application/octet-stream;base64,") + encoded);
  }
}

TEST(DataUri, KnowsImagesByTheirFirstBytes) {
  auto type = [](const std::string& bytes) {
    const auto uri = data_uri(bytes_of(bytes));
    return uri.substr(5, uri.find(';') - 5);
  };
  EXPECT_EQ(type("\xff\xd8\xff\xe0"), "image/jpeg");
  EXPECT_EQ(type("\x89PNG\r\n\x1a\n"), "image/png");
  EXPECT_EQ(type("RIFF\1\2\3\4WEBPVP8 "), "image/webp");
  EXPECT_EQ(type("<svg xmlns='x'/>"), "image/svg+xml");
  EXPECT_EQ(type("<html>"), "application/octet-stream");
}

}  // namespace
}  // namespace duet
