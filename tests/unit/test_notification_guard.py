"""Notifications stay out of private networks, whatever their URL says and whatever it resolves or redirects to."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from runyard_approvals.notifications.guard import PrivateAddress, is_public, public_addresses_only


@pytest.mark.parametrize("host", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_public(host: str) -> None:
    assert is_public(host)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::10.0.0.1",
        "localhost",
        "example.com",
        "/run/docker.sock",
        "",
    ],
)
def test_everything_else_is_not(host: str) -> None:
    assert not is_public(host)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def connect(listener: socket.socket) -> None:
    socket.create_connection(listener.getsockname(), timeout=5).close()


def test_a_private_connection_is_broken_off_inside_and_not_outside(listener: socket.socket) -> None:
    connect(listener)
    with public_addresses_only() as refused:
        with pytest.raises(PrivateAddress):
            connect(listener)
        with pytest.raises(PrivateAddress), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.sendto(b"x", listener.getsockname())
    assert refused == ["127.0.0.1", "127.0.0.1"]
    connect(listener)


async def test_only_the_guarded_task_and_its_threads_are_kept_from_connecting(listener: socket.socket) -> None:
    connected, guarded = asyncio.Event(), asyncio.Event()

    async def free() -> None:
        await guarded.wait()
        await asyncio.to_thread(connect, listener)
        connected.set()

    task = asyncio.create_task(free())
    with public_addresses_only():
        guarded.set()
        await connected.wait()
        with pytest.raises(PrivateAddress):
            await asyncio.to_thread(connect, listener)
    await task


def test_unix_sockets_are_private_too(tmp_path: Path) -> None:
    with (
        public_addresses_only(),
        socket.socket(socket.AF_UNIX) as unix,
        pytest.raises(PrivateAddress),
    ):
        unix.connect(f"{tmp_path}/socket")
