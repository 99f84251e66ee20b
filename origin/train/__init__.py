"""`upscale-origin train`: small networks, trained on one's own material."""

from origin.train.command import add_command

__all__ = ["add_command"]
