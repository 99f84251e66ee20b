"""`upscale-origin upscale`: a whole media file through the one-segment pipeline."""

from origin.upscale.command import add_command

__all__ = ["add_command"]
