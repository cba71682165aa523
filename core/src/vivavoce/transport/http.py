"""
HTTP for both faces, over httpx.

Imported here and nowhere else, so that the library can be changed for its like.
Used below its ``Client``, which would keep cookies from one call to the next, send calls
to this machine through a proxy, and log addresses with their queries.

A call connects on its first ``receive``, not in ``open``: for httpx connecting,
sending and waiting for the headers are one step, and only ``receive`` knows how long
the headers may take. The limit given to ``open`` still holds for connecting and
sending alone; passing it raises ``TimedOut`` with the phase ``connect``.

After ``fork`` a child must not use connections of its parent: open a new client there.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import httpx2 as httpx

from vivavoce.errors import (
    ConnectFailed,
    ConnectionLost,
    InvalidValue,
    SettingsError,
    StreamStateError,
    TimedOut,
    TransportError,
    UnexpectedReply,
)
from vivavoce.transport.address import Address, check_address, reveal_headers
from vivavoce.wire.exchange import Event
from vivavoce.wire.http import BodyData, BodyEnd, HttpCall, ResponseStarted

__all__ = ["AsyncHttp", "AsyncHttpConversation", "BlockingHttp", "BlockingHttpConversation"]

logger = logging.getLogger(__name__)

# httpx's own bound of 100 connections would make the 101st stream wait for another
# to end. How many calls run at once is decided by whoever makes them.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
# Compressed audio does not get smaller, and a decoder holds chunks back.
_OUR_HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "vivavoce"}
# What httpx can always undo. With others it gives out what came, as if it were audio.
_ENCODINGS = {"gzip", "deflate"}
# Moments of a call, as the library's trace extension names them.
_CONNECTED = "connect_tcp.complete"
_HEADERS_AWAITED = "receive_response_headers.started"
_QUOTE_MAX_CHARACTERS = 300

_tls_lock = threading.Lock()
_tls: ssl.SSLContext | None = None


def tls_context() -> ssl.SSLContext:
    """Return the one context of this process; it takes some 25 ms to make."""
    global _tls  # noqa: PLW0603 - the point is to have one
    with _tls_lock:
        if _tls is None:
            _tls = httpx.create_ssl_context()
        return _tls


# Errors


_OUR_FAULTS = (
    httpx.InvalidURL,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.CookieConflict,
    UnicodeError,
)

_UNREADABLE = (
    httpx.DecodingError,
    httpx.HTTPStatusError,
    httpx.SSEError,
    httpx.TooManyRedirects,
)


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Turn whatever httpx raises into an error of our tree, or ``TimeoutError``."""
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, OSError, *_OUR_FAULTS) as error:
        meaning = explain(error, address)
        if meaning is error:
            raise
        # What is wrong with our own request may be quoted in the cause, key and all.
        raise meaning from None if isinstance(meaning, InvalidValue) else error


def explain(error: Exception, address: Address) -> Exception:
    """Return what *error*, raised by httpx or the system, means to our caller."""
    said = f"{type(error).__name__}: {str(error)[:_QUOTE_MAX_CHARACTERS]}"
    meaning: Exception
    if isinstance(error, TimeoutError):
        meaning = error
    elif isinstance(error, httpx.TimeoutException):
        meaning = TimeoutError(f"{address} gave nothing in time.")
    elif isinstance(error, _OUR_FAULTS):
        # Without what was said: it may quote a header.
        meaning = InvalidValue(f"The request to {address} cannot be sent: {type(error).__name__}.")
    elif isinstance(error, httpx.ConnectError | httpx.ProxyError):
        meaning = ConnectFailed(f"No connection to {address}. {said}. Check address and network.")
    elif isinstance(error, _UNREADABLE):
        meaning = UnexpectedReply(f"The reply of {address} could not be read. {said}.")
    elif isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError | OSError):
        meaning = ConnectionLost(f"The connection to {address} ended in the middle. {said}.")
    elif isinstance(error, httpx.StreamError):
        meaning = StreamStateError(f"The reply of {address} was read after its end. {said}.")
    else:
        meaning = TransportError(f"The call to {address} failed. {said}.")
    return meaning


# The parts both faces share


