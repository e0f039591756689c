#include "trainer/kernels/memory.h"

#include <malloc.h>

namespace duet {

void keep_freed_memory() {
  // The settings are ints: 1 GiB and the largest int stand for "never".
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
  mallopt(M_TOP_PAD, 256 << 20);
}

}  // namespace duet
