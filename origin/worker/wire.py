"""What goes over the two pipes of a worker: pickled messages behind their length.

Both ends are our own processes and nobody else can write to the pipes, so pickle is safe here.
"""

import pickle
import struct
from dataclasses import dataclass

HEADER = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class Run:
    """To the worker: do this."""

    number: int
    job: object


@dataclass(frozen=True, slots=True)
class Cancel:
    """To the worker: nobody wants it any more."""

    number: int


@dataclass(frozen=True, slots=True)
class Ready:
    """From the worker: the runner is imported."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """From the worker, which then ends: the runner cannot be imported."""

    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """From the worker: so much is done, in the job's own units.

    The first one says that the work proper has begun.
    """

    number: int
    count: int


@dataclass(frozen=True, slots=True)
class Done:
    """From the worker: the result."""

    number: int
    result: object


@dataclass(frozen=True, slots=True)
class Failed:
    """From the worker: the job raised."""

    number: int
    error: Exception


Message = Run | Cancel | Ready | Unusable | Progress | Done | Failed


def encode(message: Message) -> bytes:
    """A message as it goes over a pipe."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body
