"""Every model: one folder per architecture, its descriptor apart from what loads it."""

from pathlib import Path

from sr.errors import UpscalerError
from sr.models import anime4k, interpolation, realcugan, realesrgan, srcnn, waifu2x
from sr.models.descriptor import Descriptor
from sr.models.files import describe_file, is_model_file

DESCRIPTORS: tuple[Descriptor, ...] = (
    *interpolation.DESCRIPTORS,
    *anime4k.DESCRIPTORS,
    *waifu2x.DESCRIPTORS,
    *realesrgan.DESCRIPTORS,
    *realcugan.DESCRIPTORS,
    *srcnn.DESCRIPTORS,
)


def find_model(name: str) -> Descriptor:
    """The descriptor of a model, by its name or by the path of its file.

    Raises:
        UpscalerError: There is none of this name, or the file is no model.
    """
    if is_model_file(name):
        return describe_file(Path(name))
    for descriptor in DESCRIPTORS:
        if descriptor.info.name == name:
            return descriptor
    known = ", ".join(d.info.name for d in DESCRIPTORS)
    raise UpscalerError(f"no such model: {name}; there are {known}")
