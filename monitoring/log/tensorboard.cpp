#include "monitoring/log/tensorboard.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <fstream>
#include <string>

#include "base/host.h"
#include "base/log.h"
#include "base/time.h"

namespace duet {
namespace {

// ---- TFRecord: length, checksum of the length, data, checksum of the data; all little endian.

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82f63b78u : 0);  // Castagnoli's polynomial, reflected
    table[byte] = value;
  }
  return table;
}

/// CRC32C, rotated and shifted, so that a checksum of data that holds checksums is none of theirs.
std::uint32_t masked_crc(std::string_view bytes) {
  static constexpr auto kTable = make_crc_table();
  std::uint32_t crc = 0xffffffffu;
  for (const char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return std::rotr(~crc, 15) + 0xa282ead8u;
}

template <typename Number>
void put_fixed(std::string& to, Number value) {
  static_assert(std::endian::native == std::endian::little);
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string record_of(std::string_view data) {
  std::string record;
  put_fixed(record, static_cast<std::uint64_t>(data.size()));
  put_fixed(record, masked_crc(record));
  record += data;
  put_fixed(record, masked_crc(data));
  return record;
}

// ---- Protocol buffers, as much of them as Event needs: a field is its number and wire type, then its value.

enum Wire : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

void put_key(std::string& to, unsigned field, Wire wire) { put_varint(to, field << 3 | wire); }

void put_bytes(std::string& to, unsigned field, std::string_view bytes) {
  put_key(to, field, kBytes);
  put_varint(to, bytes.size());
  to += bytes;
}

/// Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; SessionLog session_log = 7; }
std::string event_of(double time, std::int64_t step, unsigned field, std::string_view content) {
  std::string event;
  put_key(event, 1, kFixed64);
  put_fixed(event, time);
  put_key(event, 2, kVarint);
  put_varint(event, static_cast<std::uint64_t>(step));
  put_bytes(event, field, content);
  return event;
}

/// Summary { repeated Value value = 1; }  Value { string tag = 1; float simple_value = 2; }
void put_scalar(std::string& summary, const std::string& tag, float value) {
  std::string entry;
  put_bytes(entry, 1, tag);
  put_key(entry, 2, kFixed32);
  put_fixed(entry, value);
  put_bytes(summary, 1, entry);
}

void put_scalars(std::string& summary, const std::string& tag, const Json& value) {
  if (value.is_number()) put_scalar(summary, tag, value.get<float>());
  if (!value.is_object()) return;
  for (const auto& [name, part] : value.items()) put_scalars(summary, tag + "/" + name, part);
}

/// SessionLog { SessionStatus status = 1; }  START = 1
std::string session_start() {
  std::string log;
  put_key(log, 1, kVarint);
  put_varint(log, 1);
  return log;
}

}  // namespace

TensorBoard::TensorBoard(const std::filesystem::path& folder, std::int64_t first_step) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  // TensorBoard reads the files in the order of their names. Two processes of one second must not share one.
  const auto now = unix_seconds();
  for (int number = 0; number == 0 || std::filesystem::exists(file_, failed); ++number) {
    file_ = folder / fmt::format("events.out.tfevents.{:010}.{:06}.{}.{}.{}", static_cast<std::int64_t>(now),
                                 static_cast<std::int64_t>(now * 1e6) % 1'000'000, host_name(), ::getpid(), number);
  }
  append(event_of(now, 0, 3, "brain.Event:2"));
  append(event_of(now, first_step, 7, session_start()));
}

void TensorBoard::write(const Json& line) {
  const auto stage = line.value("stage", ""), phase = line.value("phase", "");
  const auto prefix = stage == "joint" && !phase.empty() ? phase : stage;
  std::string summary;
  for (const auto& [name, value] : line.items()) {
    if (name != "step" && name != "total_step" && name != "time") put_scalars(summary, prefix + "/" + name, value);
  }
  if (summary.empty()) return;
  append(event_of(line.value("time", unix_seconds()), line.value("total_step", std::int64_t{0}), 5, summary));
}

void TensorBoard::append(std::string_view event) {
  const auto record = record_of(event);
  if (failed_) return;  // half a record may stand at the end: nothing behind it could be read
  std::ofstream out(file_, std::ios::binary | std::ios::app);
  out << record << std::flush;
  if (out) return;
  failed_ = true;
  warn("{}: cannot be written; TensorBoard gets no more of this run. Is the disk full?", file_.string());
}

}  // namespace duet
