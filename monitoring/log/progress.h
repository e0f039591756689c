#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace duet {

/// Where a progress line goes. The defaults are standard error as it is; tests put in their own.
struct ProgressSink {
  bool terminal;               ///< true: one line, rewritten; false: a plain line every `plain_seconds`
  std::function<int()> width;  ///< columns of the terminal; nothing longer is printed there
  double plain_seconds = 10;
  double terminal_seconds = 0.2;
  std::function<double()> now;                        ///< seconds, monotonic
  std::function<void(const std::string&)> transient;  ///< shows the rewritten line; "" removes it
  std::function<void(const std::string&)> line;       ///< prints a line for good

  static ProgressSink standard_error();
};

/// Says how far a long piece of work is:  "retrieval 340/1200 · loss 0.83 · 12.3 steps/s · 1 min 10 s left".
/// Cheap enough to be told of each step. One thread at a time. Only rank 0 should have one.
class Progress {
 public:
  /// `total` 0: not known (no time left is shown). `done`: work that was done before this process (a resumed run); it does not count for
  /// the rate.
  Progress(std::string what, std::string unit, std::int64_t total, std::int64_t done = 0,
           ProgressSink sink = ProgressSink::standard_error());
  /// Removes the rewritten line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `details` is put in the middle ("loss 0.83"); `units` done so far of the total.
  void update(std::int64_t done, const std::string& details = {});

  /// The work is over: prints a closing line ("retrieval: 1200 steps in 1 min 38 s · loss 0.31"). Nothing more after it.
  void finish(const std::string& details = {});

  /// Units a second, smoothed over about the last 30 seconds; 0 before the second update.
  double rate() const { return rate_; }
  /// At that rate; 0 while it or the total is not known.
  double seconds_left() const;

 private:
  std::string text(const std::string& details) const;

  std::string what_, unit_;
  std::int64_t total_, first_, done_;
  ProgressSink sink_;
  double start_, shown_, measured_;
  double recent_units_ = 0, recent_seconds_ = 0;  // faded sums; their quotient is the rate
  double rate_ = 0;
  bool finished_ = false;
};

/// Width of the terminal that standard error leads to, through a launcher's pipe too (DUET_TERMINAL_COLUMNS says so); none: no terminal.
std::optional<int> terminal_columns();

/// At most `columns` columns of UTF-8 text (each code point counted as one), the rest cut with "…".
std::string cut_to_columns(const std::string& text, int columns);

}  // namespace duet
