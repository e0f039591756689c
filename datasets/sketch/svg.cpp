#include "datasets/sketch/svg.h"

#include <fmt/format.h>

#include "datasets/image/image.h"
#include "datasets/sketch/rasterize.h"

namespace duet {
namespace {

/// At most two decimals, without trailing zeros; fmt ignores the locale.
std::string number(double value) {
  auto text = fmt::format("{:.2f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

}  // namespace

std::string svg_head(const SvgOptions& options) {
  std::string svg = R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">)"
                    "\n";
  if (options.white_background)
    svg += R"(<rect width="256" height="256" fill="white"/>)"
           "\n";
  svg += fmt::format(R"(<g fill="none" stroke="{}" stroke-width="{}" stroke-linecap="round" stroke-linejoin="round">)"
                     "\n",
                     options.stroke_colour, number(options.stroke_width));
  return svg;
}

std::string to_svg(std::span<const SketchPoint> sketch, const SvgOptions& options) {
  auto svg = svg_head(options);
  bool starts = true, alone = true;
  for (const auto& point : sketch) {
    if (starts) svg += "<path d=\"M";
    svg += fmt::format("{}{} {}", starts ? "" : "L", number(point.x), number(point.y));
    alone = starts;
    starts = point.pen == 1;
    // A path of one point needs a line of no length to get its round cap.
    if (starts) svg += alone ? "h0\"/>\n" : "\"/>\n";
  }
  if (!starts) svg += alone ? "h0\"/>\n" : "\"/>\n";
  return svg + "</g>\n</svg>\n";
}

std::vector<std::byte> to_png(std::span<const SketchPoint> sketch) {
  Image image(kCanvasSide, kCanvasSide, 1);
  rasterize(sketch, {}, image.pixels);
  return encode_png(image);
}

}  // namespace duet
