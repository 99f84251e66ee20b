import re

import numpy as np
import pytest

from sr import UpscalerError
from sr.models.anime4k.weights import (
    PACKAGE,
    RESTORE_VL,
    SHADER,
    UPSCALE_M,
    UPSCALE_VL,
    load_weights,
    read_weights,
)
from sr.shaders import Wiring, packaged_shader, read_convolution, read_wiring, shader_passes

IDENTITY = "1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0"
POINT = f"""//!DESC Test-Conv-4x1x1x4
vec4 hook() {{
    vec4 result = mat4({IDENTITY}) * g_0;
    result += vec4(0.5, -1.0, 2e-3, 0.0);
    return result;
}}
"""


def test_matrices_are_column_major() -> None:
    layer = read_convolution(POINT)
    vector = np.array([1.0, 10.0, 100.0, 1000.0])
    columns = np.arange(1.0, 17.0).reshape(4, 4)
    np.testing.assert_allclose(layer.weight[:, :, 0, 0] @ vector, vector @ columns)
    np.testing.assert_allclose(layer.bias, [0.5, -1.0, 2e-3, 0.0])


@pytest.mark.parametrize(
    ("name", "sha256", "shape"),
    [
        (UPSCALE_M, "3de1b0fbfc23d16b426194f51c6a0ca4", (4, 7, 7, 1, 2)),
        (UPSCALE_VL, "9e4286c1b5ed41d2cfe0bfede6507f7f", (8, 7, 7, 3, 2)),
        (RESTORE_VL, "35b02b89ee63e22e2a23172e5335a315", (8, 8, 7, 3, 1)),
    ],
)
def test_the_packaged_networks_are_the_known_ones(
    name: str, sha256: str, shape: tuple[int, ...]
) -> None:
    weights = load_weights(name)
    assert weights.sha256.startswith(sha256)
    layers = (weights.layers, weights.mixed_layers)
    assert (weights.features, *layers, weights.residuals, weights.scale) == shape


def test_wiring() -> None:
    text = """//!DESC Test
//!SAVE out
#define go_0(x_off, y_off) (max((a_texOff(vec2(x_off, y_off))), 0.0))
#define go_1(x_off, y_off) (max(-(a_texOff(vec2(x_off, y_off))), 0.0))
#define go_2(x_off, y_off) (MAIN_texOff(vec2(x_off, y_off)))
#define g_3 (max(-(b_tex(b_pos)), 0.0))
"""
    assert read_wiring(text) == Wiring(inputs=("+a", "-a", "MAIN", "-b"), output="out")
    for broken in (text.replace("//!SAVE", "//"), text.replace("go_1", "go_4")):
        with pytest.raises(UpscalerError, match="unclear what is read"):
            read_wiring(broken)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"conv2d_2_tf\b", "conv2d_1_tf"),  # a layer that skips one
        (r"\+ MAIN_tex\(MAIN_pos\)", ""),  # no residual
        (r"(?s)//!DESC [^\n]*4x1x1x56.*?(?=//!DESC)", ""),  # no mix
        (r"max\(-\(conv2d_3_tf_tex", "max((conv2d_3_tf_tex"),  # no negative half
    ],
)
def test_other_wirings_are_refused(pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, packaged_shader(PACKAGE, SHADER))
    assert count
    with pytest.raises(UpscalerError, match="unexpected"):
        read_weights(text, UPSCALE_M)


def test_a_missing_package_names_what_to_install() -> None:
    with pytest.raises(UpscalerError, match="pip install no-such-package"):
        packaged_shader("no_such_package", "x.glsl")
    with pytest.raises(UpscalerError, match=r"shaders/none\.glsl"):
        packaged_shader(PACKAGE, "shaders/none.glsl")


def test_a_missing_pass_is_named() -> None:
    with pytest.raises(UpscalerError, match="Upscale-CNN-x3"):
        shader_passes(packaged_shader(PACKAGE, SHADER), "Upscale-CNN-x3")


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"result \+= vec4\(.*\n", "", "no convolution"),
        (r"16\.0\)", "16.0, 17.0)", "expected 16 finite numbers"),
        (r"2e-3", "2e999", "expected 4 finite numbers"),
        (r"2e-3", "zwei", "not a number"),
        (r"g_0", "g_1", "terms are missing"),
    ],
)
def test_a_broken_pass_is_refused(pattern: str, replacement: str, message: str) -> None:
    with pytest.raises(UpscalerError, match=message):
        read_convolution(re.sub(pattern, replacement, POINT))


def test_passes_come_in_order() -> None:
    passes = shader_passes(packaged_shader(PACKAGE, SHADER), UPSCALE_M)
    assert len(passes) == 9
    assert "Depth-to-Space" in passes[-1].splitlines()[0]
