// The operators that only move elements.

#include <algorithm>
#include <cmath>
#include <set>

#include "deploy/import/dimensions.h"
#include "tests/deploy/onnx/node_definition.h"

namespace patchnas::testing {
namespace {

class Mover : public NodeDefinition {
 public:
  using NodeDefinition::NodeDefinition;

  [[nodiscard]] NdArray run() const {
    if (op_ == "Reshape" || op_ == "Flatten" || op_ == "Squeeze" || op_ == "Unsqueeze") {
      return reshape();
    }
    if (op_ == "Gather") {
      return gather();
    }
    return op_ == "DepthToSpace" || op_ == "SpaceToDepth" ? blocks() : move();
  }

 private:
  [[nodiscard]] NdArray move() const {
    std::vector<int> to = from_;
    if (op_ == "Transpose") {
      const Integers perm = list("perm", {});
      for (std::size_t d = 0; d < to.size(); ++d) {
        to[d] = from_[static_cast<std::size_t>(perm[d])];
      }
      return filled(to, [&](const Index& i) {
        Index place = i;
        for (std::size_t d = 0; d < i.size(); ++d) {
          place[static_cast<std::size_t>(perm[d])] = i[d];
        }
        return at(in_[0], place);
      });
    }
    if (op_ == "Concat") {
      const auto a = static_cast<std::size_t>(axis(0));
      to[a] = 0;
      for (const NdArray& part : in_) {
        to[a] += part.dimensions[a];
      }
      return filled(to, [&](Index i) {
        std::size_t part = 0;
        while (i[a] >= in_[part].dimensions[a]) {
          i[a] -= in_[part++].dimensions[a];
        }
        return at(in_[part], i);
      });
    }
    if (op_ == "Pad") {
      const Integers pads = integers_of(in_[1]);
      for (std::size_t d = 0; d < to.size(); ++d) {
        to[d] += static_cast<int>(pads[d] + pads[to.size() + d]);
      }
      return filled(to, [&](Index i) {
        for (std::size_t d = 0; d < to.size(); ++d) {
          i[d] -= static_cast<int>(pads[d]);
          if (i[d] < 0 || i[d] >= from_[d]) {
            return double{in_.size() > 2 ? in_[2].values[0] : 0};
          }
        }
        return at(in_[0], i);
      });
    }
    // Slice with a begin, an end and a step for each of its axes.
    const Integers begins = integers_of(in_[1]);
    const Integers ends = integers_of(in_[2]);
    const Integers axes = integers_of(in_[3]);
    const Integers steps = integers_of(in_[4]);
    for (std::size_t k = 0; k < axes.size(); ++k) {
      to[static_cast<std::size_t>(axes[k])] =
          static_cast<int>((ends[k] - begins[k] + steps[k] - 1) / steps[k]);
    }
    return filled(to, [&](Index i) {
      for (std::size_t k = 0; k < axes.size(); ++k) {
        int& along = i[static_cast<std::size_t>(axes[k])];
        along = static_cast<int>(begins[k] + along * steps[k]);
      }
      return at(in_[0], i);
    });
  }

  [[nodiscard]] NdArray reshape() const {
    NdArray result = in_[0];
    const auto count = static_cast<std::int64_t>(result.values.size());
    if (op_ == "Flatten") {
      result.dimensions = {1, static_cast<int>(count)};
      return result;
    }
    const Integers given = integers_of(in_[1]);
    if (op_ == "Reshape") {
      result.dimensions.assign(given.begin(), given.end());
      const std::int64_t known = std::abs(element_count(result.dimensions));
      std::replace(result.dimensions.begin(), result.dimensions.end(), -1,
                   static_cast<int>(count / known));
      return result;
    }
    for (const std::int64_t a : given) {
      const auto place = result.dimensions.begin() + a;
      op_ == "Squeeze" ? result.dimensions.erase(place) : result.dimensions.insert(place, 1);
    }
    return result;
  }

  // Indices, in the second input, may count from the end; one number has no dimension.
  [[nodiscard]] NdArray gather() const {
    const auto a = static_cast<std::size_t>(axis(0));
    const std::size_t of_indices = in_[1].dimensions.size();
    std::vector<int> to = from_;
    to.insert(to.erase(to.begin() + static_cast<std::ptrdiff_t>(a)), in_[1].dimensions.begin(),
              in_[1].dimensions.end());
    return filled(to, [&](const Index& i) {
      const auto first = i.begin() + static_cast<std::ptrdiff_t>(a);
      const auto last = first + static_cast<std::ptrdiff_t>(of_indices);
      const int index = static_cast<int>(at(in_[1], Index(first, last)));
      Index place(i.begin(), first);
      place.push_back(index < 0 ? index + from_[a] : index);
      place.insert(place.end(), last, i.end());
      return at(in_[0], place);
    });
  }

  [[nodiscard]] NdArray blocks() const {
    const int block = static_cast<int>(integer("blocksize", 1));
    const bool to_space = op_ == "DepthToSpace";
    const int channels = to_space ? from_[1] / block / block : from_[1];
    const bool is_spaced = text("mode", "DCR") == "CRD";
    std::vector<int> to{1, channels, from_[2] * block, from_[3] * block};
    if (!to_space) {
      to = {1, channels * block * block, from_[2] / block, from_[3] / block};
    }
    return filled(to, [&](const Index& i) {
      if (to_space) {
        const int place = i[2] % block * block + i[3] % block;
        const int channel = is_spaced ? i[1] * block * block + place : place * channels + i[1];
        return at(in_[0], {0, channel, i[2] / block, i[3] / block});
      }
      const int place = i[1] / channels;
      return at(in_[0],
                {0, i[1] % channels, i[2] * block + place / block, i[3] * block + place % block});
    });
  }
};

}  // namespace

bool moves_elements(const std::string& op) {
  static const std::set<std::string> moving{"Concat",  "DepthToSpace", "Flatten",  "Gather",
                                            "Pad",     "Reshape",      "Slice",    "SpaceToDepth",
                                            "Squeeze", "Transpose",    "Unsqueeze"};
  return moving.contains(op);
}

NdArray moved(const std::string& op, const std::vector<NdArray>& inputs,
              const OnnxAttributes& attributes) {
  return Mover(op, inputs, attributes).run();
}

}  // namespace patchnas::testing
