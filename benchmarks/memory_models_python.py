#!/usr/bin/env python3
"""The accounting of memory_models/ in plain Python: what docs/memory.md says, written down directly.

    candidate_costs configs/fashion_mnist_32kb.yaml 64 resident | memory_models_python.py

Rows and columns of tiles are independent, so p of each are walked, not p x p tiles, and what does not
depend on the schedule is computed once per network; else every schedule is computed by itself.

Judges every candidate under all its patch schedules, checks that multiply-accumulates, both memory
models and flash equal those in the file, and prints how many candidates it judged in a second of
processor time. Only judging is timed. Standard library only.
"""

import json
import sys
import time
from collections import namedtuple

Layer = namedtuple("Layer", "kind inputs output kernel stride pad macs_per_pixel")
Costs = namedtuple("Costs", "rows cols split_layer macs deployed_bytes mcunetv2_bytes flash_bytes")

ROWS, COLS = 0, 1
IMAGE = 0
TABLE_BYTES = 8  # of one layer and one row, or column, of tiles
SCRATCH_SLACK_BYTES = 16  # runtime/scratch.h
POINTWISE_GROUP = 4


def aligned(size):
    return (size + 3) // 4 * 4


def is_pointwise(layer):
    return layer.kind == "conv" and (layer.kernel, layer.stride, layer.pad) == ([1, 1], [1, 1], [0, 0])


def pointwise_distance(pixels, in_channels, out_channels):
    """How far in front of an input that it is written over a pointwise layer's output begins."""
    together = min(pixels, POINTWISE_GROUP)
    if out_channels <= in_channels:
        return together * out_channels
    return pixels * out_channels - (pixels - together) * in_channels


class Network:
    """Layers, and what does not depend on the schedule. Tensor 0 is the image; layer i writes tensor i + 1."""

    def __init__(self, description, code_bytes, call_bytes, sizes):
        self.shapes = [description["input"]] + [layer["output"] for layer in description["layers"]]
        self.layers = [
            Layer(
                l["kind"], l["inputs"], l["output"], l["kernel"], l["stride"], l["pad"], self.weights(l)
            )
            for l in description["layers"]
        ]
        self.bytes = [height * width * channels for height, width, channels in self.shapes]
        self.last_reader = [-1] * len(self.shapes)
        for i, layer in enumerate(self.layers):
            for tensor in layer.inputs:
                self.last_reader[tensor] = i
        self.last_reader[-1] = len(self.layers)
        self.whole_macs = [
            layer.macs_per_pixel * layer.output[0] * layer.output[1] for layer in self.layers
        ]
        self.constants = sizes["program"] + sum(self.constant_bytes(layer, sizes) for layer in self.layers)
        self.patch_loops_bytes = sizes["patch_loops"]
        self.code_bytes = code_bytes  # by 2 * (a depthwise layer in place) + (one apart)
        self.call_bytes = call_bytes  # of each layer: whole, in patches

    def weights(self, layer):
        height, width, channels = self.shapes[layer["inputs"][0]]
        kernel_height, kernel_width = layer["kernel"]
        out_channels = layer["output"][2]
        if layer["kind"] == "conv":
            return kernel_height * kernel_width * channels * out_channels
        if layer["kind"] == "depthwise":
            return kernel_height * kernel_width * out_channels
        if layer["kind"] == "fully_connected":
            return height * width * channels * out_channels
        return 0

    @staticmethod
    def constant_bytes(layer, sizes):
        """Weights, biases, requantisation (multiplier and shift), and the kernel's parameters."""
        channels = layer.output[2] if layer.macs_per_pixel else 0
        pointwise = layer.kernel == [1, 1] and layer.stride == [1, 1] and layer.pad == [0, 0]
        parameters = {
            "conv": sizes["weights_struct"] + (0 if pointwise else sizes["kernel_struct"]),
            "depthwise": sizes["weights_struct"] + sizes["kernel_struct"],
            "fully_connected": sizes["weights_struct"],
            "average_pool": sizes["kernel_struct"],
            "max_pool": sizes["kernel_struct"],
            "mean": sizes["kernel_struct"] + sizes["mean_scale_struct"],
            "add": sizes["add_scales_struct"],
        }
        return layer.macs_per_pixel + channels * (4 + 5) + parameters.get(layer.kind, 0)

    def is_complete_after(self, tensor, split_layer):
        """Whether the patch stage leaves the whole tensor behind."""
        return tensor == split_layer or self.last_reader[tensor] >= split_layer


