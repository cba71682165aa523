"""``vivavoce doctor``: whether it all works, and what to do where it does not."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from vivavoce.cli.ends import Ending, ending_of
from vivavoce.cli.options import complete_selector, debug_option, json_option
from vivavoce.cli.table import print_listing

if TYPE_CHECKING:
    from vivavoce.model.card import ModelCard
    from vivavoce.model.selector import Selector
    from vivavoce.provider import SynthesizerInfo
    from vivavoce.registry import Registry
    from vivavoce.settings import Settings

__all__ = ["doctor"]

# Digits are read in every language.
SAMPLE = "1, 2, 3."

_VERSIONS = ("vivavoce", "attrs", "click", "httpx2", "pluggy", "websockets")
_EXTRAS = {
    "audio": (("soundfile", "soxr"), "MP3, FLAC, Ogg Opus, resampling"),
    "play": (("sounddevice",), "playing through the loudspeaker"),
    "speed": (("pybase64",), "faster base64"),
}
_COLUMNS = (
    ("check", lambda item: item["check"]),
    ("provider", lambda item: item["provider"] or ""),
    ("state", lambda item: item["state"]),
    ("detail", lambda item: item["detail"]),
)


class Finding(NamedTuple):
    """One thing looked at; *code* is the exit code it alone would give."""

    check: str
    state: str
    detail: str
    provider: str = ""
    code: int = Ending.OK

    def as_object(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "check": self.check,
            "provider": self.provider or None,
            "state": self.state,
            "detail": self.detail,
        }


@click.command("doctor", short_help="Check the installation, with a short real synthesis.")
@click.argument("selector", required=False, shell_complete=complete_selector)
@click.option(
    "--speak",
    is_flag=True,
    help="Speak with models that cost something or need the network as well.",
)
@json_option
@debug_option
@click.pass_context
def doctor(ctx: click.Context, selector: str | None, speak: bool, as_json: bool) -> None:  # noqa: FBT001
    """
    Check the installation, with a short real synthesis.

    Looks at Python, the settings, the extras and at each provider, or that of SELECTOR only: its
    plugin, its key (never shown), its claims, its voices, and whether its speech can be heard. A
    model that costs nothing and runs here is spoken with at once, any other only with --speak.

    States are ok, note (as it is, or left out), and fail. Exits with 0 when nothing fails, else
    with the code of the first failure.
    """
    findings = list(_examine(selector, may_cost=speak))
    print_listing(
        [finding.as_object() for finding in findings], _COLUMNS, as_json=as_json, empty=""
    )
    ctx.exit(next((int(finding.code) for finding in findings if finding.code), Ending.OK))


def _examine(selector: str | None, *, may_cost: bool) -> Iterator[Finding]:
    from vivavoce import registry
    from vivavoce.settings import Settings, load_settings

    yield from _versions()
    yield from _extras()
    settings = Settings()
    try:
        settings = load_settings()
    except Exception as error:  # noqa: BLE001 - to be told, like all else that is wrong
        yield _failed("settings", error)
    else:
        yield _settings(settings)
    known = registry.installed()
    yield _guarded("default", "", lambda: _default(known, settings))
    if selector is not None:
        yield from _asked(known, settings, selector, may_cost=may_cost)
        return
    for broken in known.broken:
        yield Finding("plugin", "fail", broken.reason, broken.name, Ending.SETUP)
    for info in known:
        yield from _provider(known, settings, info, info.models[0], "", may_cost=may_cost)


def _asked(known: Registry, settings: Settings, text: str, *, may_cost: bool) -> Iterable[Finding]:
    from vivavoce.model.selector import Selector

    wanted: Selector = Selector.parse(text)
    info = known.get(wanted.provider or "")
    card = known.model(info, wanted.model)
    return _provider(known, settings, info, card, wanted.voice or "", may_cost=may_cost)


# The installation


def _versions() -> Iterator[Finding]:
    from importlib.metadata import version

    system = f"{platform.python_implementation()} {platform.python_version()}"
    yield Finding("python", "ok", f"{system} on {platform.platform(terse=True)}")
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    yield Finding("versions", "ok", versions)


def _extras() -> Iterator[Finding]:
    for extra, (modules, purpose) in _EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            detail = f"not installed: {purpose}. pip install 'vivavoce[{extra}]'"
            yield Finding(f"extra {extra}", "note", detail)
        elif extra == "play":
            yield _guarded("extra play", "", _loudspeaker)
        else:
            yield Finding(f"extra {extra}", "ok", f"installed: {purpose}")


def _loudspeaker() -> Finding:
    """Look whether the library loads; PortAudio comes from elsewhere on Linux."""
    from vivavoce.cli.play import import_device
    from vivavoce.errors import MissingDependency

    try:
        import_device()
    except MissingDependency as error:
        return Finding("extra play", "note", error.message)
    return Finding("extra play", "ok", "installed: playing through the loudspeaker")


def _settings(settings: Settings) -> Finding:
    from vivavoce.settings import config_path

    if settings.path is not None:
        return Finding("settings", "ok", f"read from {settings.path}")
    return Finding("settings", "ok", f"no file; it would be {config_path()}")


def _default(known: Registry, settings: Settings) -> Finding:
    selector = known.default(settings)
    known.model(known.get(selector.provider or ""), selector.model)
    return Finding("default", "ok", str(selector))


# A provider


def _provider(
    known: Registry,
    settings: Settings,
    info: SynthesizerInfo,
    card: ModelCard,
    voice: str,
    *,
    may_cost: bool,
) -> Iterator[Finding]:
    name = info.name
    yield Finding("plugin", "ok", known.origin(name) or info.title, name)
    key = _guarded("key", name, lambda: _key(known, settings, info))
    yield key
    yield _guarded("claims", name, lambda: _claims(info, card))
    yield _guarded("voices", name, lambda: _voices(info))
    if key.code:
        yield Finding("speech", "note", "left out: no key", name)
    elif may_cost or (card.is_free and card.transports == ("local",)):
        yield _guarded("speech", name, lambda: _speech(known, settings, info, card, voice))
    else:
        yield Finding("speech", "note", "left out: it may cost something; add --speak", name)


def _key(known: Registry, settings: Settings, info: SynthesizerInfo) -> Finding:
    if not info.credential_env:
        return Finding("key", "ok", "needs none", info.name)
    found = known.hook.vivavoce_resolve_credential(provider=info.name)
    settings.config_for(info, credential=found)
    return Finding("key", "ok", "there is one", info.name)


def _claims(info: SynthesizerInfo, card: ModelCard) -> Finding:
    open_ = [name for name, claim in card.capabilities if claim.support.value == "unknown"]
    unproven = [name for name, claim in card.capabilities if claim and claim.evidence is None]
    parts = []
    if open_:
        parts.append(f"unknown: {', '.join(open_)}")
    if unproven:
        parts.append(f"without evidence: {', '.join(unproven)}")
    state = "note" if parts else "ok"
    return Finding("claims", state, f"{card.name}: {'; '.join(parts) or 'complete'}", info.name)


def _voices(info: SynthesizerInfo) -> Finding:
    return Finding("voices", "ok", f"{len(info.voices())} stock voices", info.name)


def _speech(
    known: Registry, settings: Settings, info: SynthesizerInfo, card: ModelCard, voice: str
) -> Finding:
    """Speak; silence is an error that the client itself raises."""
    from vivavoce.blocking import Client

    with Client(f"{info.name}/{card.name}", registry=known, settings=settings) as client:
        report = client.synthesize(SAMPLE, voice=voice or None).report
    ttfa = f"{report.ttfa_s:.3f} s" if report.ttfa_s is not None else "?"
    detail = f"{card.name}: {report.audio_s:.2f} s of audible speech, first audio after {ttfa}"
    return Finding("speech", "ok", detail, info.name)


def _guarded(check: str, provider: str, look: Callable[[], Finding]) -> Finding:
    """Return what *look* finds; whatever it raises is a finding too."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a plugin may fail in any way, and the rest is looked at
        return _failed(check, error, provider)


def _failed(check: str, error: Exception, provider: str = "") -> Finding:
    from vivavoce.errors import VivavoceError

    if isinstance(error, VivavoceError):
        return Finding(check, "fail", str(error), provider, ending_of(error))
    return Finding(check, "fail", f"{type(error).__name__}: {error}", provider, Ending.BUG)
