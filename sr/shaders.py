"""Reads convolutions and their wiring out of mpv user shaders (GLSL), as Anime4K is published.

A pass is a `//!DESC` block; its network part is a sum of `mat4(...) * go_N(x, y)` (3x3) or
`mat4(...) * g_N` (1x1) terms and one `vec4(...)` bias. A GLSL `mat4` lists its columns one after
the other. A `#define` says what N is: a texture, its positive half (max(t, 0)) or its negative
one (max(-t, 0)).
"""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sr.errors import UpscalerError

_NUMBER = r"[-+\d.eE]+"
_TERM = re.compile(
    rf"mat4\((?P<values>[^)]*)\)\s*\*\s*"
    rf"(?:go_(?P<conv>\d+)\(\s*(?P<x>{_NUMBER})\s*,\s*(?P<y>{_NUMBER})\s*\)|g_(?P<point>\d+))"
)
_BIAS = re.compile(r"result\s*\+=\s*vec4\(([^)]*)\)")
_INPUT = re.compile(
    r"#define go?_(?P<index>\d+)(?:\(x_off, y_off\))? "
    r"\((?P<half>max\()?(?P<negative>-)?\(?(?P<texture>\w+?)_tex(?:Off)?\("
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConvolutionPass:
    """One pass: cross-correlation weights (O=4, I, 3, 3) or (4, I, 1, 1), and bias (4,), float32.

    Input channels are those of group 0, group 1, ..., four each.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a pass reads and writes, by the names of textures."""

    inputs: tuple[str, ...]
    """By index N: `+name` the positive half, `-name` the negative one, `name` all of it."""
    output: str


def packaged_shader(package: str, path: str) -> str:
    """The text of a shader in an installed package, which is not imported.

    Raises:
        UpscalerError: The package or the file is not there.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / path
        if file.is_file():
            return file.read_text(encoding="utf-8")
    hint = f"pip install {package.replace('_', '-')}"
    raise UpscalerError(f"the shader {path} of the package {package} is not installed: {hint}")


def shader_passes(text: str, name: str) -> tuple[str, ...]:
    """The consecutive passes whose `//!DESC` contains `name`, as GLSL, in order.

    Raises:
        UpscalerError: There is none.
    """
    blocks = re.split(r"(?m)^(?=//!DESC )", text)
    chosen = tuple(b for b in blocks if b.startswith("//!DESC") and name in b.splitlines()[0])
    if not chosen:
        raise UpscalerError(f"the shader has no pass named {name}")
    return chosen


def read_convolution(glsl: str) -> ConvolutionPass:
    """The weights of one pass.

    Raises:
        UpscalerError: The text is no convolution in the form above.
    """
    title = glsl.splitlines()[0]
    terms = list(_TERM.finditer(glsl))
    bias = _BIAS.search(glsl)
    if not terms or bias is None:
        raise UpscalerError(f"no convolution in the shader pass {title}")
    groups = 1 + max(int(t["conv"] or t["point"] or 0) for t in terms)
    size = 3 if terms[0]["conv"] else 1
    weight = np.full((4, 4 * groups, size, size), np.nan, np.float32)
    for term in terms:
        x, y = (int(float(term[k])) + 1 for k in "xy") if size == 3 else (0, 0)
        group = int(term["conv"] or term["point"])
        columns = _floats(term["values"], 16, title).reshape(4, 4)
        weight[:, 4 * group : 4 * group + 4, y, x] = columns.T
    if np.isnan(weight).any():
        raise UpscalerError(f"terms are missing in the shader pass {title}")
    return ConvolutionPass(weight=weight, bias=_floats(bias[1], 4, title))


def read_wiring(glsl: str) -> Wiring:
    """What a convolution pass reads and writes.

    Raises:
        UpscalerError: The text does not say.
    """
    title = glsl.splitlines()[0]
    inputs = [
        (int(m["index"]), ("-" if m["negative"] else "+") * bool(m["half"]) + m["texture"])
        for m in _INPUT.finditer(glsl)
    ]
    output = re.search(r"(?m)^//!SAVE (\w+)$", glsl)
    if output is None or [index for index, _ in inputs] != list(range(len(inputs))):
        raise UpscalerError(f"unclear what is read and written by the shader pass {title}")
    return Wiring(inputs=tuple(name for _, name in inputs), output=output[1])


def _floats(text: str, count: int, title: str) -> NDArray[np.float32]:
    try:
        values = np.array([float(v) for v in text.split(",")], np.float32)
    except ValueError as e:
        raise UpscalerError(f"not a number in the shader pass {title}: {e}") from e
    if values.size != count or not np.isfinite(values).all():
        raise UpscalerError(f"expected {count} finite numbers in the shader pass {title}")
    return values
