#include "deploy/import/file_obstacles.h"

#include <algorithm>

namespace patchnas {
namespace {

constexpr std::size_t kMostGroups = 16;

struct Group {
  const FileObstacle* first = nullptr;
  int count = 0;

  [[nodiscard]] bool holds(const FileObstacle& other) const {
    return first->operator_name() == other.operator_name() &&
           first->what_is_wrong() == other.what_is_wrong();
  }
};

std::vector<Group> groups_of(const std::vector<FileObstacle>& obstacles) {
  std::vector<Group> groups;
  for (const FileObstacle& obstacle : obstacles) {
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](const Group& group) { return group.holds(obstacle); });
    if (found == groups.end()) {
      groups.push_back({&obstacle, 1});
    } else {
      ++found->count;
    }
  }
  return groups;
}

// "operator 3 CONV_2D, tensor 7 'x'" from "operator 3, tensor 7 'x'"
std::string full_place(const FileObstacle& obstacle) {
  std::string place = obstacle.place();
  if (!obstacle.operator_name().empty()) {
    place.insert(std::min(place.find(','), place.size()), " " + obstacle.operator_name());
  }
  return place;
}

std::string counted(const Group& group) {
  return std::to_string(group.count) + " x " + group.first->operator_name();
}

std::string text_of(const Group& group) {
  const FileObstacle& first = *group.first;
  if (group.count > 1 && !first.operator_name().empty()) {
    return counted(group) + ": " + first.what_is_wrong() + " (first: " + first.place() + ")";
  }
  const std::string place = full_place(first);
  return (place.empty() ? "" : place + ": ") + first.what_is_wrong();
}

void append(std::string& text, const std::string& part, const char* separator) {
  text += (text.empty() ? "" : separator) + part;
}

}  // namespace

FileObstacle::FileObstacle(std::string operator_name, std::string place, std::string what)
    : InputError(what),
      operator_name_(std::move(operator_name)),
      place_(std::move(place)),
      what_(std::move(what)) {}

std::string printable(const std::string& name) {
  constexpr std::size_t kLongest = 100;
  std::string result = name.substr(0, kLongest);
  std::replace_if(
      result.begin(), result.end(),
      [](unsigned char c) { return c < 0x20 || c > 0x7E || c == '\''; }, '?');
  return result;
}

std::vector<std::string> FileObstacles::lines() const {
  std::vector<std::string> result;
  for (const Group& group : groups_of(obstacles_)) {
    result.push_back(text_of(group));
  }
  return result;
}

std::string FileObstacles::text() const {
  std::vector<Group> groups = groups_of(obstacles_);
  std::string unsupported;
  std::string rest;
  std::size_t count = 0;
  for (const Group& group : groups) {
    if (group.first->what_is_wrong() == kUnsupportedOperator) {
      append(unsupported,
             counted(group) + (group.count > 1 ? " (first: " : " (") + group.first->place() + ")",
             ", ");
    } else if (++count <= kMostGroups) {
      append(rest, text_of(group), "; ");
    }
  }
  std::string text;
  if (!unsupported.empty()) {
    text = "not supported: " + unsupported;
  }
  if (!rest.empty()) {
    append(text, rest, "; ");
  }
  if (count > kMostGroups) {
    append(text, std::to_string(count - kMostGroups) + " more", "; ");
  }
  return text;
}

}  // namespace patchnas