def _build(call: HttpCall, address: Address) -> httpx.Request:
    ours = reveal_headers(call.headers)
    given = {name.lower() for name in ours}
    defaults = {name: text for name, text in _OUR_HEADERS.items() if name not in given}
    with translated(address):
        return httpx.Request(
            call.method, call.url, headers=defaults | ours, content=call.body or None
        )


def _started(response: httpx.Response) -> ResponseStarted:
    return ResponseStarted(status=response.status_code, headers=dict(response.headers.items()))


def _is_encoded(response: httpx.Response) -> bool:
    """Tell whether the body must be decoded, although we asked for it plain."""
    encodings = {
        word.strip().lower()
        for word in response.headers.get("content-encoding", "").split(",")
        if word.strip()
    } - {"identity"}
    if encodings - _ENCODINGS:
        msg = f"The reply is encoded as {sorted(encodings)!r}, though it was asked for plain."
        raise UnexpectedReply(msg)
    return bool(encodings)


class _Meter:
    """Counts a body against its bound."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0

    def data(self, data: bytes) -> BodyData:
        self._count += len(data)
        if self._count > self._limit:
            msg = f"The reply is longer than the {self._limit} bytes allowed."
            raise UnexpectedReply(msg)
        return BodyData(data)


class _FirstWait:
    """
    The two limits of a first ``receive``: on connecting, and on everything.

    Args:
        now: Seconds on the clock that is used for waiting.
        connect_s: Seconds to connect and send, None for ever.
        total_s: Seconds for the whole receive, None for ever.
    """

    def __init__(self, now: float, connect_s: float | None, total_s: float | None) -> None:
        self._connect_s = connect_s
        self.end = None if total_s is None else now + total_s
        connect_end = None if connect_s is None else now + connect_s
        ends = [end for end in (self.end, connect_end) if end is not None]
        self.connect_end = min(ends, default=None)
        self._connect_is_first = connect_end is not None and self.connect_end == connect_end
        self.is_sent = False

    def passed(self, address: Address) -> Exception:
        """Return the error for the limit that has passed."""
        if self.is_sent or not self._connect_is_first or self._connect_s is None:
            return TimeoutError(f"{address} gave nothing in time.")
        msg = f"No connection to {address} within {self._connect_s:.1f} s."
        return TimedOut(msg, phase="connect", limit_s=self._connect_s)


def _environment_proxy(address: Address) -> str | None:
    """Return the proxy the environment or the system names for *address*, or None."""
    if address.is_loopback or urllib.request.proxy_bypass(str(address)):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


@contextmanager
def _proxy_settings() -> Iterator[None]:
    try:
        yield
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # Without its address, which may hold a password.
        msg = (
            f"The proxy named in the environment cannot be used ({type(error).__name__}). "
            "Set HTTPS_PROXY to an http:// address, or leave the host out with NO_PROXY; "
            "a socks5:// proxy needs the package socksio."
        )
        raise SettingsError(msg) from None


# The async face


class AsyncHttp:
    """Calls of the async face; keeps connections for the next call. One a runtime."""

    def __init__(self) -> None:
        self._pools: dict[str | None, httpx.AsyncHTTPTransport] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, call: HttpCall, timeout_s: float | None) -> AsyncHttpConversation:
        """
        Prepare *call*; it connects on the first ``receive``.

        Args:
            call: Its secrets are revealed now.
            timeout_s: Seconds for connecting and sending; None waits for ever.

        Raises:
            InvalidValue: If the address or a header cannot be sent.
            SettingsError: If the environment names a proxy that cannot be used.
        """
        address = check_address(call.url, secure="https", plain="http")
        request = _build(call, address)
        pool = self._pool(_environment_proxy(address))
        return AsyncHttpConversation(pool, request, address, timeout_s, call.max_body_bytes)

    def _pool(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Connections belong to the loop they were made in; one that has ended
            # cannot even close them any more.
            self._loop, self._pools = loop, {}
        if proxy not in self._pools:
            with _proxy_settings():
                self._pools[proxy] = httpx.AsyncHTTPTransport(
                    verify=tls_context(), limits=_LIMITS, trust_env=False, proxy=proxy
                )
        return self._pools[proxy]

    async def close(self) -> None:
        """Close the connections kept for reuse. Harmless when repeated."""
        pools, self._pools = self._pools, {}
        if self._loop is asyncio.get_running_loop():
            for pool in pools.values():
                await pool.aclose()


class AsyncHttpConversation:
    """One HTTP call of the async face; see ``Conversation``."""

    def __init__(
        self,
        pool: httpx.AsyncHTTPTransport,
        request: httpx.Request,
        address: Address,
        connect_s: float | None,
        max_body_bytes: int,
    ) -> None:
        self._pool = pool
        self._request: httpx.Request | None = request
        self._address = address
        self._connect_s = connect_s
        self._meter = _Meter(max_body_bytes)
        self._response: httpx.Response | None = None
        self._body: AsyncIterator[bytes] | None = None

    async def receive(self, timeout_s: float | None) -> Event:
        """Return the start of the reply, then its body, then its end."""
        if self._request is not None:
            request, self._request = self._request, None
            return await self._start(request, timeout_s)
        # Held by nobody meanwhile: after a failure what is left of it would look like
        # the end of a whole body.
        body, self._body = self._body, None
        if body is None:
            raise _after_end(self._address)
        with translated(self._address):
            async with asyncio.timeout(timeout_s):
                data = await anext(body, None)
        if data is None:
            return BodyEnd()
        self._body = body
        return self._meter.data(data)

    async def _start(self, request: httpx.Request, timeout_s: float | None) -> ResponseStarted:
        wait = _FirstWait(asyncio.get_running_loop().time(), self._connect_s, timeout_s)
        streams: list[Any] = []
        try:
            async with asyncio.timeout_at(wait.connect_end) as scope:

                async def trace(event: str, info: Mapping[str, Any]) -> None:
                    if event.endswith(_CONNECTED):
                        streams.append(info["return_value"])
                    elif event.endswith(_HEADERS_AWAITED):
                        wait.is_sent = True
                        scope.reschedule(wait.end)

                request.extensions["trace"] = trace
                with translated(self._address):
                    self._response = await self._pool.handle_async_request(request)
        except TimeoutError as error:
            raise wait.passed(self._address) from error
        finally:
            if self._response is None:
                # Cancelled in a TLS handshake, the library leaves its socket open.
                for stream in streams:
                    await stream.aclose()
        is_encoded = _is_encoded(self._response)
        self._body = self._response.aiter_bytes() if is_encoded else self._response.aiter_raw()
        return _started(self._response)

    async def send(self, data: str | bytes) -> None:
        """Refuse: a request takes no messages."""
        raise _refuse_message(data)

    async def close(self) -> None:
        """Cut the connection, or give it back if the reply has come whole."""
        self._request = None
        body, self._body = self._body, None
        response, self._response = self._response, None
        with suppress(httpx.HTTPError, OSError):
            if isinstance(body, AsyncGenerator):
                await body.aclose()
            if response is not None:
                await response.aclose()


# The sync face


class _Deadline(threading.local):
    """When the receive under way on this thread must end; monotonic seconds or None."""

    at: float | None = None

    def left_s(self) -> float | None:
        # Zero would mean "do not wait" to a socket, which then fails in another way.
        return None if self.at is None else max(self.at - time.monotonic(), 0.001)


_deadline = _Deadline()


class BlockingHttp:
    """Calls of the sync face; keeps connections for the next call. One a runtime."""

    def __init__(self) -> None:
        self._pools: dict[str | None, httpx.HTTPTransport] = {}
        self._lock = threading.Lock()

    async def open(self, call: HttpCall, timeout_s: float | None) -> BlockingHttpConversation:
        """Prepare *call*; see :meth:`AsyncHttp.open`."""
        address = check_address(call.url, secure="https", plain="http")
        request = _build(call, address)
        pool = self._pool(_environment_proxy(address))
        return BlockingHttpConversation(pool, request, address, timeout_s, call.max_body_bytes)

    def _pool(self, proxy: str | None) -> httpx.HTTPTransport:
        with self._lock:
            if proxy not in self._pools:
                with _proxy_settings():
                    pool = httpx.HTTPTransport(
                        verify=tls_context(), limits=_LIMITS, trust_env=False, proxy=proxy
                    )
                _keep_deadlines(pool)
                self._pools[proxy] = pool
            return self._pools[proxy]

    async def close(self) -> None:
        """Close the connections kept for reuse. Harmless when repeated."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()


