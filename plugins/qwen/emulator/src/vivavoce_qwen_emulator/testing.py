"""The emulator inside a test's own process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vivavoce_qwen_emulator.app import Emulator
from vivavoce_qwen_emulator.control import Armed
from vivavoce_qwen_emulator.faults import make_fault
from vivavoce_qwen_emulator.journal import Received
from vivavoce_qwen_emulator.serving import Server, address_of, open_socket, ws_address_of
from vivavoce_qwen_emulator.settings import Settings

__all__ = ["Received", "RunningEmulator", "running_emulator"]

_LIMIT_S = 10.0


class RunningEmulator:
    """
    An emulator that is being served; made by :func:`running_emulator`.

    Attributes:
        base_url: What a client is given as its base address.
        ws_url: What a client of realtime sessions is given, without the model.
    """

    def __init__(self, emulator: Emulator, base_url: str, ws_url: str) -> None:
        self.base_url = base_url
        self.ws_url = ws_url
        self._emulator = emulator

    def requests(self) -> list[Received]:
        """Return what was received since the last :meth:`clear`, the oldest first."""
        return self._emulator.journal.entries()

    def fault(
        self,
        name: str,
        /,
        *,
        times: int = 1,
        model: str | None = None,
        stream: bool | None = None,
        **params: Any,
    ) -> None:
        """
        Let something go wrong with the next request for speech, or the next session.

        Args:
            name: See ``vivavoce-qwen-emulator faults``.
            times: With how many requests.
            model: Only with requests for this model.
            stream: Only with streams, or only with answers in one piece; not with sessions.
            **params: The fault's parameters.

        Raises:
            BadFault: If there is no such fault, parameter or value.
        """
        fault = make_fault(name, params)
        self._emulator.armory.arm(Armed(fault=fault, times=times, model=model, stream=stream))

    def wait_for_end(self, index: int = -1, *, timeout_s: float = 5.0) -> str:
        """
        Return how the answer to a request ended; see :attr:`Received.ended`.

        Args:
            index: Which of :meth:`requests`.
            timeout_s: Longest wait.

        Raises:
            TimeoutError: If it has not ended by then.
        """
        return self._emulator.journal.wait_for_end(self.requests()[index], timeout_s)

    def clear(self) -> None:
        """Forget what was received, and disarm every fault."""
        self._emulator.journal.clear()
        self._emulator.armory.clear()


@contextmanager
def running_emulator(**settings: Any) -> Iterator[RunningEmulator]:
    """
    Serve an emulator on a free port of this machine, in a thread of its own.

    Args:
        **settings: Fields of :class:`vivavoce_qwen_emulator.Settings`.

    Raises:
        ValueError: If a setting is unusable.
    """
    emulator = Emulator(Settings(**settings))
    server = Server(emulator)
    listening = open_socket("127.0.0.1", 0)
    running = RunningEmulator(emulator, address_of(listening), ws_address_of(listening))
    thread = threading.Thread(
        target=server.run, args=([listening],), name="vivavoce-qwen-emulator", daemon=True
    )
    thread.start()
    try:
        if not server.has_started.wait(_LIMIT_S):
            msg = f"The emulator did not start within {_LIMIT_S} s."
            raise RuntimeError(msg)
        yield running
    finally:
        server.stop()
        thread.join(_LIMIT_S)
        emulator.close()
