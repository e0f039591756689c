#include "datasets/import/photos/assembly.h"
#include "launch/commands/commands.h"
#include "launch/commands/data/watched_import.h"

namespace duet {

namespace po = boost::program_options;

int store_assemble(std::span<const std::string> args) {
  CommandLine line{
      .command = "store assemble",
      .description =
          "Makes one generation of the parts that `duet import photos --part` left in a store's folder: the same that one import "
          "would have made. Photos that look like one of another part are left out and listed. The parts are removed "
          "afterwards; if it is interrupted, the same command does what is left to do.",
      .positionals = {{"STORE", "folder of the store"}}};
  line.options.add_options()("if-complete", po::bool_switch(), "where parts are missing or still being written, say so and end with 0")(
      "list", po::value<std::string>()->value_name("FILE"),
      "write everything left out there, by the parts too, one a line: reason, item, detail")("json", po::bool_switch(),
                                                                                             "print the closing report as JSON");
  line.examples = {"duet store assemble pool.store", "duet store assemble pool.store --list left-out.tsv --json"};
  const auto parsed = parse(line, args);
  const AssembleOptions options{.store = parsed.argument("STORE"), .list_file = parsed.get_or<std::string>("list", "")};
  WatchedImport watched("store assemble", "files");
  try {
    const auto report = assemble_photo_parts(options, watched.hooks());
    watched.finish();
    return print_report(report, options.store, parsed.is_on("json"));
  } catch (const PartsIncomplete& incomplete) {
    if (!parsed.is_on("if-complete")) throw;
    print("Not assembled: {}\n", incomplete.what());
    return 0;
  }
}

}  // namespace duet
