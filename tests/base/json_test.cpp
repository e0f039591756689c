#include "base/json.h"

#include <gmock/gmock.h>

namespace duet {
namespace {

TEST(Json, FaultsNameTheirSubjectAndKey) {
  EXPECT_THAT([] { parse_json("{", "some/file"); }, testing::ThrowsMessage<DataError>(testing::HasSubstr("some/file")));
  const auto object = parse_json(R"({"count": "three"})", "f");
  EXPECT_THAT([&] { member<int>(object, "count", "f"); }, testing::ThrowsMessage<DataError>(testing::HasSubstr("'count'")));
  EXPECT_THROW(member<int>(object, "absent", "f"), DataError);
}

TEST(Json, WhatWouldExhaustTheStackOrTheClockIsRefusedBeforeItIsParsed) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(64), "f"));
  for (const auto depth : {65, 100'000}) {
    EXPECT_THAT([&] { parse_json(nested(depth), "some/file"); },
                testing::ThrowsMessage<DataError>(testing::HasSubstr("some/file: its JSON is nested more than 64 deep")));
    EXPECT_TRUE(parse_json_line(R"({"a":)" + nested(depth) + "}").is_discarded());
  }
  EXPECT_NO_THROW(parse_json(R"({"text": ")" + std::string(100, '[') + R"(\"[[["})", "f")) << "brackets in strings do not count";
  EXPECT_NO_THROW(parse_json("[" + std::string(99, ' ') + "[1],[2],[3]]", "f"));

  const auto object_of = [](int keys) {
    std::string text = "{";
    for (int i = 0; i < keys; ++i) text += fmt::format(R"({}"{}":0)", i == 0 ? "" : ",", i);
    return text + "}";
  };
  EXPECT_NO_THROW(parse_json(object_of(1024), "f"));
  EXPECT_THAT([&] { parse_json(object_of(1025), "f"); }, testing::ThrowsMessage<DataError>(testing::HasSubstr("1024 keys")));
  EXPECT_NO_THROW(check_json_bounds(object_of(2000), "f", {.keys = 2000}));
  EXPECT_THAT([&] { check_json_bounds("[1,2,3,4]", "f", {.values = 4}); },
              testing::ThrowsMessage<DataError>(testing::HasSubstr("4 values")));
}

TEST(Json, NumbersThatDoNotFitAreRefused) {
  const auto object = parse_json(R"({"large": 4294967296, "huge": 1e300, "negative": -1, "whole": 3.0, "truth": true})", "f");
  EXPECT_THROW(member<int>(object, "large", "f"), DataError);
  EXPECT_THROW(member<std::int64_t>(object, "huge", "f"), DataError);
  EXPECT_THROW(member<std::uint64_t>(object, "negative", "f"), DataError);
  EXPECT_EQ(member<std::int64_t>(object, "large", "f"), std::int64_t{1} << 32);
  EXPECT_EQ(member<int>(object, "whole", "f"), 3);
  EXPECT_TRUE(member<bool>(object, "truth", "f"));
}

TEST(Json, TextThatIsNotUtf8IsWrittenAllTheSame) { EXPECT_EQ(json_text({{"name", "caf\xe9.png"}}), "{\"name\":\"caf\uFFFD.png\"}"); }

}  // namespace
}  // namespace duet
