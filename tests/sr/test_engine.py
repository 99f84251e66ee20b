import subprocess
import sys

import numpy as np
import pytest
import torch

import sr
from sr import Planes, UpscalerError
from tests.sr.frames import noise, signal

NAMES = ["identity", "bilinear", "bicubic", "lanczos", "anime4k-m"]


def run_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_importing_sr_is_light() -> None:
    run_python("import sys, sr; assert not {'torch', 'numba', 'av'} & sys.modules.keys()")


def test_the_cpu_path_never_loads_torch() -> None:
    run_python(
        "import sys, sr; sr.warm_up(); sr.model_digest('anime4k-m'); sr.list_models();"
        "assert 'numba' in sys.modules and 'torch' not in sys.modules"
    )


def test_models_are_listed() -> None:
    models = {m.name: m for m in sr.list_models()}
    assert len(models) == len(sr.list_models())
    assert [models[name].scale for name in NAMES] == [1, None, None, None, 2]
    assert models["anime4k-m"].kmac_per_pixel == pytest.approx(2.06)


def test_digests_tell_models_apart_and_stay() -> None:
    digests = [sr.model_digest(name) for name in NAMES]
    assert len(set(digests)) == len(NAMES)
    assert all(len(d) == 64 and int(d, 16) >= 0 for d in digests)
    assert digests == [sr.model_digest(name) for name in NAMES]


@pytest.mark.parametrize("function", [sr.model_digest, sr.load_model, sr.warm_up])
def test_an_unknown_model_is_refused(function) -> None:
    with pytest.raises(UpscalerError, match=r"no such model: waifu.*anime4k-m"):
        function("waifu")


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "expected auto"), ("cuda:x", "expected auto"), ("cuda:99", "no device cuda:99")],
)
def test_a_wrong_device_is_refused(device: str, message: str) -> None:
    with pytest.raises(UpscalerError, match=message):
        sr.resolve_device(device)


def test_devices_resolve() -> None:
    assert sr.resolve_device("cpu") == "cpu"
    assert sr.resolve_device("auto") == ("cuda:0" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("bad", [{"threads": 0}, {"batch": 0}, {"target": signal(0, 4)}])
def test_wrong_arguments_are_refused(bad) -> None:
    good = {"model": "lanczos", "source": signal(4, 4), "target": signal(8, 8)}
    with pytest.raises(UpscalerError):
        sr.open_upscaler(**(good | bad))


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
@pytest.mark.parametrize("model", NAMES)
def test_wrong_planes_are_refused(model: str, device: str) -> None:
    upscale = sr.open_upscaler(
        model=model, source=signal(8, 6), target=signal(16, 12), device=device
    )
    y, u, v = noise(8, 6)
    wrong = [
        (noise(8, 8), r"plane y: expected uint8 \(6, 8\)"),
        (Planes(y, u[:2], v), "plane u"),
        (Planes(y, u, v.astype(np.uint16)), "plane v"),  # type: ignore[arg-type]
        (Planes(noise(6, 8).y.T, u, v), "rows are not contiguous"),
    ]
    for frame, message in wrong:
        with pytest.raises(UpscalerError, match=message):
            upscale([frame])


def test_a_batch_too_large_is_refused() -> None:
    upscale = sr.open_upscaler(
        model="bilinear", source=signal(8, 6), target=signal(16, 12), device="torch-cpu"
    )
    with pytest.raises(UpscalerError, match="2 frames in a call; the batch is 1"):
        upscale([noise(8, 6)] * 2)


@pytest.mark.parametrize("model", NAMES)
def test_results_own_their_memory(model: str) -> None:
    source, target = signal(8, 6), signal(16, 12)
    for device in ("cpu", "torch-cpu"):
        upscale = sr.open_upscaler(model=model, source=source, target=target, device=device)
        first = upscale([noise(8, 6, 1)])[0]
        kept = [plane.copy() for plane in first]
        upscale([noise(8, 6, 2)])
        assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))


@pytest.mark.parametrize(("model", "scale"), [("lanczos", 2), ("bicubic", 1.5), ("bilinear", 0.5)])
def test_interpolation_takes_a_scale(model: str, scale: float) -> None:
    images = torch.rand(2, 3, 10, 12)
    assert sr.load_model(model)(images, scale=scale).shape == (2, 3, 10 * scale, 12 * scale)
    with pytest.raises(UpscalerError, match="give a scale"):
        sr.load_model(model)(images)


def test_bilinear_is_torchs() -> None:
    images = torch.rand(1, 3, 11, 14)
    theirs = torch.nn.functional.interpolate(images, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(sr.load_model("bilinear")(images, 2), theirs)


def test_networks_have_one_scale_and_take_images() -> None:
    model = sr.load_model("anime4k-m")
    assert model(torch.rand(2, 3, 9, 7)).shape == (2, 3, 18, 14)
    with pytest.raises(UpscalerError, match="scales by 2, not by 3"):
        model(torch.rand(1, 3, 8, 8), scale=3)
    for wrong in (torch.rand(3, 8, 8), torch.rand(1, 1, 8, 8), torch.rand(1, 3, 8, 8).double()):
        with pytest.raises(UpscalerError, match=r"expected float32 images \(N, 3, H, W\)"):
            model(wrong)
