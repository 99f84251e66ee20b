import re

import numpy as np
import pytest

from sr import UpscalerError
from sr.models.anime4k.weights import PACKAGE, PASS_NAME, SHADER, load_weights
from sr.shaders import packaged_shader, read_convolution, shader_passes

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


def test_the_packaged_weights_are_the_known_ones() -> None:
    assert load_weights().sha256 == (
        "3de1b0fbfc23d16b426194f51c6a0ca40f9da8702e624999f2c0eef827fb597b"
    )


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
    passes = shader_passes(packaged_shader(PACKAGE, SHADER), PASS_NAME)
    assert len(passes) == 9
    assert "Depth-to-Space" in passes[-1].splitlines()[0]
