"""
HTTP for both faces, over httpcore, which is what httpx stands on.

Imported here and in ``network``, and nowhere else, so that the library can be changed
for its like. Why not through httpx itself: docs/decisions/0010-httpcore-directly.md.

A call connects on its first ``receive``, not in ``open``: for the library connecting,
sending and waiting for the headers are one step, and only ``receive`` knows how long
the headers may take. The limit given to ``open`` still holds for connecting and
sending alone; passing it raises ``TimedOut`` with the phase ``connect``.

After ``fork`` a child must not use connections of its parent: open a new client there.
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
import threading
import time
import urllib.request
import zlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import suppress
from typing import Any, NoReturn

import httpcore2 as httpcore

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
from vivavoce.transport.network import AsyncBackend, BlockingBackend, Wait, waiting
from vivavoce.wire.exchange import Event
from vivavoce.wire.http import BodyData, BodyEnd, HttpCall, ResponseStarted

__all__ = ["AsyncHttp", "AsyncHttpConversation", "BlockingHttp", "BlockingHttpConversation"]

_POOL: dict[str, Any] = {
    # A bound would make one stream wait for another to end. How many calls run at once
    # is decided by whoever makes them.
    "max_connections": None,
    "max_keepalive_connections": 100,
    "keepalive_expiry": 30.0,
}
# Compressed audio does not get smaller, and a decoder holds chunks back.
_OUR_HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "vivavoce"}
# With these an empty body is said to be empty.
_METHODS_WITH_BODY = {"POST", "PUT", "PATCH"}
_QUOTE_MAX_CHARACTERS = 300

_tls_lock = threading.Lock()
_tls: ssl.SSLContext | None = None


def tls_context() -> ssl.SSLContext:
    """Return the one context of this process; it takes some 25 ms to make."""
    global _tls  # noqa: PLW0603 - the point is to have one
    with _tls_lock:
        if _tls is None:
            _tls = httpcore.default_ssl_context()
        return _tls


# Errors


_OUR_FAULTS = (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, UnicodeError)

_LIBRARY_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.ConnectionNotAvailable,
    OSError,
    zlib.error,
    *_OUR_FAULTS,
)


def raise_meaning(error: Exception, address: Address) -> NoReturn:
    """Raise what *error*, raised by the library or the system, means to our caller."""
    meaning = explain(error, address)
    if meaning is error:
        raise error
    # What is wrong with our own request may be quoted in the cause, key and all.
    raise meaning from None if isinstance(meaning, InvalidValue) else error


def explain(error: Exception, address: Address) -> Exception:
    """Return what *error*, raised by the library or the system, means to our caller."""
    said = f"{type(error).__name__}: {str(error)[:_QUOTE_MAX_CHARACTERS]}"
    meaning: Exception
    if isinstance(error, TimeoutError):
        meaning = error
    elif isinstance(error, httpcore.TimeoutException):
        meaning = TimeoutError(f"{address} gave nothing in time.")
    elif isinstance(error, _OUR_FAULTS):
        # Without what was said: it may quote a header.
        meaning = InvalidValue(f"The request to {address} cannot be sent: {type(error).__name__}.")
    elif isinstance(error, httpcore.ConnectError | httpcore.ProxyError):
        meaning = ConnectFailed(f"No connection to {address}. {said}. Check address and network.")
    elif isinstance(error, zlib.error):
        meaning = UnexpectedReply(f"The reply of {address} could not be read. {said}.")
    elif isinstance(error, httpcore.NetworkError | httpcore.RemoteProtocolError | OSError):
        meaning = ConnectionLost(f"The connection to {address} ended in the middle. {said}.")
    else:
        meaning = TransportError(f"The call to {address} failed. {said}.")
    return meaning


# The parts both faces share


def _build(call: HttpCall, address: Address) -> httpcore.Request:
    ours = reveal_headers(call.headers)
    given = {name.lower() for name in ours}
    defaults = {"host": str(address), **_OUR_HEADERS}
    if call.body or call.method in _METHODS_WITH_BODY:
        defaults["content-length"] = str(len(call.body))
    headers = [(name, text) for name, text in defaults.items() if name not in given]
    headers += ours.items()
    url = httpcore.URL(
        scheme=address.scheme, host=address.host, port=address.port, target=address.target
    )
    try:
        return httpcore.Request(call.method, url, headers=headers, content=call.body)
    except _LIBRARY_ERRORS as error:
        raise_meaning(error, address)


def _started(response: httpcore.Response) -> ResponseStarted:
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return ResponseStarted(status=response.status, headers=headers)


class _Body:
    """
    Makes events of what came of a body: counted against its bound, and decoded.

    Args:
        limit: Bytes allowed.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._decoders: list[_Decoder] = []

    def expect(self, encodings: str) -> None:
        """Prepare for the value of ``content-encoding``, which we asked not to be needed."""
        words = [word.strip().lower() for word in encodings.split(",") if word.strip()]
        unknown = {*words} - {"gzip", "x-gzip", "deflate", "identity"}
        if unknown:
            msg = f"The reply is encoded as {sorted(unknown)!r}, though it was asked for plain."
            raise UnexpectedReply(msg)
        # The last one named was put on last, so it comes off first.
        self._decoders = [_Decoder() for word in reversed(words) if word != "identity"]

    def data(self, data: bytes) -> BodyData:
        """Return the event for *data*, which decoding may leave empty."""
        for decoder in self._decoders:
            data = decoder.feed(data)
        self._count += len(data)
        if self._count > self._limit:
            msg = f"The reply is longer than the {self._limit} bytes allowed."
            raise UnexpectedReply(msg)
        return BodyData(data)

    def end(self) -> BodyEnd:
        """Return the event for the end."""
        for decoder in self._decoders:
            decoder.finish()
        return BodyEnd()


