"""A wire between a client and a server that a test can cut, and that can lose an answer on its way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Wire:
    """Listens on an address of its own, and passes on what comes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._losing: bytes | None = None
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def cut(self) -> None:
        """Every connection there is breaks now."""
        with self._lock:
            ends, self._ends = self._ends, set()
        self.cuts += len(ends) // 2
        for end in ends:
            _break(end)

    def lose_the_answer_to(self, request: str) -> None:
        """The next request that begins so arrives, and its connection breaks when the answer comes."""
        self._losing = request.encode()

    def close(self) -> None:
        with suppress(OSError):  # wakes the thread that accepts
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._target)
                with self._lock:
                    self._ends |= {near, far}
                lost = threading.Event()
                threading.Thread(target=self._pass_on, args=(near, far, lost, False), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(far, near, lost, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, lost: threading.Event, is_answer: bool) -> None:
        """`lost`: the answer that comes next on this connection does not arrive."""
        with suppress(OSError):  # cut
            while content := source.recv(65536):
                if is_answer and lost.is_set():
                    self.cuts += 1
                    break
                if not is_answer and self._losing is not None and content.startswith(self._losing):
                    self._losing = None
                    lost.set()
                target.sendall(content)
        _break(source)
        _break(target)
        with self._lock:
            self._ends -= {source, target}


@contextmanager
def wire_to(url: str) -> Iterator[Wire]:
    wire = Wire(url)
    try:
        yield wire
    finally:
        wire.close()


def _break(end: socket.socket) -> None:
    with suppress(OSError):  # it was broken before
        end.shutdown(socket.SHUT_RDWR)
    end.close()
