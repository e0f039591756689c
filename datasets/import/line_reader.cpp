#include "datasets/import/line_reader.h"

#include <cerrno>

#include "base/file.h"

namespace duet {

LineReader::LineReader(const std::filesystem::path& file, std::size_t limit_bytes)
    : file_(file), limit_(limit_bytes), stream_(file, std::ios::binary) {
  if (!stream_) throw_cannot_read(file, errno);
  if (std::filesystem::is_directory(file)) throw_cannot_read(file, EISDIR);
}

LineReader::Found LineReader::next(std::string& line) {
  line.clear();
  bool any = false, too_long = false;
  auto* buffer = stream_.rdbuf();
  try {
    for (int c = buffer->sbumpc(); c != std::char_traits<char>::eof(); c = buffer->sbumpc()) {
      any = true;
      ++position_;
      if (c == '\n') break;
      if (line.size() < limit_)
        line += static_cast<char>(c);
      else
        too_long = true;
    }
  } catch (const std::ios_base::failure&) {  // of the system's read
    throw_cannot_read(file_, errno);
  }
  if (!any) return Found::end;
  ++number_;
  if (too_long)
    line.clear();
  else if (line.ends_with('\r'))
    line.pop_back();
  return too_long ? Found::too_long : Found::line;
}

}  // namespace duet
