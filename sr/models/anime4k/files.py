"""Networks of Anime4K-M's shape from model files: trained anew, or fine-tuned."""

# ruff: noqa: PLC0415 (torch and numba are heavy: imported where they are used)

from sr.errors import UpscalerError
from sr.models import anime4k
from sr.models.anime4k.weights import Anime4KWeights
from sr.models.descriptor import Descriptor, Model
from sr.models.weight_file import Arrays, WeightFile
from sr.shaders import ConvolutionPass
from sr.types import ModelInfo, Signal, Upscaler

ARCHITECTURE = "anime4k-m"
SCALE = 2
HIDDEN = 6
SHAPES = {
    "first": (4, 3, 3, 3),
    **{f"hidden.{i}": (4, 8, 3, 3) for i in range(HIDDEN)},
    "mix": (4, 8 * (HIDDEN + 1), 1, 1),
}


def from_file(file: WeightFile) -> Anime4KWeights:
    """The weights in a model file.

    Raises:
        UpscalerError: A tensor is missing or has another shape, or the scale is not 2.
    """
    expected: dict[str, tuple[int, ...]] = {f"{k}.weight": shape for k, shape in SHAPES.items()}
    expected |= {f"{name}.bias": (4,) for name in SHAPES}
    found = {name: array.shape for name, array in file.arrays.items()}
    if found != expected or file.scale != SCALE:
        wrong = sorted({name for name, _ in found.items() ^ expected.items()})
        raise UpscalerError(
            f"no {ARCHITECTURE} of scale 2 on R'G'B': scale {file.scale}, {', '.join(wrong)}"
        )
    first, *hidden, mix = (
        ConvolutionPass(weight=file.arrays[f"{name}.weight"], bias=file.arrays[f"{name}.bias"])
        for name in SHAPES
    )
    return Anime4KWeights(first=first, hidden=tuple(hidden), mix=mix)


def to_arrays(weights: Anime4KWeights) -> Arrays:
    """The weights by name."""
    layers = zip(SHAPES, (weights.first, *weights.hidden, weights.mix), strict=True)
    return {
        f"{name}.{part}": getattr(layer, part)
        for name, layer in layers
        for part in ("weight", "bias")
    }


def describe(weights: Anime4KWeights, *, name: str, origin: str, weights_sha256: str) -> Descriptor:
    """A network of Anime4K-M's shape; it runs on the same kernel."""

    def load(info: ModelInfo, device: str) -> Model:
        from sr.models.anime4k.tensors import Anime4KNetwork
        from sr.models.tensors import NetworkModel

        module = Anime4KNetwork(weights).to(device).eval()
        return NetworkModel(info=info, device=device, module=module)

    def open_cpu(source: Signal, target: Signal, threads: int) -> Upscaler:
        from sr.models.anime4k.planes import open_network

        return open_network(weights, source=source, target=target, threads=threads)

    def open_torch(source: Signal, target: Signal, device: str, batch: int) -> Upscaler:
        from sr.models.anime4k.tensors import open_network

        return open_network(weights, source=source, target=target, device=device, batch=batch)

    (packaged,) = (d for d in anime4k.DESCRIPTORS if d.info.name == ARCHITECTURE)
    info = ModelInfo(
        name=name,
        scale=SCALE,
        kmac_per_pixel=packaged.info.kmac_per_pixel,
        radius=packaged.info.radius,
        licence="of its training material",
        weights=origin,
    )
    return Descriptor(
        info=info,
        code_version=packaged.code_version,
        weights_sha256=lambda: weights_sha256,
        load=load,
        open_cpu=open_cpu,
        open_torch=open_torch,
    )