class _Decoder:
    """Undoes gzip and deflate, the latter also where it came without its frame."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either frame
        self._is_fed = False

    def feed(self, data: bytes) -> bytes:
        try:
            plain = self._inner.decompress(data)
        except zlib.error:
            if self._is_fed:
                raise
            self._inner = zlib.decompressobj(-zlib.MAX_WBITS)
            plain = self._inner.decompress(data)
        self._is_fed = self._is_fed or bool(data)
        return plain

    def finish(self) -> None:
        if self._is_fed and not self._inner.eof:
            msg = "compressed data ends in the middle"
            raise zlib.error(msg)


def _late(wait: Wait, error: Exception, address: Address) -> Exception:
    """Return the error for the limit of a first receive that has passed."""
    if isinstance(error, httpcore.ReadTimeout) or wait.connect_s is None:
        return TimeoutError(f"{address} gave nothing in time.")
    msg = f"No connection to {address} within {wait.connect_s:.1f} s."
    return TimedOut(msg, phase="connect", limit_s=wait.connect_s)


class _Proxies:
    """Which proxy to ask for each host; the environment is looked at once for each."""

    def __init__(self) -> None:
        self._found: dict[str, str | None] = {}

    def of(self, address: Address) -> str | None:
        if address.is_loopback:
            return None
        host = str(address)
        if host not in self._found:
            self._found[host] = _environment_proxy(host)
        return self._found[host]


def _environment_proxy(host: str) -> str | None:
    """Return the proxy the environment or the system names for *host*, or None."""
    if urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _proxy(address: str | None) -> httpcore.Proxy | None:
    if address is None:
        return None
    # Reads addresses with names and passwords as users know it from there.
    import httpx2 as httpx

    try:
        read = httpx.Proxy(address)
        if read.url.scheme.startswith("socks"):
            importlib.import_module("socksio")  # else found out in the middle of a call
        url = httpcore.URL(
            scheme=read.url.raw_scheme, host=read.url.raw_host, port=read.url.port, target=b"/"
        )
        tls = tls_context() if read.url.scheme == "https" else None
        return httpcore.Proxy(url, auth=read.raw_auth, ssl_context=tls)
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
        self._pools: dict[str | None, httpcore.AsyncConnectionPool] = {}
        self._proxies = _Proxies()
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
        pool = self._pool(self._proxies.of(address))
        return AsyncHttpConversation(pool, request, address, timeout_s, call.max_body_bytes)

    def _pool(self, proxy: str | None) -> httpcore.AsyncConnectionPool:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Connections belong to the loop they were made in; one that has ended
            # cannot even close them any more.
            self._loop, self._pools = loop, {}
        if proxy not in self._pools:
            self._pools[proxy] = httpcore.AsyncConnectionPool(
                tls_context(), _proxy(proxy), network_backend=AsyncBackend(), **_POOL
            )
        return self._pools[proxy]

    async def close(self) -> None:
        """Close the connections kept for reuse. Harmless when repeated."""
        pools, self._pools = self._pools, {}
        if self._loop is asyncio.get_running_loop():
            for pool in pools.values():
                await pool.aclose()
            # One turn of the loop, in which it frees the sockets.
            await asyncio.sleep(0)


class AsyncHttpConversation:
    """One HTTP call of the async face; see ``Conversation``."""

    def __init__(
        self,
        pool: httpcore.AsyncConnectionPool,
        request: httpcore.Request,
        address: Address,
        connect_s: float | None,
        max_body_bytes: int,
    ) -> None:
        self._pool = pool
        self._request: httpcore.Request | None = request
        self._address = address
        self._connect_s = connect_s
        self._wait = Wait()
        self._events = _Body(max_body_bytes)
        self._response: httpcore.Response | None = None
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
        now = asyncio.get_running_loop().time()
        self._wait.until = None if timeout_s is None else now + timeout_s
        if waiting.get(None) is not self._wait:
            waiting.set(self._wait)
        try:
            data = await anext(body, None)
            event = self._events.end() if data is None else self._events.data(data)
        except _LIBRARY_ERRORS as error:
            raise_meaning(error, self._address)
        if data is not None:
            self._body = body
        return event

    async def _start(self, request: httpcore.Request, timeout_s: float | None) -> ResponseStarted:
        self._wait.begin(asyncio.get_running_loop().time(), self._connect_s, timeout_s)
        waiting.set(self._wait)
        try:
            self._response = response = await self._pool.handle_async_request(request)
        except httpcore.TimeoutException as error:
            raise _late(self._wait, error, self._address) from error
        except _LIBRARY_ERRORS as error:
            raise_meaning(error, self._address)
        started = _started(response)
        self._events.expect(started.headers.get("content-encoding", ""))
        assert isinstance(response.stream, AsyncIterable)
        self._body = aiter(response.stream)
        return started

    async def send(self, data: str | bytes) -> None:
        """Refuse: a request takes no messages."""
        raise _refuse_message(data)

    async def close(self) -> None:
        """Cut the connection, or give it back if the reply has come whole."""
        self._request = None
        body, self._body = self._body, None
        response, self._response = self._response, None
        with suppress(*_LIBRARY_ERRORS):
            if isinstance(body, AsyncGenerator):
                await body.aclose()
            if response is not None:
                await response.aclose()


# The sync face


class BlockingHttp:
    """Calls of the sync face; keeps connections for the next call. One a runtime."""

    def __init__(self) -> None:
        self._pools: dict[str | None, httpcore.ConnectionPool] = {}
        self._proxies = _Proxies()
        self._lock = threading.Lock()

    async def open(self, call: HttpCall, timeout_s: float | None) -> BlockingHttpConversation:
        """Prepare *call*; see :meth:`AsyncHttp.open`."""
        address = check_address(call.url, secure="https", plain="http")
        request = _build(call, address)
        pool = self._pool(self._proxies.of(address))
        return BlockingHttpConversation(pool, request, address, timeout_s, call.max_body_bytes)

    def _pool(self, proxy: str | None) -> httpcore.ConnectionPool:
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = httpcore.ConnectionPool(
                    tls_context(), _proxy(proxy), network_backend=BlockingBackend(), **_POOL
                )
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
        pool: httpcore.ConnectionPool,
        request: httpcore.Request,
        address: Address,
        connect_s: float | None,
        max_body_bytes: int,
    ) -> None:
        self._pool = pool
        self._request: httpcore.Request | None = request
        self._address = address
        self._connect_s = connect_s
        self._wait = Wait()
        self._events = _Body(max_body_bytes)
        self._response: httpcore.Response | None = None
        self._body: Iterator[bytes] | None = None

    async def receive(self, timeout_s: float | None) -> Event:
        """Return the start of the reply, then its body, then its end."""
        if self._request is not None:
            request, self._request = self._request, None
            return self._start(request, timeout_s)
        body, self._body = self._body, None  # as in the async face
        if body is None:
            raise _after_end(self._address)
        self._wait.until = None if timeout_s is None else time.monotonic() + timeout_s
        if waiting.get(None) is not self._wait:
            waiting.set(self._wait)
        try:
            data = next(body, None)
            event = self._events.end() if data is None else self._events.data(data)
        except _LIBRARY_ERRORS as error:
            raise_meaning(error, self._address)
        if data is not None:
            self._body = body
        return event

    def _start(self, request: httpcore.Request, timeout_s: float | None) -> ResponseStarted:
        self._wait.begin(time.monotonic(), self._connect_s, timeout_s)
        waiting.set(self._wait)
        try:
            self._response = response = self._pool.handle_request(request)
        except httpcore.TimeoutException as error:
            raise _late(self._wait, error, self._address) from error
        except _LIBRARY_ERRORS as error:
            raise_meaning(error, self._address)
        started = _started(response)
        self._events.expect(started.headers.get("content-encoding", ""))
        assert isinstance(response.stream, Iterable)
        self._body = iter(response.stream)
        return started

    async def send(self, data: str | bytes) -> None:
        """Refuse: a request takes no messages."""
        raise _refuse_message(data)

    async def close(self) -> None:
        """Cut the connection, or give it back if the reply has come whole."""
        self._request = None
        body, self._body = self._body, None
        response, self._response = self._response, None
        with suppress(*_LIBRARY_ERRORS):
            if isinstance(body, Generator):
                body.close()
            if response is not None:
                response.close()


def _refuse_message(data: str | bytes) -> StreamStateError:
    return StreamStateError(f"An HTTP call takes no messages; {len(data)} were to be sent.")


def _after_end(address: Address) -> StreamStateError:
    return StreamStateError(f"The call to {address} is over: no more events come.")
