"""``vivavoce providers``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vivavoce.cli.options import debug_option, json_option
from vivavoce.cli.table import print_listing

if TYPE_CHECKING:
    from vivavoce.provider import SynthesizerInfo
    from vivavoce.registry import BrokenPlugin, Registry

__all__ = ["providers"]


@click.command("providers", short_help="List the installed providers.")
@json_option
@debug_option
def providers(as_json: bool) -> None:  # noqa: FBT001 - by click, by name
    """
    List the installed providers.

    The default one is marked with *. A plugin that cannot be used is listed with the reason, and
    harms no other.
    """
    from vivavoce import registry

    known = registry.installed()
    default = default_provider(known)
    objects = [_as_object(known, info, is_default=info.name == default) for info in known]
    objects += [_as_broken(broken) for broken in known.broken]
    print_listing(
        objects,
        _COLUMNS,
        as_json=as_json,
        empty="No provider is installed. They come as plugins, with pip.",
    )


def default_provider(known: Registry) -> str | None:
    """Return the name of the provider used when none is named, or None where there is none."""
    from vivavoce.errors import SetupError
    from vivavoce.settings import load_settings

    settings = load_settings()
    try:
        return known.default(settings).provider
    except SetupError:
        return None


def _as_object(known: Registry, info: SynthesizerInfo, *, is_default: bool) -> dict[str, Any]:
    distribution, _, version = known.origin(info.name).partition(" ")
    return {
        "name": info.name,
        "title": info.title,
        "models": len(info.models),
        "needs_key": bool(info.credential_env),
        "key_variables": list(info.credential_env),
        "makes_voices": known.customizer(info.name) is not None,
        "is_default": is_default,
        "distribution": distribution,
        "version": version,
        "licence": info.licence,
        "homepage": info.homepage,
        "is_broken": False,
        "reason": "",
    }


def _as_broken(broken: BrokenPlugin) -> dict[str, Any]:
    distribution, _, version = broken.distribution.partition(" ")
    return {
        "name": broken.name,
        "title": "",
        "models": 0,
        "needs_key": False,
        "key_variables": [],
        "makes_voices": False,
        "is_default": False,
        "distribution": distribution,
        "version": version,
        "licence": "",
        "homepage": "",
        "is_broken": True,
        "reason": broken.reason,
    }


def _key(item: Any) -> str:
    if item["is_broken"]:
        return ""
    return f"needs {' or '.join(item['key_variables'])}" if item["needs_key"] else "needs none"


_COLUMNS = (
    ("name", lambda item: item["name"] + ("*" if item["is_default"] else "")),
    ("title", lambda item: item["title"]),
    ("models", lambda item: "" if item["is_broken"] else str(item["models"])),
    ("key", _key),
    ("own voices", lambda item: "yes" if item["makes_voices"] else ""),
    ("from", lambda item: f"{item['distribution']} {item['version']}".strip()),
    ("state", lambda item: f"broken: {item['reason']}" if item["is_broken"] else "ok"),
)
