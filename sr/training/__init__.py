"""Trains the small networks on a user's own frames: arrays in, a `WeightFile` out.

No video is decoded and nothing is downscaled here: pairs of frames come from the caller.
"""

from sr.training.checkpoint import read_checkpoint
from sr.training.curve import curve_document, curve_svg
from sr.training.data import Pair
from sr.training.networks import ARCHITECTURES, packaged_anime4k
from sr.training.recipe import Point, Progress, Recipe, Trained
from sr.training.trainer import steps_within, train

__all__ = [
    "ARCHITECTURES",
    "Pair",
    "Point",
    "Progress",
    "Recipe",
    "Trained",
    "curve_document",
    "curve_svg",
    "packaged_anime4k",
    "read_checkpoint",
    "steps_within",
    "train",
]
