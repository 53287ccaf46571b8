#include "deploy/reference/reference_executor.h"

#include <algorithm>
#include <string>

#include "arch/base/error.h"
#include "arch/base/parallel.h"
#include "deploy/reference/reference_kernels.h"

namespace patchnas {

std::vector<std::vector<std::int8_t>> run_all_layers(const QuantizedNetwork& network,
                                                     std::span<const std::int8_t> image,
                                                     Arithmetic arithmetic) {
  const Network& shapes = network.network;
  if (static_cast<std::int64_t>(image.size()) != shapes.input_elements()) {
    throw InputError("image has " + std::to_string(image.size()) + " bytes, the network reads " +
                     std::to_string(shapes.input_elements()));
  }
  std::vector<std::vector<std::int8_t>> tensors;
  for (TensorId input = 0; input < shapes.input_count(); ++input) {
    const auto bytes = static_cast<std::size_t>(shapes.shape(input).elements());
    tensors.emplace_back(image.begin(), image.begin() + static_cast<std::ptrdiff_t>(bytes));
    image = image.subspan(bytes);
  }
  for (int layer = shapes.input_count() - 1; layer < shapes.layer_count(); ++layer) {
    const LayerContext context = layer_context(network, layer, arithmetic);
    const auto window = [&](TensorId tensor) {
      const TensorShape& shape = shapes.shape(tensor);
      return InputWindow{tensors[static_cast<std::size_t>(tensor)], full_rect(shape), shape};
    };
    const TensorShape& shape = context.layer.output;
    std::vector<std::int8_t> output(static_cast<std::size_t>(shape.elements()));
    const auto [first, second] = context.layer.inputs;
    run_layer(context, {window(first), second == kNoTensor ? InputWindow{} : window(second)},
              {output, full_rect(shape), shape}, full_rect(shape));
    tensors.push_back(std::move(output));
  }
  return tensors;
}

std::vector<std::int8_t> run_layer_by_layer(const QuantizedNetwork& network,
                                            std::span<const std::int8_t> image,
                                            Arithmetic arithmetic) {
  const auto tensors = run_all_layers(network, image, arithmetic);
  std::vector<std::int8_t> outputs;
  for (const TensorId tensor : network.network.output_tensors()) {
    const std::vector<std::int8_t>& output = tensors[static_cast<std::size_t>(tensor)];
    outputs.insert(outputs.end(), output.begin(), output.end());
  }
  return outputs;
}

std::vector<std::int8_t> run_images(const QuantizedNetwork& network,
                                    std::span<const std::int8_t> images, Arithmetic arithmetic,
                                    const BeforeEach& before_each) {
  const auto image_bytes = static_cast<std::size_t>(network.network.input_elements());
  const auto output_bytes = static_cast<std::size_t>(network.network.output_elements());
  if (images.size() % image_bytes != 0) {
    throw InputError("images have " + std::to_string(images.size()) +
                     " bytes, which is not a multiple of the " + std::to_string(image_bytes) +
                     " that the network reads");
  }
  const std::size_t count = images.size() / image_bytes;
  std::vector<std::int8_t> outputs(count * output_bytes);
  parallel_each(static_cast<int>(count), [&](int, int image) {
    if (before_each) {
      before_each();
    }
    const auto i = static_cast<std::size_t>(image);
    const auto output =
        run_layer_by_layer(network, images.subspan(i * image_bytes, image_bytes), arithmetic);
    std::copy(output.begin(), output.end(),
              outputs.begin() + static_cast<std::ptrdiff_t>(i * output_bytes));
  });
  return outputs;
}

}  // namespace patchnas
