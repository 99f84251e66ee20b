"""Every model: one folder per architecture, its descriptor apart from what loads it."""

from sr.errors import UpscalerError
from sr.models import anime4k, interpolation, realcugan, realesrgan, waifu2x
from sr.models.descriptor import Descriptor

DESCRIPTORS: tuple[Descriptor, ...] = (
    *interpolation.DESCRIPTORS,
    *anime4k.DESCRIPTORS,
    *waifu2x.DESCRIPTORS,
    *realesrgan.DESCRIPTORS,
    *realcugan.DESCRIPTORS,
)


def find_model(name: str) -> Descriptor:
    """The descriptor of a model.

    Raises:
        UpscalerError: There is none of this name.
    """
    for descriptor in DESCRIPTORS:
        if descriptor.info.name == name:
            return descriptor
    known = ", ".join(d.info.name for d in DESCRIPTORS)
    raise UpscalerError(f"no such model: {name}; there are {known}")
