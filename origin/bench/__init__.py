"""`upscale-origin bench`: what this machine can sustain, by model and size, stage by stage."""

from origin.bench.command import add_command
from origin.bench.run import Measurement, measure_all

__all__ = ["Measurement", "add_command", "measure_all"]
