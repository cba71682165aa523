"""The server around the service."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import threading

import uvicorn

from vivavoce_qwen_emulator.app import BASE_PATH, REALTIME_PATH, Emulator

__all__ = ["Server", "address_of", "is_loopback", "open_socket", "ws_address_of"]


def is_loopback(host: str) -> bool:
    """Return whether *host*, a name or an address, can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_socket(host: str, port: int) -> socket.socket:
    """
    Return a socket that listens.

    Args:
        host: Name or address.
        port: 0 for any that is free.

    Raises:
        OSError: If the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small pieces at once only where the protocol is named, which
    # socket.create_server does not do: each answer would take 40 ms more.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


def address_of(listening: socket.socket) -> str:
    """Return the base address of what is served on a socket over HTTP."""
    return f"http://{_origin_of(listening)}{BASE_PATH}"


def ws_address_of(listening: socket.socket) -> str:
    """Return the address of the sessions served on a socket, without the model."""
    return f"ws://{_origin_of(listening)}{REALTIME_PATH}"


def _origin_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"


class Server(uvicorn.Server):
    """
    Serves one emulator, without logging: addresses hold signatures.

    Args:
        emulator: What is served.
    """

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(
            uvicorn.Config(
                emulator.app,
                loop="asyncio",
                http="h11",
                ws="websockets-sansio",
                ws_max_size=1 << 20,
                # A ping is answered where the test does not look, and would keep a session awake.
                ws_ping_interval=None,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self.has_started = threading.Event()
        self._emulator = emulator
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        # uvicorn's protocols know their transport and their client, which is what a cut needs.
        self._emulator.connections = self.server_state.connections  # type: ignore[assignment]
        self.has_started.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A stalled answer would be waited for.
        for connection in list(self.server_state.connections):
            # Not close(): it would wait until a client that reads nothing has read all.
            connection.transport.abort()
        # They leave the list in the next turn; uvicorn would fail over one that is being closed.
        await asyncio.sleep(0)
        await super().shutdown(sockets)

    def stop(self) -> None:
        """Ask for the end, from any thread."""
        self.should_exit = True
