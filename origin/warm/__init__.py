"""`upscale-origin warm`: has a running origin make segments before anybody watches."""

from origin.warm.command import add_command

__all__ = ["add_command"]
