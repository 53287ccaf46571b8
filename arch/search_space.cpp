#include "arch/search_space.h"

#include <algorithm>
#include <type_traits>

#include "arch/block_options.h"

namespace patchnas {
namespace {

/// A natural number of any size, for counting.
class BigNatural {
 public:
  explicit BigNatural(std::uint32_t value) : digits_{value} {}

  BigNatural& operator*=(std::uint32_t factor) {
    std::uint64_t carry = 0;
    for (std::uint32_t& digit : digits_) {
      carry += std::uint64_t{digit} * factor;
      digit = static_cast<std::uint32_t>(carry % kBase);
      carry /= kBase;
    }
    return append(carry);
  }

  BigNatural& operator+=(const BigNatural& other) {
    digits_.resize(std::max(digits_.size(), other.digits_.size()));
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < digits_.size(); ++i) {
      carry += std::uint64_t{digits_[i]} + (i < other.digits_.size() ? other.digits_[i] : 0);
      digits_[i] = static_cast<std::uint32_t>(carry % kBase);
      carry /= kBase;
    }
    return append(carry);
  }

  BigNatural& operator*=(const BigNatural& other) {
    BigNatural product(0);
    for (std::size_t i = other.digits_.size(); i-- > 0;) {
      product *= kBase;
      BigNatural term = *this;
      term *= other.digits_[i];
      product += term;
    }
    return *this = product;
  }

  [[nodiscard]] std::string to_string() const {
    std::size_t top = digits_.size();
    while (top > 1 && digits_[top - 1] == 0) {
      --top;
    }
    std::string text = std::to_string(digits_[top - 1]);
    for (std::size_t i = top - 1; i-- > 0;) {
      const std::string part = std::to_string(digits_[i]);
      text += std::string(9 - part.size(), '0') + part;
    }
    return text;
  }

 private:
  static constexpr std::uint32_t kBase = 1'000'000'000;

  BigNatural& append(std::uint64_t carry) {
    if (carry > 0) {
      digits_.push_back(static_cast<std::uint32_t>(carry));
    }
    return *this;
  }

  std::vector<std::uint32_t> digits_;  // least significant first
};

// Of what a space need not mention, nothing is drawn where there is no choice: other spaces draw
// the same whether it exists or not.
template <typename Option>
bool is_drawn(const std::vector<Option>& options) {
  return std::is_same_v<Option, int> || options.size() > 1;
}

BlockChoice sample_block(const StageSpace& stage, RandomStream& stream) {
  BlockChoice block;
  for_each_block_option([&](const char*, auto choice, auto options) {
    block.*choice =
        is_drawn(stage.*options) ? stream.pick(stage.*options) : (stage.*options).front();
  });
  return block;
}

template <typename Select>
Architecture extreme(const SearchSpace& space, Select select) {
  Architecture architecture;
  architecture.resolution = select(space.resolutions);
  for (const StageSpace& stage : space.stages) {
    BlockChoice block;
    for_each_block_option(
        [&](const char*, auto choice, auto options) { block.*choice = select(stage.*options); });
    architecture.stages.emplace_back(static_cast<std::size_t>(select(stage.depths)), block);
  }
  return architecture;
}

template <typename Option>
bool offers(const std::vector<Option>& options, Option value) {
  return std::find(options.begin(), options.end(), value) != options.end();
}

}  // namespace

int round_channels(double width, int divisor) {
  int rounded = std::max(divisor, static_cast<int>(width + divisor / 2.0) / divisor * divisor);
  if (rounded < 0.9 * width) {
    rounded += divisor;
  }
  return rounded;
}

std::vector<BlockChoice> block_choices(const StageSpace& stage) {
  std::vector<BlockChoice> choices{{}};
  for_each_block_option([&](const char*, auto choice, auto options) {
    std::vector<BlockChoice> refined;
    for (const BlockChoice& block : choices) {
      for (const auto& option : stage.*options) {
        refined.push_back(block);
        refined.back().*choice = option;
      }
    }
    choices = std::move(refined);
  });
  return choices;
}

std::string count_architectures(const SearchSpace& space) {
  BigNatural total(static_cast<std::uint32_t>(space.resolutions.size()));
  for (const StageSpace& stage : space.stages) {
    const auto choices = static_cast<std::uint32_t>(block_choices(stage).size());
    BigNatural of_stage(0);
    for (const int depth : stage.depths) {
      BigNatural of_depth(1);
      for (int i = 0; i < depth; ++i) {
        of_depth *= choices;
      }
      of_stage += of_depth;
    }
    total *= of_stage;
  }
  return total.to_string();
}

