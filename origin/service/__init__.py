"""Use cases: what a path stands for, and how to come by it."""

from origin.service.service import Service

__all__ = ["Service"]
