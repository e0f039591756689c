#include "launch/rank/versions.h"

#include <fmt/format.h>

#include "launch/commands/commands.h"

namespace duet {
namespace {

int print_version(std::span<const std::string> args) {
  CommandLine line{.command = "version",
                   .description = "Prints the version of this program and of everything linked into it.",
                   .examples = {"duet version", "duet version --json"}};
  line.options.add_options()("json", boost::program_options::bool_switch(), "print one JSON object");
  const auto options = parse(line, args);
  const auto found = versions(/*load_cuda=*/true);
  if (options.is_on("json")) {
    print_json(found);
  } else {
    for (const auto& [name, version] : found.items()) print("{:<16}{}\n", name, version.get<std::string>());
  }
  return 0;
}

}  // namespace

Command version_command() {
  return {.name = "version", .summary = "versions of this program and of its libraries", .run = print_version, .group = "Other"};
}

}  // namespace duet
