"""`upscale-origin doctor`: whether everything is here that serving needs."""

from origin.doctor.checks import Finding, State, examine
from origin.doctor.command import add_command

__all__ = ["Finding", "State", "add_command", "examine"]
