#include "trainer/kernels/memory.h"

#include <malloc.h>

namespace duet {

void keep_freed_memory() {
  // The three settings are ints: 1 GiB and the largest int are 'never' for all that matters here.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
  mallopt(M_TOP_PAD, 256 << 20);
}

}  // namespace duet
