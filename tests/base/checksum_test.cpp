#include "base/checksum.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/random.h"

namespace duet {
namespace {

TEST(Checksum, OfFileEqualsOfBytes) {
  TemporaryFolder folder;
  std::string content(3 << 20, '\0');
  KeyedRandom random(1, Purpose::test, 0, 0);
  for (auto& c : content) c = static_cast<char>(random.next());
  write_file_atomically(folder / "a", std::string_view(content));
  EXPECT_EQ(checksum_of_file(folder / "a"), checksum(bytes_of(content)));
  EXPECT_EQ(from_hex(to_hex(0x0123456789abcdefULL)), 0x0123456789abcdefULL);
  EXPECT_THROW(from_hex("12g4"), DataError);
}

}  // namespace
}  // namespace duet
