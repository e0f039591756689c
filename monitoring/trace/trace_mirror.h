#pragma once

namespace duet {

/// Gets the beginning and the end of every span that is traced, on the thread on which it happens, properly nested: a profiler's ranges.
/// Called from all threads.
class TraceMirror {
 public:
  virtual ~TraceMirror() = default;
  virtual void begin_range(const char* name) = 0;
  virtual void end_range() = 0;
};

}  // namespace duet
