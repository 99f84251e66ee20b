"""Other engines on the CPU, to be timed beside ours: the same networks, or ones made for the same.

Each is given what suits it: R'G'B' or luma as it takes it, with no conversion from or to planes,
and zeros around each map instead of its edge. All are optional
(`pip install upscale-origin[bench]`).
"""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sr.models import waifu2x
from sr.models.anime4k.weights import Anime4KWeights
from sr.shaders import ConvolutionPass

Images = NDArray[np.float32]
"""(1, 3, H, W)"""
Engine = Callable[[Images], Images]
SCALE = 2


def is_installed(*packages: str) -> bool:
    return all(importlib.util.find_spec(package) for package in packages)


def onnx_network(weights: Anime4KWeights, width: int, height: int) -> bytes:
    """A network that doubles, as an ONNX model of one fixed size."""
    from onnx import TensorProto, checker, helper, numpy_helper  # noqa: PLC0415 (optional)

    constants, nodes, halves = [], [], []

    def constant(name: str, array: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def convolution(name: str, layer: ConvolutionPass, source: str) -> str:
        parts = (constant(f"{name}.w", layer.weight), constant(f"{name}.b", layer.bias))
        pads = [layer.weight.shape[2] // 2] * 4
        return node("Conv", name, source, *parts, pads=pads)

    features = "rgb"
    for i, layer in enumerate((weights.first, *weights.hidden)):
        raw = convolution(f"conv{i}", layer, features)
        negative = node("Relu", f"neg{i}", node("Neg", f"minus{i}", raw))
        features = node("Concat", f"crelu{i}", node("Relu", f"pos{i}", raw), negative, axis=1)
        halves.append(features)
    mixed = node("Concat", "halves", *halves[-weights.mixed_layers :], axis=1)
    mixed = convolution("mix", weights.mix, mixed)
    residual = node("DepthToSpace", "residual", mixed, blocksize=SCALE, mode="CRD")
    scales = constant("scales", np.array([1, 1, SCALE, SCALE], np.float32))
    base = node("Resize", "base", "rgb", "", scales, mode="linear")
    node("Add", "out", base, residual)
    sizes = ((1, 3, height, width), (1, 3, SCALE * height, SCALE * width))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, size)
        for name, size in zip(("rgb", "out"), sizes, strict=True)
    ]
    graph = helper.make_graph(nodes, "anime4k", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def onnxruntime_engine(model: bytes, threads: int) -> Engine:
    import onnxruntime  # type: ignore[import-not-found]  # noqa: PLC0415 (optional)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"rgb": images})[0]


def openvino_engine(model: bytes, threads: int, precision: str) -> Engine:
    """`precision`: f32 or bf16."""
    import openvino  # type: ignore[import-not-found]  # noqa: PLC0415 (optional)

    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model, b""), "CPU", settings)
    request = compiled.create_infer_request()
    return lambda images: request.infer([images], share_inputs=True, share_outputs=True)[0]


def torch_engine(weights: Anime4KWeights, threads: int) -> Engine:
    import torch  # noqa: PLC0415 (heavy)

    from sr.models.anime4k.tensors import make_network  # noqa: PLC0415 (heavy)

    network = make_network(weights)

    @torch.inference_mode()
    def run(images: Images) -> Images:
        torch.set_num_threads(threads)
        return np.asarray(network(torch.from_numpy(images)).numpy())

    return run


def acnet_engine() -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Anime4KCPP's ACNet on its own vector code and threads, luma (H, W) in and out."""
    from pyanime4k import Processor  # type: ignore[import-not-found]  # noqa: PLC0415 (optional)

    processor = Processor("cpu", 0, "acnet-hdn0")
    return lambda luma: processor.process(luma, float(SCALE))


def ncnn_engine(model: str, threads: int) -> Callable[[int, int], NDArray[np.float32]]:
    """ncnn with its own settings on a network of waifu2x; a noisy image of a size is enlarged.

    Raises:
        UpscalerError: The weights are missing.
    """
    import ncnn  # type: ignore[import-not-found]  # noqa: PLC0415 (optional)

    (network,) = waifu2x.NETWORKS[model]
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.load_param(str(network.package.find(f"{network.stem}.param")))
    net.load_model(str(network.package.find(f"{network.stem}.bin")))

    def run(width: int, height: int) -> NDArray[np.float32]:
        sides = (height + 2 * network.radius, width + 2 * network.radius)
        images = np.random.default_rng(0).random((3, *sides), np.float32)
        extractor = net.create_extractor()
        extractor.input("Input1", ncnn.Mat(images))
        return np.array(extractor.extract("Eltwise4")[1])

    return run
