#pragma once
#include <string>
#include <utility>
#include <vector>

namespace duet {

/// One line of a chart. x ascends.
struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct ChartText {
  std::string title;
  std::string x;                                      ///< what the horizontal axis counts
  std::vector<std::pair<double, std::string>> marks;  ///< vertical lines with a word beside them: where stages begin
};

/// A line chart as HTML: a heading, an SVG with ticks and grid, a legend with each curve's last value. Colours come from the page's style
/// (variables --c0 … --c7, --ink, --faint). Single outliers are cut off so that they do not flatten the rest. Names are escaped.
/// Points that are not finite or beyond 1e300 are left out, and curves without points; a chart without any is the empty string.
std::string line_chart(const ChartText& text, const std::vector<Curve>& curves);

/// Round numbers (1, 2 or 5 times a power of ten apart) that cover low … high, about `count` of them and never more than
/// twice as many and one. None where low … high is empty, not finite, or so narrow that a double cannot count through it.
std::vector<double> ticks(double low, double high, int count);

}  // namespace duet
