"""Weights that other packages carry: found without importing those, and known by their digest."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from sr.errors import UpscalerError


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightPackage:
    """A package of data files, and the extra of ours that installs it."""

    module: str
    distribution: str
    extra: str

    @property
    def origin(self) -> str:
        """Where the weights come from, for people."""
        return f"package {self.distribution}, extra [{self.extra}]"

    def find(self, path: str) -> Path:
        """A file of the package.

        Raises:
            UpscalerError: It is not installed; the message says how to install it.
        """
        spec = importlib.util.find_spec(self.module)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            file = Path(folder) / path
            if file.is_file():
                return file
        hint = f"pip install 'upscale-origin[{self.extra}]'"
        raise UpscalerError(f"{Path(path).name} of {self.distribution} is not installed: {hint}")

    def read(self, paths: tuple[str, ...], sha256: str) -> tuple[bytes, ...]:
        """The contents of files whose digest, one after the other, is known.

        Raises:
            UpscalerError: A file is missing, or they are others than those known.
        """
        contents = tuple(self.find(path).read_bytes() for path in paths)
        if hashlib.sha256(b"".join(contents)).hexdigest() != sha256:
            names = " and ".join(Path(path).name for path in paths)
            raise UpscalerError(f"{names} of {self.distribution} are broken or of another version")
        return contents
