"""Where everything listens: on loopback, and on the usual port if nobody else does."""

import socket
from contextlib import suppress

HOST = "127.0.0.1"
USUAL_PORT = 8080
USUAL_OPS_PORT = 9401


def first_free(*ports: int) -> int:
    """The first of them that nobody listens on; 0 stands for any."""
    for port in ports:
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise OSError(f"no port is free on {HOST}")
