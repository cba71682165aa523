"""What all calls over HTTP have in common: where they go, with which key, in which form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from vivavoce.authoring import ProviderConfig, Secret, SettingsError
from vivavoce_qwen.tables import RegionRow, regions

__all__ = ["as_json", "base_url", "headers_of", "region_of"]

# What the service's own client takes for an id that may stand in a host name.
_WORKSPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def region_of(config: ProviderConfig) -> RegionRow:
    """Return the region that is set, or the default one."""
    known = regions()
    return known.get(config.region or "") or next(iter(known.values()))


def base_url(config: ProviderConfig) -> str:
    """
    Return the address below which the paths lie: one that is given, the workspace's, the region's.

    Raises:
        SettingsError: If the workspace is no id that can stand in an address.
    """
    if config.base_url:
        return config.base_url.rstrip("/")
    workspace = config.extra.get("workspace")
    if not workspace:
        return region_of(config).http_base
    if not _WORKSPACE.fullmatch(workspace):
        msg = (
            f"The workspace {workspace!r} is no id: letters, digits, - and _, at most 64. "
            "Copy it from the console."
        )
        raise SettingsError(msg)
    return region_of(config).workspace_http.format(workspace=workspace)


def headers_of(key: Secret | None) -> dict[str, str | Secret]:
    """Return the headers of a request whose body is JSON."""
    return {
        "authorization": (key or Secret("")).prefixed("Bearer "),
        "content-type": "application/json",
        "accept": "application/json",
    }


def as_json(message: Mapping[str, object]) -> bytes:
    """Return *message* as the service's own client writes it: UTF-8, without escapes."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
