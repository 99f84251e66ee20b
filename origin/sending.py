"""Sending from a file in memory past a transport: uvloop's have no sendfile.

They don't let others write to their sockets either, so a duplicate of the descriptor is used, at
times when the transport itself has nothing to send.
"""

import asyncio
import os
import socket
from collections.abc import Callable

from origin.arena import Extent


class Sending:
    """A head and an extent on their way to a client. One event loop owns it."""

    def __init__(
        self, sock: socket.socket, head: bytes, body: Extent, done: Callable[[bool], None]
    ) -> None:
        """Begin.

        Args:
            sock: The connection's; it stays open for as long as this takes.
            head: What goes before the body.
            body: Held until the kernel has it.
            done: Called once, in another turn of the loop, with whether all was sent.

        Raises:
            OSError: There are no descriptors left.
        """
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(sock.family, sock.type, fileno=os.dup(sock.fileno()))
        self._head = memoryview(head)
        self._body = body
        self._at = 0
        self._done = done
        self._is_writing = False
        self._send()

    @property
    def unsent_bytes(self) -> int:
        """What the kernel does not have yet."""
        return len(self._head) + len(self._body) - self._at

    def stop(self) -> None:
        """Send no more. If it has ended just now, `done` is still called."""
        if self._is_writing:
            self._loop.remove_writer(self._socket.fileno())
            self._is_writing = False
        self._socket.close()

    def _send(self) -> None:
        try:
            self._push()
        except BlockingIOError:
            if not self._is_writing:
                self._loop.add_writer(self._socket.fileno(), self._send)
                self._is_writing = True
            return
        except OSError:
            pass
        self.stop()
        self._loop.call_soon(self._done, not self.unsent_bytes)

    def _push(self) -> None:
        while self._head:
            self._head = self._head[self._socket.send(self._head, socket.MSG_MORE) :]
        while self._at < len(self._body):
            self._at += self._body.send(self._socket.fileno(), self._at)