Architecture sample(const SearchSpace& space, RandomStream& stream) {
  Architecture architecture;
  architecture.resolution = stream.pick(space.resolutions);
  for (const StageSpace& stage : space.stages) {
    std::vector<BlockChoice>& blocks = architecture.stages.emplace_back();
    const int depth = stream.pick(stage.depths);
    for (int i = 0; i < depth; ++i) {
      blocks.push_back(sample_block(stage, stream));
    }
  }
  return architecture;
}

Architecture largest(const SearchSpace& space) {
  return extreme(space, [](const auto& options) { return options.back(); });
}

Architecture smallest(const SearchSpace& space) {
  return extreme(space, [](const auto& options) { return options.front(); });
}

Architecture mutate(const SearchSpace& space, const Architecture& parent, double rate,
                    RandomStream& stream) {
  Architecture child = parent;
  const auto redraw = [&](auto& value, const auto& options) {
    if (is_drawn(options) && stream.chance(rate)) {
      value = stream.pick(options);
    }
  };
  redraw(child.resolution, space.resolutions);
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    const StageSpace& stage = space.stages[s];
    std::vector<BlockChoice>& blocks = child.stages[s];
    int depth = static_cast<int>(blocks.size());
    redraw(depth, stage.depths);
    for (BlockChoice& block : blocks) {
      for_each_block_option(
          [&](const char*, auto choice, auto options) { redraw(block.*choice, stage.*options); });
    }
    while (static_cast<int>(blocks.size()) < depth) {
      blocks.push_back(sample_block(stage, stream));
    }
    blocks.resize(static_cast<std::size_t>(depth));
  }
  return child;
}

Architecture crossover(const SearchSpace& space, const Architecture& a, const Architecture& b,
                       RandomStream& stream) {
  const auto either = [&](const auto& of_a, const auto& of_b) {
    return stream.chance(0.5) ? of_a : of_b;
  };
  Architecture child;
  child.resolution = either(a.resolution, b.resolution);
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    const std::vector<BlockChoice>& in_a = a.stages[s];
    const std::vector<BlockChoice>& in_b = b.stages[s];
    std::vector<BlockChoice>& blocks = child.stages.emplace_back();
    const std::size_t depth = either(in_a.size(), in_b.size());
    for (std::size_t i = 0; i < depth; ++i) {
      // Where only one parent has the block, it gives all of it.
      const BlockChoice& from_a = i < in_a.size() ? in_a[i] : in_b[i];
      const BlockChoice& from_b = i < in_b.size() ? in_b[i] : in_a[i];
      BlockChoice& block = blocks.emplace_back();
      for_each_block_option([&](const char*, auto choice, auto options) {
        block.*choice = is_drawn(space.stages[s].*options) ? either(from_a.*choice, from_b.*choice)
                                                           : from_a.*choice;
      });
    }
  }
  return child;
}

Membership contains(const SearchSpace& space, const Architecture& architecture) {
  const auto outside = [](const std::string& what, const auto& value, const auto& options) {
    return Membership{false, what + " " + option_text(value) +
                                 " is not offered; allowed: " + options_text(options)};
  };
  if (!offers(space.resolutions, architecture.resolution)) {
    return outside("resolution", architecture.resolution, space.resolutions);
  }
  if (architecture.stages.size() != space.stages.size()) {
    return outside("number of stages", static_cast<int>(architecture.stages.size()),
                   std::vector{static_cast<int>(space.stages.size())});
  }
  for (std::size_t s = 0; s < space.stages.size(); ++s) {
    const StageSpace& stage = space.stages[s];
    const std::vector<BlockChoice>& blocks = architecture.stages[s];
    const auto outside_stage = [&](const char* what, const auto& value, const auto& options) {
      return outside("stage " + std::to_string(s) + ": " + what, value, options);
    };
    if (!offers(stage.depths, static_cast<int>(blocks.size()))) {
      return outside_stage("depth", static_cast<int>(blocks.size()), stage.depths);
    }
    for (const BlockChoice& block : blocks) {
      Membership found;
      for_each_block_option([&](const char* name, auto choice, auto options) {
        if (found.contained && !offers(stage.*options, block.*choice)) {
          found = outside_stage(name, block.*choice, stage.*options);
        }
      });
      if (!found.contained) {
        return found;
      }
    }
  }
  return {};
}

}  // namespace patchnas
