#include "arch/margins.h"

#include <gtest/gtest.h>

#include "arch/arch.h"
#include "arch/base/random.h"
#include "tests/support/random_networks.h"

namespace patchnas {
namespace {

// Each kPad of random graphs, alone.
template <typename Check>
void for_random_pads(const char* name, const Check& check) {
  RandomStream stream(71, name);
  int pads = 0;
  while (pads < 300) {
    const Network graph = testing::random_graph(stream, 0);
    for (const Layer& layer : graph.layers) {
      if (layer.kind == LayerKind::kPad) {
        Network network{.input = graph.shape(layer.inputs[0]), .layers = {layer}, .names = {}};
        network.layers[0].inputs[0] = kImage;
        check(network);
        ++pads;
      }
    }
  }
}

Network as_copy(const Network& pad) {
  Network copy = pad;
  copy.layers[0].kind = LayerKind::kCopy;
  copy.layers[0].kernel = {};
  copy.layers[0].copy = copy_between_margins(pad.input, pad.layers[0]);
  validate(copy);
  return copy;
}

Network recognised(Network network) {
  recognise_pads(network);
  validate(network);
  return network;
}

bool may_stay(const Network& copy) {
  return keeps_bytes(copy.layers[0].copy, copy.layers[0].output.elements());
}

TEST(Margins, ACopyOfAllThatTheyLeaveIsAPad) {
  for_random_pads("margins/copies", [](const Network& pad) {
    const Network copy = as_copy(pad);
    EXPECT_EQ(recognised(copy), may_stay(copy) ? copy : pad);
    EXPECT_EQ(recognised(pad), pad);
  });
}

TEST(Margins, AxesThatAFileJoinsMakeNoDifference) {
  for_random_pads("margins/joined", [](const Network& pad) {
    Network copy = as_copy(pad);
    StridedCopy& c = copy.layers[0].copy;
    if (!may_stay(copy)) {
      c = {.counts = {1, c.counts[0], c.counts[1] * c.counts[2]},
           .from_strides = {0, c.from_strides[0], 1},
           .to_strides = {0, c.to_strides[0], 1},
           .from = c.from,
           .to = c.to};
      EXPECT_EQ(recognised(copy), pad);
    }
  });
}

TEST(Margins, OfAnotherKindOfCopyNoneIsMade) {
  for_random_pads("margins/others", [](const Network& pad) {
    const Network copy = as_copy(pad);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      Network part = copy;
      if (--part.layers[0].copy.counts[axis] > 0) {
        EXPECT_EQ(recognised(part), part) << "a part of what the margins leave";
      }
    }
    if (copy.layers[0].copy.elements() < copy.layers[0].output.elements()) {
      Network constant = copy;
      constant.layers[0].has_constant_map = true;
      EXPECT_EQ(recognised(constant), constant) << "a number for each element";
    }
  });
}

TEST(Margins, MustLeaveSomethingOfTheInput) {
  for_random_pads("margins/invalid", [](const Network& pad) {
    for (int Kernel::*const before : {&Kernel::pad_top, &Kernel::pad_left}) {
      const bool is_rows = before == &Kernel::pad_top;
      const TensorShape& output = pad.layers[0].output;
      for (const int amount : {is_rows ? output.height : output.width,
                               -(is_rows ? pad.input.height : pad.input.width)}) {
        Network wrong = pad;
        wrong.layers[0].kernel.*before = amount;
        EXPECT_THROW(validate(wrong), InputError);
      }
    }
  });
}

}  // namespace
}  // namespace patchnas
