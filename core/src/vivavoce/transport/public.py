"""
Fetches a file from a public address that a user gave, and from nowhere else.

The one address this library goes to that no provider named. So it goes without
credentials, follows no redirection, and never to an address of this machine or of a
private network, whatever the name resolves to: the address that was checked is the one
connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore2 as httpcore

from vivavoce.errors import (
    ConnectFailed,
    ConnectionLost,
    InvalidValue,
    RequestRejected,
    TimedOut,
    UnexpectedReply,
)
from vivavoce.transport.http import tls_context

__all__ = ["fetch_public", "is_public"]

# Translated addresses hold another one, which may be private.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Return whether an IP address is one of the public internet."""
    ip = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None or ip.teredo is not None or ip in _TRANSLATED:
            return False
    return ip.is_global and not ip.is_multicast


class _PublicBackend(httpcore.SyncBackend):
    """Connects to public addresses only."""

    def __init__(self, may_connect: Callable[[str], bool]) -> None:
        self._may_connect = may_connect

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not all(self._may_connect(address) for address in addresses):
            # Not even the public ones of several: such a name is up to something.
            msg = (
                f"{host!r} is an address of this machine or of a private network: nothing is "
                "fetched from there. Save the recording to a file, and give its path."
            )
            raise InvalidValue(msg)
        return super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)


def fetch_public(
    url: str,
    *,
    max_bytes: int,
    timeout_s: float = 30.0,
    may_connect: Callable[[str], bool] = is_public,
) -> bytes:
    """
    Return what lies at a public address; blocks.

    Args:
        url: ``http`` or ``https``.
        max_bytes: More is refused, and not read.
        timeout_s: For connecting, and for each piece.
        may_connect: Whether an IP address may be connected to.

    Raises:
        InvalidValue: If the address is unusable or not public, or the file too large.
        RequestRejected: If the server answers anything but 200.
        TransportError: If the way there failed.
    """
    host = urlsplit(url).hostname or ""
    limits = dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)
    backend = _PublicBackend(may_connect)
    headers = [("host", urlsplit(url).netloc), ("accept-encoding", "identity")]
    try:
        with (
            httpcore.ConnectionPool(ssl_context=tls_context(), network_backend=backend) as pool,
            pool.stream(
                "GET",
                url,
                headers=[*headers, ("user-agent", "vivavoce")],
                extensions={"timeout": limits},
            ) as response,
        ):
            return _body(response, host, max_bytes)
    except httpcore.TimeoutException as error:
        msg = f"{host!r} gave nothing within {timeout_s:g} s."
        raise TimedOut(msg, phase="answer", limit_s=timeout_s) from error
    except (httpcore.ConnectError, socket.gaierror) as error:
        msg = f"No connection to {host!r}: {error}. Check the address and the network."
        raise ConnectFailed(msg) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        msg = f"The connection to {host!r} ended in the middle: {error}."
        raise ConnectionLost(msg) from error
    except (httpcore.UnsupportedProtocol, UnicodeError) as error:
        msg = f"The address cannot be fetched: {error}. Give one such as https://host/file.wav."
        raise InvalidValue(msg) from error


def _body(response: httpcore.Response, host: str, max_bytes: int) -> bytes:
    if 300 <= response.status < 400:
        msg = f"{host!r} sends to another address ({response.status}), which is not followed."
        raise RequestRejected(msg, status=response.status)
    if response.status != 200:
        msg = f"{host!r} does not give the recording: HTTP {response.status}."
        raise RequestRejected(msg, status=response.status)
    coded = dict(response.headers).get(b"content-encoding", b"identity")
    if coded != b"identity":
        msg = f"{host!r} sends the recording compressed, which was not asked for."
        raise UnexpectedReply(msg)
    body = bytearray()
    for piece in response.iter_stream():
        body += piece
        if len(body) > max_bytes:
            msg = f"The recording at {host!r} has more than {max_bytes} bytes. Give a shorter one."
            raise InvalidValue(msg)
    return bytes(body)
