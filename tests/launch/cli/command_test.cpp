#include "launch/cli/command.h"

#include <gmock/gmock.h>

#include <new>

namespace duet {
namespace {

namespace po = boost::program_options;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

CommandLine show_line() {
  CommandLine line{.command = "store show",
                   .description = "Writes one photo or sketch of a store as a picture.",
                   .positionals = {{"STORE", "folder of the store"}, {"MORE", "further stores", 0, -1}},
                   .examples = {"duet store show pairs.store --sketch 12_1 --out sketch.svg"}};
  line.options.add_options()("side", po::value<int>()->default_value(256)->value_name("PIXELS"), "longest side")(
      "sketch", po::value<std::string>()->value_name("ID"), "the sketch")("out", po::value<std::string>(), "file")(
      "json", po::bool_switch(), "print JSON");
  return line;
}

ParsedOptions parse_words(std::vector<std::string> words) { return parse(show_line(), words); }

std::string refusal(std::vector<std::string> words) {
  try {
    parse_words(std::move(words));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Command, ReadsOptionsAndPositionals) {
  const auto options = parse_words({"a.store", "--side", "128", "--json", "b.store", "--sketch=x=y", "c.store"});
  EXPECT_EQ(options.argument("STORE"), "a.store");
  EXPECT_THAT(options.arguments("MORE"), ElementsAre("b.store", "c.store"));
  EXPECT_EQ(options.get<int>("side"), 128);
  EXPECT_EQ(options.get<std::string>("sketch"), "x=y");
  EXPECT_TRUE(options.is_on("json"));
  EXPECT_FALSE(options.has("out"));
  EXPECT_THAT(options.as_given(), ElementsAre(Pair("side", "128"), Pair("json", ""), Pair("sketch", "x=y")));
}

TEST(Command, DefaultsAreThereButNotGiven) {
  const auto options = parse_words({"a.store"});
  EXPECT_EQ(options.get<int>("side"), 256);
  EXPECT_FALSE(options.given("side"));
  EXPECT_FALSE(options.is_on("json"));
  EXPECT_THAT(options.arguments("MORE"), IsEmpty());
  EXPECT_EQ(options.get_or<std::string>("out", "here"), "here");
  EXPECT_THROW(options.get<std::string>("out"), UsageError);
}

TEST(Command, TakesNegativeEmptyAndDashedValues) {
  EXPECT_EQ(parse_words({"s", "--side", "-1"}).get<int>("side"), -1);
  EXPECT_EQ(parse_words({"s", "--side=-1"}).get<int>("side"), -1);
  EXPECT_EQ(parse_words({"s", "--out="}).get<std::string>("out"), "");
  EXPECT_EQ(parse_words({"s", "--out", ""}).get<std::string>("out"), "");
  EXPECT_EQ(parse_words({"--", "--odd-name"}).argument("STORE"), "--odd-name");
}

TEST(Command, UnknownOptionsSuggestTheNearest) {
  EXPECT_THAT(refusal({"s", "--skecth", "1"}), HasSubstr("unknown option '--skecth'. Did you mean '--sketch'?"));
  EXPECT_THAT(refusal({"s", "--ouput", "1"}), HasSubstr("unknown option '--ouput'"));
  EXPECT_THAT(refusal({"s", "--quite-different"}), Not(HasSubstr("Did you mean")));
}

TEST(Command, NeverGuessesFromTheBeginningOfAName) { EXPECT_THAT(refusal({"s", "--sid", "3"}), HasSubstr("Did you mean '--side'?")); }

TEST(Command, NamesWhatDoesNotFit) {
  EXPECT_THAT(refusal({"s", "--side", "wide"}), HasSubstr("side"));
  EXPECT_THAT(refusal({"s", "--side"}), HasSubstr("side"));
  EXPECT_THAT(refusal({"s", "--side", "1", "--side", "2"}), HasSubstr("side"));
  EXPECT_THAT(refusal({}), HasSubstr("STORE is missing (folder of the store)"));
  CommandLine none{.command = "version", .description = "Prints versions."};
  EXPECT_THROW(parse(none, std::vector<std::string>{"extra"}), UsageError);
  EXPECT_THROW(parse(none, std::vector<std::string>{"-v"}), UsageError);
}

TEST(Command, HelpShowsUsageOptionsAndExamples) {
  try {
    parse_words({"--side", "wide", "--help"});
    FAIL() << "--help must win over everything else";
  } catch (const HelpRequested& help) {
    EXPECT_THAT(help.text, HasSubstr("Usage: duet store show STORE [MORE…]"));
    EXPECT_THAT(help.text, HasSubstr("--side PIXELS (=256)"));
    EXPECT_THAT(help.text, HasSubstr("duet store show pairs.store --sketch 12_1 --out sketch.svg"));
  }
}

TEST(Command, NearestNameKnowsSwapsAndTheLastPartOfDottedNames) {
  const std::vector<std::string> names{"run.seed", "data.pool", "joint.pool_batch"};
  EXPECT_EQ(nearest_name("run.sede", names), "run.seed");
  EXPECT_EQ(nearest_name("seed", names), "run.seed");
  EXPECT_EQ(nearest_name("pool_bacth", names), "joint.pool_batch");
  EXPECT_EQ(nearest_name("xyzzy", names), "");
  EXPECT_EQ(nearest_name("", names), "");
}

struct Outcome {
  int status;
  std::string out, error;
};

Outcome run(std::vector<std::string> arguments) {
  const std::vector<Command> commands{
      {.name = "store",
       .summary = "look into stores",
       .run =
           [](auto args) {
             const std::vector<Command> parts{{.name = "info", .summary = "counts", .run = [](auto) { return 3; }}};
             return run_part("store", "Looks into stores.", parts, args);
           },
       .group = "Data"},
      {.name = "fail",
       .summary = "fails",
       .run = [](auto args) -> int {
         if (args[0] == "data") throw DataError("pool.store: shard {} is damaged.", 7);
         if (args[0] == "memory") throw std::bad_alloc();
         if (args[0] == "thread") throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
         throw std::runtime_error("the cause\nException raised from somewhere at file.cpp:1\nframe #0: ...");
       },
       .group = "Other"}};
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = run_program(commands, arguments);
  auto error = testing::internal::GetCapturedStderr();
  return {status, testing::internal::GetCapturedStdout(), std::move(error)};
}

TEST(Program, RunsTheNamedPartAndReturnsItsStatus) { EXPECT_EQ(run({"store", "info"}).status, 3); }

TEST(Program, HelpListsCommandsByGroup) {
  for (const auto& words : {std::vector<std::string>{}, {"--help"}, {"-h"}}) {
    const auto outcome = run(words);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.out, HasSubstr("Data:\n  store  look into stores"));
    EXPECT_THAT(outcome.error, IsEmpty());
  }
  EXPECT_THAT(run({"store", "--help"}).out, HasSubstr("Usage: duet store COMMAND"));
}

TEST(Program, ErrorsNameTheCommandAndCarryTheirStatus) {
  const auto data = run({"fail", "data"});
  EXPECT_EQ(data.status, 65);
  EXPECT_EQ(data.error, "duet fail: pool.store: shard 7 is damaged.\n");
  const auto unknown = run({"stroe"});
  EXPECT_EQ(unknown.status, 64);
  EXPECT_THAT(unknown.error, HasSubstr("duet: unknown command 'stroe'. Did you mean 'store'?"));
  EXPECT_THAT(run({"store", "infos"}).error, HasSubstr("duet store: unknown command 'infos'. Did you mean 'info'?"));
}

TEST(Program, DefectsEndWithInternalErrorAndWithoutATrace) {
  const auto outcome = run({"fail", "else"});
  EXPECT_EQ(outcome.status, 70);
  EXPECT_EQ(outcome.error, "duet fail: the cause\n");
  for (const auto* limit : {"memory", "thread"}) EXPECT_EQ(run({"fail", limit}).status, 69) << "a limit of the machine, no defect";
}

}  // namespace
}  // namespace duet