class BlockingHttpConversation:
    """One HTTP call of the sync face; see ``Conversation``."""

    def __init__(
        self,
        pool: httpx.HTTPTransport,
        request: httpx.Request,
        address: Address,
        connect_s: float | None,
        max_body_bytes: int,
    ) -> None:
        self._pool = pool
        self._request: httpx.Request | None = request
        self._address = address
        self._connect_s = connect_s
        self._meter = _Meter(max_body_bytes)
        self._response: httpx.Response | None = None
        self._body: Iterator[bytes] | None = None

    async def receive(self, timeout_s: float | None) -> Event:
        """Return the start of the reply, then its body, then its end."""
        if self._request is not None:
            request, self._request = self._request, None
            return self._start(request, timeout_s)
        body, self._body = self._body, None  # as in the async face
        if body is None:
            raise _after_end(self._address)
        _deadline.at = None if timeout_s is None else time.monotonic() + timeout_s
        with translated(self._address):
            data = next(body, None)
        if data is None:
            return BodyEnd()
        self._body = body
        return self._meter.data(data)

    def _start(self, request: httpx.Request, timeout_s: float | None) -> ResponseStarted:
        wait = _FirstWait(time.monotonic(), self._connect_s, timeout_s)
        _deadline.at = wait.connect_end

        def trace(event: str, _info: object) -> None:
            if event.endswith(_HEADERS_AWAITED):
                wait.is_sent = True
                _deadline.at = wait.end

        limit_s = _deadline.left_s()
        request.extensions["trace"] = trace
        # Used by the pool while it waits for a connection, and by the streams below
        # it should they ever stop asking our deadline.
        request.extensions["timeout"] = {
            "connect": limit_s,
            "pool": limit_s,
            "write": limit_s,
            "read": timeout_s,
        }
        try:
            with translated(self._address):
                self._response = self._pool.handle_request(request)
        except TimeoutError as error:
            raise wait.passed(self._address) from error
        is_encoded = _is_encoded(self._response)
        self._body = self._response.iter_bytes() if is_encoded else self._response.iter_raw()
        return _started(self._response)

    async def send(self, data: str | bytes) -> None:
        """Refuse: a request takes no messages."""
        raise _refuse_message(data)

    async def close(self) -> None:
        """Cut the connection, or give it back if the reply has come whole."""
        self._request = None
        body, self._body = self._body, None
        response, self._response = self._response, None
        with suppress(httpx.HTTPError, OSError):
            if isinstance(body, Generator):
                body.close()
            if response is not None:
                response.close()


