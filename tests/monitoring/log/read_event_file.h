#pragma once

namespace duet {

/// A reader of TensorBoard's event files in Python, written from the formats' descriptions. Checks every checksum and prints each event as
/// one line of JSON.
inline constexpr const char* kReadEventFile = R"(
import json, struct, sys

def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8): crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
assert crc32c(b'123456789') == 0xe3069283

def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xa282ead8) & 0xffffffff

def records(data):
    at = 0
    while at < len(data):
        length, check = struct.unpack_from('<QI', data, at)
        assert check == masked(data[at:at + 8]), 'length at %d' % at
        content = data[at + 12:at + 12 + length]
        assert struct.unpack_from('<I', data, at + 12 + length)[0] == masked(content), 'content at %d' % at
        yield content
        at += 16 + length

def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128: return value, at

def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        wire = key & 7
        if wire == 0: value, at = varint(data, at)
        elif wire == 1: value, at = struct.unpack_from('<d', data, at)[0], at + 8
        elif wire == 5: value, at = struct.unpack_from('<f', data, at)[0], at + 4
        else:
            assert wire == 2
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
            assert len(value) == length
        yield key >> 3, value

for content in records(open(sys.argv[1], 'rb').read()):
    event = dict(fields(content))
    line = {'time': event[1], 'step': event.get(2, 0)}
    if 3 in event: line['version'] = event[3].decode()
    if 5 in event:
        values = [dict(fields(v)) for _, v in fields(event[5])]
        line['scalars'] = {v[1].decode(): v[2] for v in values}
        assert len(line['scalars']) == len(values)
    if 7 in event: line['session'] = dict(fields(event[7]))[1]
    print(json.dumps(line))
)";

}  // namespace duet
