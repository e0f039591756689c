#include "base/json.h"

#include "base/file.h"

namespace duet {

Json parse_json(const std::string& text, const std::string& subject) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw DataError("{}: is not valid JSON: {}", subject, error.what());
  }
}

Json read_json(const std::filesystem::path& file) { return parse_json(read_file(file), file.string()); }

}  // namespace duet