class _Stream(Protocol):
    """What a connection pool reads from and writes to."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes: ...

    def write(self, buffer: bytes, timeout: float | None = None) -> None: ...

    def close(self) -> None: ...

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> _Stream: ...

    def get_extra_info(self, info: str) -> Any: ...


class _PunctualStream:
    """
    A stream whose every wait ends at this thread's deadline.

    httpx reads its own read limit once a body; ours changes with each receive.
    """

    def __init__(self, inner: _Stream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._inner.read(max_bytes, _deadline.left_s())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._inner.write(buffer, _deadline.left_s())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> _Stream:
        inner = self._inner.start_tls(ssl_context, server_hostname, _deadline.left_s())
        return _PunctualStream(inner)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _PunctualBackend:
    """Makes the connections of a pool, each a :class:`_PunctualStream`."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def connect_tcp(self, host: str, port: int, **options: Any) -> _Stream:
        options["timeout"] = _deadline.left_s()
        return _PunctualStream(self._inner.connect_tcp(host, port, **options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _keep_deadlines(transport: httpx.HTTPTransport) -> None:
    """
    Put our backend under *transport*'s pool.

    The pool takes a backend as a documented argument, but httpx does not hand one
    on, so two private names are used here. Without them limits still hold, though
    within a body the limit of its first receive stays in force.
    """
    pool = getattr(transport, "_pool", None)
    backend = getattr(pool, "_network_backend", None)
    if pool is None or backend is None:
        logger.warning("This release of httpx is not known; time limits are less exact.")
        return
    pool._network_backend = _PunctualBackend(backend)  # noqa: SLF001


def _refuse_message(data: str | bytes) -> StreamStateError:
    return StreamStateError(f"An HTTP call takes no messages; {len(data)} were to be sent.")


def _after_end(address: Address) -> StreamStateError:
    return StreamStateError(f"The call to {address} is over: no more events come.")
