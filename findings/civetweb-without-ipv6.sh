#!/usr/bin/env bash
# Debian 12's libcivetweb1 (1.15+dfsg-4) is built without IPv6: mg_start() with "[::1]:0" returns NULL, as it does for a port that is taken,
# and errno says nothing of the cause. mg_check_feature(8) is how to ask. The header is the same as of a build that has it.
# Seen: feature 8 is 0; "[::1]:0" is refused, "127.0.0.1:0" listens.
# Needs a C compiler; the packages are downloaded and unpacked, not installed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=1.15+dfsg-4
[[ $(apt-cache policy libcivetweb1) == *"$version"* ]] || { echo "CHANGED: apt offers no libcivetweb1 $version"; exit 1; }
(cd "$work" && apt-get download -q "libcivetweb1=$version" "libcivetweb-dev=$version" >/dev/null && for deb in *.deb; do dpkg -x "$deb" .; done)
cat >"$work/listen.c" <<'C'
#include <civetweb.h>
#include <stdio.h>
#include <string.h>
int main(int count, char** words) {
  const char* options[] = {"listening_ports", words[count - 1], NULL};
  struct mg_callbacks callbacks;
  memset(&callbacks, 0, sizeof callbacks);
  mg_init_library(0);
  struct mg_context* server = mg_start(&callbacks, NULL, options);
  printf("%s: %s, feature 8: %u\n", words[count - 1], server ? "listens" : "refused", mg_check_feature(8));
  if (server) mg_stop(server);
  return 0;
}
C
library=$(dirname "$(find "$work/usr/lib" -name 'libcivetweb.so.1*' | head -n 1)")
cc -I"$work/usr/include" "$work/listen.c" -o "$work/listen" "$(find "$library" -name 'libcivetweb.so.1*' | head -n 1)" -lpthread
said=$(for address in "[::1]:0" "127.0.0.1:0"; do LD_LIBRARY_PATH=$library "$work/listen" "$address"; done)
echo "$said"
if [[ $said == "[::1]:0: refused, feature 8: 0"$'\n'"127.0.0.1:0: listens, feature 8: 0" ]]; then
  echo "as seen"
else
  echo "CHANGED"
  exit 1
fi
