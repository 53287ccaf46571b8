#pragma once

// Writes a picture as SVG, and says where round numbers lie on an axis.
//
//   Svg svg(640, 400);
//   svg.rect({.x = 10, .y = 10, .width = 20, .height = 30}, "fill=\"#b8c0cc\"", "a hint");
//   const std::string text = svg.finish();

#include <string>
#include <string_view>

namespace patchnas {

class Svg {
 public:
  struct Box {
    double x = 0;
    double y = 0;
    double width = 0;
    double height = 0;
  };

  /// In pixels, on white.
  Svg(double width, double height);

  /// `attributes` are SVG's; contents and hints may hold anything.
  void text(double x, double y, std::string_view content, std::string_view attributes = "");
  void rect(const Box& box, std::string_view attributes, std::string_view hint = "");
  void line(double x1, double y1, double x2, double y2, std::string_view attributes);

  [[nodiscard]] std::string finish() const { return text_ + "</svg>\n"; }

 private:
  std::string text_;
};

/// A round step that divides `largest` into four to eight parts.
double tick_step(double largest);

}  // namespace patchnas
