"""`upscale-origin evaluate`: what upscaling gains, measured on one's own material."""

from origin.evaluate.command import add_command

__all__ = ["add_command"]
