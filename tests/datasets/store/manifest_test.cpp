#include "datasets/store/manifest.h"

#include <gmock/gmock.h>

#include "base/checksum.h"
#include "datasets/store/shard.h"
#include "datasets/store/verify.h"
#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Damage, WrongManifestsAreRefused) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 10);
  const auto file = path / "manifests/00000001.json";
  const auto good = parse_json(content_of(file), "good");
  const auto refusal = [&](auto change) {
    auto json = good;
    change(json);
    overwrite(file, json.dump());
    return message_of<DataError>([&] {
      std::vector<std::byte> out;
      Store::open(path)->view("all").read_photo(0, out);
    });
  };
  EXPECT_THAT(refusal([](Json& json) { json["version"] = 2; }), HasSubstr("format version 2, this program reads 1"));
  EXPECT_THAT(refusal([](Json& json) { json.erase("shards"); }), HasSubstr("'shards' is missing"));
  EXPECT_THAT(refusal([](Json& json) { json["shards"][0]["file"] = "../../etc/passwd"; }), HasSubstr("no shard's name"));
  EXPECT_THAT(refusal([](Json& json) { json["shards"][0]["file"] = "shards/../../x.h5"; }), HasSubstr("no shard's name"));
  EXPECT_THAT(refusal([](Json& json) { json["shards"][0]["photos"] = -1; }), HasSubstr("'photos' is -1"));
  EXPECT_THAT(refusal([](Json& json) { json["shards"][0]["photos"] = 1e300; }), HasSubstr("'photos' has the wrong type"));
  EXPECT_THAT(refusal([](Json& json) { json["shards"][0]["photos"] = "many"; }), HasSubstr("'photos' has the wrong type"));
  EXPECT_THAT(refusal([](Json& json) { json["shards"].push_back(json["shards"][0]); }), HasSubstr("twice"));
  EXPECT_THAT(refusal([](Json& json) { json["counts"]["photos"] = 11; }), HasSubstr("counts are not those"));
  EXPECT_THAT(refusal([](Json& json) { json["generation"] = 5; }), HasSubstr("says it is generation 5"));
  EXPECT_THAT(refusal([](Json& json) { json["shards"][0]["checksum"] = "xyz"; }), HasSubstr("'checksum'"));
  EXPECT_THAT(refusal([](Json& json) { json["kind"] = "pool"; }), HasSubstr("do not belong in a store of kind 'pool'"));
  EXPECT_THAT(refusal([](Json& json) { json["photo_format"] = "raw"; }), HasSubstr("manifest of generation 1 says"));
  EXPECT_THAT(refusal([](Json& json) {
                json["shards"][0]["photos"] = json["shards"][0]["photos"].get<int>() + 1;
                json["counts"]["photos"] = 11;
              }),
              HasSubstr("but the manifest of generation 1 says"));
  overwrite(file, "{\"format\": ");
  EXPECT_THAT(message_of<DataError>([&] { Store::open(path); }), AllOf(HasSubstr("00000001.json"), HasSubstr("not valid JSON")));
  const std::string deep = std::string(30'000, '[') + std::string(30'000, ']');
  overwrite(file, good.dump().substr(0, good.dump().size() - 1) + ",\"more\":" + deep + "}");
  EXPECT_THAT(message_of<DataError>([&] { Store::open(path); }), AllOf(HasSubstr("00000001.json"), HasSubstr("nested more than")));
  overwrite(path / "manifest.json", deep);
  EXPECT_THAT(message_of<DataError>([&] { Store::open(path); }), AllOf(HasSubstr("manifest.json"), HasSubstr("nested more than")));
  overwrite(path / "manifest.json", "[1]");
  EXPECT_THAT(message_of<DataError>([&] { Store::open(path); }), HasSubstr("manifest.json"));
}

}  // namespace
}  // namespace duet