class Axis:
    """What the tiles of a patch stage compute and read along one axis, clipped at the image's border."""

    def __init__(self, network, axis, tiles, split_layer):
        layers = network.layers[:split_layer]
        self.computed = [0] * split_layer  # positions, in all tiles together
        self.most = [0] * split_layer  # in one tile
        self.window = [0] * (split_layer + 1)  # of each tensor, the largest
        self.spans = []  # of each tile: of each tensor, [begin, end) or None
        for tile in range(tiles):
            spans = [None] * (split_layer + 1)
            for i in reversed(range(split_layer)):
                layer = layers[i]
                extent = layer.output[axis]
                span = spans[i + 1]
                complete = network.is_complete_after(i + 1, split_layer)
                if complete:
                    part = (extent * tile // tiles, extent * (tile + 1) // tiles)
                    span = part if span is None else (min(span[0], part[0]), max(span[1], part[1]))
                begin, end = span
                self.computed[i] += end - begin
                self.most[i] = max(self.most[i], end - begin)
                spans[i + 1] = (0, extent) if complete else span
                self.window[i + 1] = max(self.window[i + 1], spans[i + 1][1] - spans[i + 1][0])
                if layer.kind in ("fully_connected", "softmax"):
                    begin, end = 0, network.shapes[layer.inputs[0]][axis]
                elif layer.kind != "add":
                    first = begin * layer.stride[axis] - layer.pad[axis]
                    last = (end - 1) * layer.stride[axis] - layer.pad[axis] + layer.kernel[axis]
                    begin, end = max(0, first), min(network.shapes[layer.inputs[0]][axis], last)
                for tensor in layer.inputs:
                    needed = spans[tensor]
                    if needed is None:
                        spans[tensor] = (begin, end)
                    else:
                        spans[tensor] = (min(needed[0], begin), max(needed[1], end))
            self.window[IMAGE] = max(self.window[IMAGE], spans[IMAGE][1] - spans[IMAGE][0])
            self.spans.append(spans)


def judge(network, rows, cols, split_layer, input_mode):
    """Costs under one schedule; split_layer 0 is layer-by-layer execution."""
    layers = network.layers
    if split_layer > 0:
        by_rows = Axis(network, ROWS, rows, split_layer)
        by_cols = Axis(network, COLS, cols, split_layer)

    macs = sum(network.whole_macs[split_layer:])
    for i in range(split_layer):
        macs += layers[i].macs_per_pixel * by_rows.computed[i] * by_cols.computed[i]

    def is_window(tensor):
        if tensor == IMAGE:
            return input_mode == "streamed" and network.last_reader[IMAGE] < split_layer
        return tensor < split_layer and network.last_reader[tensor] < split_layer

    # Sizes and lifetimes: what enters or leaves the patch stage whole lives through all of it.
    sizes = []
    windowed = []
    deployed = [0] * len(layers)
    mcunetv2 = [0] * len(layers)
    for tensor, (_, _, channels) in enumerate(network.shapes):
        windowed.append(is_window(tensor))
        first = max(0, tensor - 1)
        last = min(max(network.last_reader[tensor], first), len(layers) - 1)
        if windowed[tensor]:
            size = by_rows.window[tensor] * by_cols.window[tensor] * channels
        else:
            size = network.bytes[tensor]
            if first < split_layer:
                first = 0
            if last < split_layer:
                last = split_layer - 1
        sizes.append(size)
        for i in range(first, last + 1):
            deployed[i] += aligned(size)
            if tensor != IMAGE:
                mcunetv2[i] += size

    # Layers that write over an input.
    for i, layer in enumerate(layers):
        patched = i < split_layer
        if layer.kind == "depthwise":
            height, width, _ = layer.output
            if patched:
                height, width = by_rows.most[i], by_cols.most[i]
            scratch = SCRATCH_SLACK_BYTES
            scratch += ((height - 1) * layer.stride[ROWS] + layer.kernel[ROWS]) * (
                (width - 1) * layer.stride[COLS] + layer.kernel[COLS]
            )
            deployed[i] += aligned(scratch)
        if layer.kind not in ("depthwise", "add") and not is_pointwise(layer):
            continue
        if windowed[i + 1] != patched:
            continue
        for tensor in layer.inputs:
            if tensor == IMAGE or network.last_reader[tensor] != i or windowed[tensor] != patched:
                continue
            if layer.kind != "depthwise" and patched:
                if any(
                    spans[tensor] != spans[i + 1] for axis in (by_rows, by_cols) for spans in axis.spans
                ):
                    continue
            if is_pointwise(layer):
                channels = network.shapes[i + 1][2]
                distance = pointwise_distance(
                    sizes[i + 1] // channels, network.shapes[tensor][2], channels
                )
                deployed[i] -= aligned(max(0, sizes[i + 1] - aligned(distance)))
                break
            shared = min(sizes[tensor], sizes[i + 1])
            mcunetv2[i] -= shared
            deployed[i] -= aligned(shared)
            # A projection adds its residual as it writes.
            if layer.kind == "add" and layer.inputs[0] == i and (i - 1 < split_layer) == patched:
                mcunetv2[i - 1] -= shared
            break

    flash = network.constants
    flash += network.code_bytes
    flash += sum(bytes[i < split_layer] for i, bytes in enumerate(network.call_bytes))
    if split_layer:
        tabled = split_layer + windowed[IMAGE]
        flash += tabled * sum(tiles for tiles in (rows, cols) if tiles > 1) * TABLE_BYTES
        flash += network.patch_loops_bytes
    return Costs(rows, cols, split_layer, macs, max(deployed), max(mcunetv2), flash)


def judge_all(network, grids, input_mode):
    costs = [judge(network, 1, 1, 0, input_mode)]
    for rows, cols in grids:
        if rows == cols == 1:
            continue
        for split_layer in range(1, len(network.layers)):
            height, width, _ = network.shapes[split_layer]
            if height < rows or width < cols:
                break
            costs.append(judge(network, rows, cols, split_layer, input_mode))
    return costs


def main():
    if len(sys.argv) != 1:
        sys.exit(__doc__.strip())
    task = json.load(sys.stdin)
    begin = time.process_time()
    found = [
        judge_all(
            Network(
                candidate["network"], candidate["code_bytes"], candidate["call_bytes"], task["sizes"]
            ),
            task["grids"],
            task["input_mode"],
        )
        for candidate in task["candidates"]
    ]
    seconds = time.process_time() - begin
    schedules = 0
    for i, (costs, candidate) in enumerate(zip(found, task["candidates"])):
        expected = [Costs(*values) for values in candidate["schedules"]]
        if costs != expected:
            differing = [(ours, theirs) for ours, theirs in zip(costs, expected) if ours != theirs]
            sys.exit(
                f"candidate {i}: {len(costs)} schedules, expected {len(expected)}; "
                f"{len(differing)} differ, first {differing[:1]}"
            )
        schedules += len(costs)
    json.dump(
        {
            "candidates": len(found),
            "schedules": schedules,
            "candidates_per_second": len(found) / seconds,
        },
        sys.stdout,
    )
    print()


if __name__ == "__main__":
    main()
