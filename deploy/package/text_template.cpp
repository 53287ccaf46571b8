#include "deploy/package/text_template.h"

#include <algorithm>
#include <stdexcept>

namespace patchnas {

std::string fill(std::string_view text, std::initializer_list<Filling> fillings) {
  std::string result;
  while (!text.empty()) {
    const std::size_t begin = text.find('@');
    result += text.substr(0, begin);
    if (begin == std::string_view::npos) {
      break;
    }
    const std::size_t end = text.find('@', begin + 1);
    const std::string_view key =
        end == std::string_view::npos ? "" : text.substr(begin + 1, end - begin - 1);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (key.empty() && end != std::string_view::npos) {
      result += '@';
      continue;
    }
    const auto* const filling = std::find_if(fillings.begin(), fillings.end(),
                                             [&](const Filling& f) { return f.first == key; });
    if (filling == fillings.end()) {
      throw std::logic_error("nothing fills @" + std::string(key) + "@");
    }
    result += filling->second;
  }
  return result;
}

}  // namespace patchnas
