#include <gmock/gmock.h>

#include <cstring>
#include <fstream>
#include <limits>

#include "tests/system/tiny_run.h"

namespace duet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct FileTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// A file of the safetensors format, all values 0.5.
fs::path write_tensors(const fs::path& file, const std::vector<FileTensor>& tensors) {
  Json header = Json::object();
  std::uint64_t end = 0;
  for (const auto& [name, shape] : tensors) {
    std::uint64_t count = 1;
    for (const auto side : shape) count *= static_cast<std::uint64_t>(side);
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {end, end + 4 * count}}};
    end += 4 * count;
  }
  const auto text = header.dump();
  const std::uint64_t length = text.size();
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << text;
  const std::vector<float> values(end / 4, 0.5F);
  out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(end));
  return file;
}

/// Puts a NaN in place of the first value of a tensor.
void poison(const fs::path& file, const std::string& tensor) {
  const auto bytes = read_file(file);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto header = parse_json(bytes.substr(sizeof length, length), file.string());
  const auto offset = sizeof length + length + header.at(tensor).at("data_offsets").at(0).get<std::uint64_t>();
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  stream.write(reinterpret_cast<const char*>(&nan), sizeof nan);
}

TEST(Weights, OfAnotherNetworkAreRefusedSayingWhatFits) {
  const TinyRun tiny;
  const auto file =
      write_tensors(tiny.file("other.safetensors"),
                    {{"layers.0.conv.weight", {16, 3, 3, 3}}, {"layers.0.bn.weight", {99}}, {"features.13.conv.0.0.weight", {4, 4, 1, 1}}});
  for (const auto& ranks : {Words(), Words{"--ranks", "2"}}) {
    const auto outcome = run(tiny.train({"--retrieval.weights", file.string()}) + ranks);
    EXPECT_EQ(outcome.status, 65) << outcome;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr(file.string() + ": 1 of the network's 20 tensors fit"), HasSubstr("18 are not in the file"),
                                     HasSubstr("layers.0.bn.weight: 99 in the file, 16 in the network"),
                                     HasSubstr("By its keys the file is of 'mobilenet_v2'"), HasSubstr("Nothing was loaded")));
  }
  EXPECT_FALSE(fs::exists(tiny.checkpoints()));
}

TEST(Weights, OfTheGeneratorAreNoneOfTheRetrievalNetwork) {
  const TinyRun tiny;
  const auto file = finished_run().latest() / "generator.safetensors";
  const auto outcome = run(tiny.train({"--retrieval.initial", file.string()}));
  EXPECT_EQ(outcome.status, 65) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr(file.string()), HasSubstr("tensors fit"), HasSubstr("head.weight")));
}

TEST(Weights, FilesThatAreCutOrOfAnotherFormatAreRefused) {
  const TinyRun tiny;
  const auto cut = tiny.file("cut.safetensors");
  fs::copy_file(finished_run().latest() / "retrieval.safetensors", cut);
  fs::resize_file(cut, fs::file_size(cut) / 2);
  for (const auto& [file, words] : {std::pair(cut, "cut"), {tiny.file("tiny.cfg"), "is JSON"}}) {
    const auto outcome = run(tiny.train({"--retrieval.initial", file.string()}));
    EXPECT_EQ(outcome.status, 65) << outcome;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr(file.string()), HasSubstr(words)));
  }
}

TEST(Weights, ThatAreNotThereAreMissedByTheirOption) {
  const TinyRun tiny;
  for (const char* option : {"retrieval.weights", "retrieval.initial", "generator.weights", "generator.initial"}) {
    const auto outcome = run(tiny.train({fmt::format("--{}=nowhere/w.safetensors", option)}));
    EXPECT_EQ(outcome.status, 66) << outcome;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr(option), HasSubstr("'nowhere/w.safetensors'")));
  }
}

TEST(Weights, ANetworkThatIsNotFiniteEndsTheRunBeforeItIsSaved) {
  for (const auto& ranks : {Words(), Words{"--ranks", "2"}}) {
    const TinyRun tiny;
    const auto file = tiny.file("w.safetensors");
    fs::copy_file(finished_run().latest() / "generator.safetensors", file);
    poison(file, "output.weight");
    const auto outcome = run(tiny.train({"--generator.initial", file.string()}) + ranks);
    EXPECT_EQ(outcome.status, 77) << outcome;
    EXPECT_THAT(outcome.error, testing::ContainsRegex("rank 0: the gradient of '[a-z.]+' is not finite"));
    EXPECT_TRUE(tiny.latest().empty());
  }
}

TEST(Weights, ANetworkThatEmbedsNothingFiniteNamesTheImage) {
  const TinyRun tiny;
  const auto file = tiny.file("w.safetensors");
  fs::copy_file(finished_run().latest() / "retrieval.safetensors", file);
  poison(file, "head.weight");
  const auto outcome = run(tiny.train(endless() + Words{"--ranks", "2", "--retrieval.initial", file.string()}));
  EXPECT_EQ(outcome.status, 77) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("the embedding of photo 'chair-"), HasSubstr("pairs.store"), HasSubstr("is not finite")));
  EXPECT_TRUE(tiny.latest().empty());
}

}  // namespace
}  // namespace duet
