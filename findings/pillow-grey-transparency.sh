#!/usr/bin/env bash
# A grey PNG may name one grey as transparent, in the file's own bits: 1 of 0 … 3. Pillow makes the pixels 8 bits (1 becomes 85) and compares
# them with the number as it stands in the file, so that in files of 2 and 4 bits nothing is transparent but 0. Of 1 and 8 bits it reads
# what was meant. A comparison of pixels "as Pillow has them" is wrong there; libpng is right.
# Seen with 9.4.0 and 13.0.0: the alpha of greys 0, 1, 2, 3 where 1 is transparent is 255 for all.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/alpha.py" <<'PYTHON'
import io, struct, zlib
from PIL import Image

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

png = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0)) + chunk(b"tRNS", struct.pack(">H", 1))
       + chunk(b"IDAT", zlib.compress(b"\0" + bytes([0b00011011]))) + chunk(b"IEND", b""))
image = Image.open(io.BytesIO(png)).convert("RGBA")
print([image.getpixel((x, 0))[3] for x in range(4)])
PYTHON
python3 -m venv "$work/pillow"
"$work/pillow/bin/pip" install -q pillow==13.0.0
alpha=$("$work/pillow/bin/python" "$work/alpha.py")
echo "alpha of the greys 0, 1, 2, 3: $alpha"
if [[ $alpha == "[255, 255, 255, 255]" ]]; then
  echo "as seen"
else
  echo "CHANGED"
  exit 1
fi
