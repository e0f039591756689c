#include "trainer/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "trainer/report/html.h"

namespace duet {
namespace {

// In units of the view box. On a phone a unit is a little less than a pixel, so text stays readable.
constexpr double kWidth = 440, kHeight = 230, kLeft = 46, kRight = 10, kTop = 16, kBottom = 34;
constexpr std::size_t kColours = 8;

struct Range {
  double low, high;
};

// Figures as small as the last bits of a double cannot be told apart on paper, nor by ticks.
bool nearly_equal(const Range& range) { return range.high - range.low <= 1e-9 * std::max(std::abs(range.low), std::abs(range.high)); }

// What is not finite, or so large that a difference overflows, has no place on an axis.
bool can_be_drawn(const std::pair<double, double>& point) {
  constexpr double kLargest = 1e300;
  return std::abs(point.first) < kLargest && std::abs(point.second) < kLargest;
}

Range x_range(const std::vector<Curve>& curves) {
  Range range{curves[0].points[0].first, curves[0].points[0].first};
  for (const auto& curve : curves) {
    range.low = std::min(range.low, curve.points.front().first);
    range.high = std::max(range.high, curve.points.back().first);
  }
  if (nearly_equal(range))
    range = {range.low - std::max(1.0, 1e-6 * std::abs(range.low)), range.high + std::max(1.0, 1e-6 * std::abs(range.high))};
  return range;
}

Range y_range(const std::vector<Curve>& curves) {
  std::vector<double> values;
  for (const auto& curve : curves) {
    for (const auto& point : curve.points) values.push_back(point.second);
  }
  std::sort(values.begin(), values.end());
  const auto outliers = values.size() / 200;
  Range range{values[outliers], values[values.size() - 1 - outliers]};
  if (range.low > 0 && range.low < 0.5 * range.high) range.low = 0;  // zero is the natural foot of a loss or a share
  if (nearly_equal(range)) range = {range.low - 0.5 * std::abs(range.low) - 0.01, range.high + 0.5 * std::abs(range.high) + 0.01};
  const auto margin = 0.04 * (range.high - range.low);
  return {range.low == 0 ? 0 : range.low - margin, range.high + margin};
}

std::string label(double value) {
  const auto magnitude = std::abs(value);
  if (magnitude >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (magnitude >= 1e4) return fmt::format("{:.4g}k", value / 1e3);
  return fmt::format("{:.4g}", std::abs(value) < 1e-12 ? 0.0 : value);
}

}  // namespace

std::vector<double> ticks(double low, double high, int count) {
  const auto rough = (high - low) / count;
  const auto power = std::pow(10, std::floor(std::log10(rough)));
  const auto step = power * (rough / power <= 1 ? 1 : rough / power <= 2 ? 2 : rough / power <= 5 ? 5 : 10);
  // Neighbouring ticks must differ as numbers; without this a loop by value would not advance.
  if (!std::isfinite(step) || step <= 4 * std::numeric_limits<double>::epsilon() * std::max(std::abs(low), std::abs(high))) return {};
  std::vector<double> values;
  const auto first = std::ceil(low / step - 1e-9);
  for (int i = 0; i <= 2 * count && (first + i) * step <= high + 1e-9 * step; ++i) values.push_back((first + i) * step);
  return values;
}

std::string line_chart(const ChartText& text, const std::vector<Curve>& all) {
  std::vector<Curve> curves;
  for (const auto& curve : all) {
    Curve drawn{curve.name, {}};
    std::ranges::copy_if(curve.points, std::back_inserter(drawn.points), can_be_drawn);
    if (!drawn.points.empty()) curves.push_back(std::move(drawn));
  }
  if (curves.empty()) return {};
  const auto x = x_range(curves), y = y_range(curves);
  auto across = [&](double value) { return kLeft + (value - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight); };
  auto up = [&](double value) {
    const auto inside = std::clamp(value, y.low, y.high);
    return kHeight - kBottom - (inside - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  };

  auto svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", kWidth, kHeight, escape_html(text.title));
  for (const auto value : ticks(y.low, y.high, 5)) {
    svg += fmt::format("<path class=\"grid\" d=\"M{} {:.1f}H{}\"/><text class=\"tick\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
                       kLeft, up(value), kWidth - kRight, kLeft - 5, up(value) + 3.5, label(value));
  }
  for (const auto value : ticks(x.low, x.high, 5)) {
    svg += fmt::format(
        "<path class=\"axis\" d=\"M{0:.1f} {1}v4\"/><text class=\"tick\" x=\"{0:.1f}\" y=\"{2}\" text-anchor=\"middle\">{3}</text>",
        across(value), kHeight - kBottom, kHeight - kBottom + 15, label(value));
  }
  svg += fmt::format("<path class=\"axis\" d=\"M{} {}H{}\"/>", kLeft, kHeight - kBottom, kWidth - kRight);
  svg += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", kWidth - kRight, kHeight - 4,
                     escape_html(text.x));
  int lines_of_marks = 0;
  for (const auto& [place, name] : text.marks) {
    if (place < x.low || place > x.high) continue;
    const bool left = across(place) > 0.75 * kWidth;  // there is no room at its right
    svg += fmt::format(
        "<path class=\"mark\" d=\"M{0:.1f} {1}V{2}\"/><text class=\"tick\" x=\"{3:.1f}\" y=\"{4}\" text-anchor=\"{5}\">{6}</text>",
        across(place), kTop - 8, kHeight - kBottom, across(place) + (left ? -3 : 3), kTop - 1 + 11 * (lines_of_marks++ % 2),
        left ? "end" : "start", escape_html(name));
  }
  std::string legend;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const auto colour = fmt::format("var(--c{})", i % kColours);
    const bool dashed = i >= kColours;
    std::string path;
    for (const auto& point : curves[i].points)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", across(point.first), up(point.second));
    svg += fmt::format("<path class=\"curve\" style=\"stroke:{}\"{} d=\"{}\"/>", colour, dashed ? " stroke-dasharray=\"5 3\"" : "", path);
    const auto& last = curves[i].points.back();
    if (curves[i].points.size() <= 40) {
      for (const auto& point : curves[i].points) {
        svg +=
            fmt::format("<circle r=\"2\" cx=\"{:.1f}\" cy=\"{:.1f}\" style=\"fill:{}\"/>", across(point.first), up(point.second), colour);
      }
    }
    legend += fmt::format("<li><i style=\"border-color:{}{}\"></i>{} <b>{}</b></li>", colour, dashed ? ";border-style:dashed" : "",
                          escape_html(curves[i].name), label(last.second));
  }
  return fmt::format("<figure class=\"chart\"><figcaption>{}</figcaption>{}</svg><ul class=\"legend\">{}</ul></figure>\n",
                     escape_html(text.title), svg, legend);
}

}  // namespace duet
