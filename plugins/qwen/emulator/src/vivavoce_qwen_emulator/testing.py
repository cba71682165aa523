"""The emulator inside a test's own process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vivavoce_qwen_emulator.app import Emulator
from vivavoce_qwen_emulator.control import Armed, read_action
from vivavoce_qwen_emulator.faults import make_fault
from vivavoce_qwen_emulator.journal import Received
from vivavoce_qwen_emulator.serving import Server, address_of, open_socket, ws_address_of
from vivavoce_qwen_emulator.settings import Settings
from vivavoce_qwen_emulator.voices import Making

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
        action: str | None = None,
        **params: Any,
    ) -> None:
        """
        Let something go wrong with the next request that it can be done to.

        Args:
            name: See ``vivavoce-qwen-emulator faults``.
            times: With how many requests.
            model: Only with requests for this model.
            stream: Only with streams, or only with speech in one piece; not with sessions.
            action: Only with requests that ask to do this with voices, such as ``create``.
            **params: The fault's parameters.

        Raises:
            BadFault: If there is no such fault, parameter or value.
        """
        fault = make_fault(name, params)
        self._emulator.armory.arm(
            Armed(fault=fault, times=times, model=model, stream=stream, action=read_action(action))
        )

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

    def voices(self, key: str) -> list[str]:
        """Return the ids of the voices that *key* has, cloned ones first, the newest first."""
        account, store = self._emulator.account_of(key), self._emulator.store
        makings: tuple[Making, ...] = ("cloned", "designed")
        return [
            voice.voice for making in makings for voice in store.page(account, making, 0, 1 << 31)
        ]

    def make_voice(self, model: str, key: str, name: str = "made") -> str:
        """
        Make a voice and return its id, without a request.

        Args:
            model: The one model that speaks with it.
            key: Whose it is.
            name: Part of its id.

        Raises:
            ValueError: If the model takes no such voices.
        """
        from vivavoce_qwen.tables import models

        making = models()[model].voices if model in models() else ""
        if making not in ("cloned", "designed"):
            msg = f"{model!r} takes neither cloned nor designed voices."
            raise ValueError(msg)
        account = self._emulator.account_of(key)
        return self._emulator.store.add(account, making, name, model).voice  # type: ignore[arg-type]

    def forget_voices(self) -> None:
        """Forget every voice, but for those of the setting ``voices``."""
        self._emulator.store.forget()

    def clear(self) -> None:
        """Forget what was received, and disarm every fault. Voices stay."""
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
