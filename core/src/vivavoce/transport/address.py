"""
What may be sent, and where to: checked before the first byte, alike for every wire.

A credential goes over TLS or stays on this machine. Nothing here shows one: a
header's name may stand in a message, its value never.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import field, frozen

from vivavoce.errors import InvalidValue
from vivavoce.model.secret import Secret

__all__ = ["Address", "check_address", "hide_secrets", "reveal_headers"]

# Stricter than any of the libraries below, so that all of them read the same host:
# a backslash or a space is where parsers of addresses part company.
_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_HOST_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")
# Shorter words are too likely to be part of an innocent text.
_SECRET_MIN_CHARACTERS = 6


@frozen(kw_only=True)
class Address:
    """
    A checked address.

    Attributes:
        host: Host name or IP address, in lower case, without brackets.
        port: Port, or None for the scheme's own.
        is_loopback: Whether it is this machine. No proxy is asked for those.
        scheme: In lower case.
        target: Path and query. Not shown: some providers want their keys there.
    """

    host: str
    port: int | None
    is_loopback: bool
    scheme: str = "https"
    target: str = field(default="/", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def check_address(url: str, *, secure: str, plain: str) -> Address:
    """
    Return where *url* leads, if a credential may be sent there.

    Args:
        url: Absolute address.
        secure: The scheme with TLS, such as ``https``.
        plain: The scheme without, allowed to this machine only.

    Raises:
        InvalidValue: If it is no such address. The message shows neither the path
            nor the query, where some providers want their keys.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        msg = "The address to call cannot be read: its brackets or its port are wrong."
        raise InvalidValue(msg) from None
    if not _URL.fullmatch(url) or not _is_host(host):
        msg = f"The address to call is no valid one (scheme {parts.scheme!r}, host {host!r})."
        raise InvalidValue(msg)
    if parts.username is not None:
        msg = f"The address of {host!r} holds a user name. Send credentials as a header."
        raise InvalidValue(msg)
    is_loopback = _is_loopback(host)
    if parts.scheme == secure or (parts.scheme == plain and is_loopback):
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return Address(
            host=host, port=port, is_loopback=is_loopback, scheme=parts.scheme, target=target
        )
    msg = (
        f"{host!r} cannot be called by {parts.scheme!r}. Use {secure!r}; {plain!r} is for "
        "addresses of this machine only (localhost, 127.0.0.0/8, ::1)."
    )
    raise InvalidValue(msg)


@functools.lru_cache(maxsize=64)
def _is_host(host: str) -> bool:
    if ":" in host:
        return _ip_address(host) is not None
    return all(_HOST_LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))


@functools.lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    ip = _ip_address(host)
    return host == "localhost" if ip is None else ip.is_loopback


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def reveal_headers(headers: Mapping[str, str | Secret]) -> dict[str, str]:
    """
    Return *headers* as they are to be sent, secrets revealed.

    Raises:
        InvalidValue: If a name or value cannot stand in a header, such as a value
            with a line end. Checked here since the libraries below quote the value.
    """
    revealed = {}
    for name, value in headers.items():
        text = value.reveal() if isinstance(value, Secret) else value
        if not _TOKEN.fullmatch(name):
            msg = f"{name!r} is no name for a header."
            raise InvalidValue(msg)
        if not _VALUE.fullmatch(text):
            msg = (
                f"The value of header {name!r} cannot be sent: only printable ASCII, with no "
                "line end and no space around it. A key may have been copied incompletely."
            )
            raise InvalidValue(msg) from None
        revealed[name] = text
    return revealed


def hide_secrets(text: str, headers: Mapping[str, str | Secret]) -> str:
    """Return *text*, which came from outside, with secrets of *headers* taken out."""
    for value in headers.values():
        for word in value.reveal().split() if isinstance(value, Secret) else ():
            if len(word) >= _SECRET_MIN_CHARACTERS:
                text = text.replace(word, "***")
    return text
