"""Networks whose residual is the same for R, G and B; networks that the kernel does not take."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sr import Planes, UpscalerError, load_model, open_upscaler
from sr.color import rgb_from_codes
from sr.models.anime4k.planes import pack
from sr.models.anime4k.weights import load_weights
from tests.sr.frames import signal


def test_luma_alone_is_the_luma_of_the_rgb_network(film: Planes) -> None:
    """The residual is grey: running the network on RGB and taking luma of it gives the same."""
    source, target = signal(160, 90, "bt601"), signal(320, 180, "bt709")
    frame = Planes(
        film.y, np.full_like(film.u, 111), np.full_like(film.v, 140)
    )  # no siting to mind
    codes = np.stack([frame.y, *(np.full_like(frame.y, c) for c in (111, 140, 1))])
    rgb = np.einsum("ij,jhw->ihw", rgb_from_codes(source)[:3], codes.astype(float))
    images = torch.from_numpy(rgb.astype(np.float32))[None]
    out = load_model("anime4k-m")(images)[0].double().numpy()
    to_luma = np.linalg.inv(rgb_from_codes(target))[0]
    luma = np.einsum("j,jhw->hw", to_luma[:3], out) + to_luma[3]
    ours = open_upscaler(model="anime4k-m", source=source, target=target)([frame])[0]
    assert np.abs(ours.y - luma.clip(0, 255)).max() <= 0.51


def test_a_network_too_large_for_the_kernel_is_refused() -> None:
    weights = load_weights()
    with pytest.raises(UpscalerError, match="9 layers"):
        pack(replace(weights, hidden=(*weights.hidden, weights.hidden[0], weights.hidden[0])))
