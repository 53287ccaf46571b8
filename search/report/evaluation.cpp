#include "search/report/evaluation.h"

#include <algorithm>
#include <numeric>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "search/base/text.h"
#include "search/report/report_schema.h"

namespace patchnas {
namespace {

constexpr int kTop = 5;
constexpr std::size_t kFewestClassesForTop = 11;  // of ten every second guess is in the top 5
constexpr std::size_t kMostListedClasses = 40;
constexpr std::size_t kListedOfMany = 20;

bool has_top5(const Evaluation& evaluation) {
  return evaluation.classes.size() >= kFewestClassesForTop;
}

double share(int part, int whole) { return whole == 0 ? 0.0 : static_cast<double>(part) / whole; }

/// The class and its images; nothing where no image was mistaken.
std::optional<std::pair<int, int>> most_frequent_mistake(const ClassResult& result) {
  const auto most =
      std::max_element(result.mistaken_for.begin(), result.mistaken_for.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == result.mistaken_for.end() ? std::nullopt
                                           : std::optional<std::pair<int, int>>(*most);
}

/// All that have images; of many the least recognised, worst first.
std::vector<const ClassResult*> listed(const Evaluation& evaluation) {
  std::vector<const ClassResult*> classes;
  for (const ClassResult& result : evaluation.classes) {
    if (result.images > 0) {
      classes.push_back(&result);
    }
  }
  if (classes.size() > kMostListedClasses) {
    std::stable_sort(classes.begin(), classes.end(), [](const auto* a, const auto* b) {
      return share(a->right, a->images) < share(b->right, b->images);
    });
    classes.resize(kListedOfMany);
  }
  return classes;
}

std::string class_table(const Evaluation& evaluation) {
  const std::vector<const ClassResult*> classes = listed(evaluation);
  std::size_t width = std::string_view("class").size();
  for (const ClassResult* result : classes) {
    width = std::max(width, result->name.size());
  }
  std::string text = fmt::format("\n  {:<{}}  {:>8}  {:>8}  {:>9}   most often mistaken for\n",
                                 "class", width, "images", "right", "accuracy");
  for (const ClassResult* result : classes) {
    text += fmt::format("  {:<{}}  {:>8}  {:>8}  {:>9}", result->name, width,
                        with_separators(result->images), with_separators(result->right),
                        percent_text(share(result->right, result->images)));
    if (const auto mistake = most_frequent_mistake(*result)) {
      text += fmt::format("   {} ({})",
                          evaluation.classes[static_cast<std::size_t>(mistake->first)].name,
                          with_separators(mistake->second));
    }
    text += "\n";
  }
  if (classes.size() < evaluation.classes.size()) {
    text += fmt::format("  {} of {} classes; --json has all\n", classes.size(),
                        evaluation.classes.size());
  }
  return text;
}

nlohmann::ordered_json class_json(const Evaluation& evaluation, const ClassResult& result) {
  nlohmann::ordered_json json{
      {"name", result.name}, {"images", result.images}, {"right", result.right}};
  if (const auto mistake = most_frequent_mistake(result)) {
    json["mistaken_for"] = evaluation.classes[static_cast<std::size_t>(mistake->first)].name;
    json["mistaken_images"] = mistake->second;
  }
  return json;
}

}  // namespace

void Evaluation::add(int label, int answer, int rank) {
  ClassResult& result = classes[static_cast<std::size_t>(label)];
  ++result.images;
  if (answer == label) {
    ++result.right;
  } else {
    ++result.mistaken_for[answer];
  }
  in_top5 += rank < kTop ? 1 : 0;
}

int Evaluation::images() const {
  return std::accumulate(classes.begin(), classes.end(), 0,
                         [](int sum, const ClassResult& result) { return sum + result.images; });
}

int Evaluation::right() const {
  return std::accumulate(classes.begin(), classes.end(), 0,
                         [](int sum, const ClassResult& result) { return sum + result.right; });
}

std::string table(const Evaluation& e) {
  const int images = e.images();
  std::string text =
      fmt::format("{} on {}, {} of {}\n", e.model,
                  e.target ? std::string(to_string(*e.target)) : "the integer reference",
                  counted(images, "image"), e.images_from);
  text += fmt::format("  resizing      {}\n", e.resizing);
  text += fmt::format("  pixels        {}\n", e.pixels);
  text += fmt::format("  output        {}\n", e.output);
  text += fmt::format("  accuracy      {}, {} right\n", percent_text(share(e.right(), images)),
                      with_separators(e.right()));
  if (has_top5(e)) {
    text += fmt::format("  top 5         {}, {}\n", percent_text(share(e.in_top5, images)),
                        with_separators(e.in_top5));
  }
  if (e.corrupt_images > 0) {
    text += fmt::format("  left out      {}\n", counted(e.corrupt_images, "corrupt image"));
  }
  if (e.instructions && images > 0) {
    text +=
        fmt::format("  instructions  {} an inference\n", with_separators(*e.instructions / images));
  }
  return text + class_table(e);
}

std::string evaluation_report(const Evaluation& e) {
  const int images = e.images();
  nlohmann::ordered_json report = new_report();
  if (e.target) {
    report["target"] = to_string(*e.target);
  }
  report["rounding"] = to_string(e.rounding);
  report["images"] = images;
  report["corrupt_images"] = e.corrupt_images;
  report["preprocessing"] = {{"resizing", e.resizing}, {"pixels", e.pixels}};
  report["output"] = e.output;
  report["accuracy"] = {{"top1", share(e.right(), images)}};
  if (has_top5(e)) {
    report["accuracy"]["top5"] = share(e.in_top5, images);
  }
  if (e.instructions && images > 0) {
    report["instructions"] = *e.instructions / images;
  }
  for (const ClassResult& result : e.classes) {
    report["classes"].push_back(class_json(e, result));
  }
  return report_text(report);
}

}  // namespace patchnas
