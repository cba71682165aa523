"""``vivavoce doctor``: whether it all works, and what to do where it does not."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from vivavoce.cli.ends import Ending, ending_of
from vivavoce.cli.options import debug_option, json_option, selector_argument
from vivavoce.cli.table import print_listing

if TYPE_CHECKING:
    from vivavoce.model.card import ModelCard
    from vivavoce.provider import SynthesizerInfo
    from vivavoce.registry import Registry
    from vivavoce.settings import Settings
    from vivavoce.wire.http import HttpCall, ResponseStarted

__all__ = ["doctor"]

# Digits are read in every language.
SAMPLE = "1, 2, 3."

# What hosts allow for in the times of signatures and of what expires.
CLOCK_MAY_DIFFER = timedelta(minutes=5)

# Where the settings say to wait for ever: this is to find out, not to wait.
HOST_LIMIT_S = 10.0

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


class Wanted(NamedTuple):
    """What was asked of the command."""

    selector: str | None
    may_cost: bool
    region: str | None
    base_url: str | None


@click.command("doctor", short_help="Check the installation, with a short real synthesis.")
@selector_argument
@click.option(
    "--speak",
    is_flag=True,
    help="Speak with models that cost something or need the network as well.",
)
@click.option("--region", metavar="ID", help="The provider's region.")
@click.option("--base-url", metavar="URL", help="Address in place of the provider's own.")
@json_option
@debug_option
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool, speak: bool, **values: Any) -> None:  # noqa: FBT001
    """
    Check the installation, with a short real synthesis.

    Looks at Python, the settings, the extras and at each provider, or that of SELECTOR only: its
    plugin, its key (never shown), its claims, its voices, and whether its speech can be heard. A
    model that costs nothing and runs here is spoken with at once, any other only with --speak.
    Whether a service is reached, and by the right clock, is looked at for SELECTOR, and with
    --speak for all; that needs no key and costs nothing.

    States are ok, note (as it is, or left out), and fail. Exits with 0 when nothing fails, else
    with the code of the first failure.
    """
    findings = list(_examine(Wanted(may_cost=speak, **values)))
    print_listing(
        [finding.as_object() for finding in findings], _COLUMNS, as_json=as_json, empty=""
    )
    ctx.exit(next((int(finding.code) for finding in findings if finding.code), Ending.OK))


def _examine(wanted: Wanted) -> Iterator[Finding]:
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
    yield _guarded("default", "", lambda: _default(known, settings, wanted))
    if wanted.selector is not None:
        yield from _asked(known, settings, wanted, wanted.selector)
        return
    for broken in known.broken:
        yield Finding("plugin", "fail", broken.reason, broken.name, Ending.SETUP)
    for info in known:
        yield from _Examination(known, settings, wanted, info, info.models[0]).findings()


def _asked(known: Registry, settings: Settings, wanted: Wanted, text: str) -> Iterable[Finding]:
    from vivavoce.model.selector import Selector

    selector = Selector.parse(text)
    info = known.get(selector.provider or "")
    card = known.model(info, selector.model)
    return _Examination(known, settings, wanted, info, card, selector.voice).findings()


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


def _default(known: Registry, settings: Settings, wanted: Wanted) -> Finding:
    from vivavoce.errors import SettingsError, SetupError

    try:
        selector = known.default(settings)
    except SetupError as error:
        if wanted.selector is None or isinstance(error, SettingsError):
            raise
        # Who names a provider need not have another that speaks without a key.
        return Finding("default", "note", error.message)
    known.model(known.get(selector.provider or ""), selector.model)
    return Finding("default", "ok", str(selector))


# A provider


class _Examination:
    """Looks at one provider; one method a check."""

    def __init__(
        self,
        known: Registry,
        settings: Settings,
        wanted: Wanted,
        info: SynthesizerInfo,
        card: ModelCard,
        voice: str | None = None,
    ) -> None:
        self._known = known
        self._settings = settings
        self._wanted = wanted
        self._info = info
        self._card = card
        self._voice = voice

    def findings(self) -> Iterator[Finding]:
        """Yield what is found, check by check."""
        name = self._info.name
        yield Finding("plugin", "ok", self._known.origin(name) or self._info.title, name)
        key = _guarded("key", name, self._key)
        yield key
        yield _guarded("claims", name, self._claims)
        yield _guarded("voices", name, self._voices)
        way: list[Finding] = []
        if self._wanted.selector is not None or self._wanted.may_cost:
            way = self._way()
            yield from way
        yield self._heard(has_key=key.state == "ok", is_reached=not any(f.code for f in way))

    def _key(self) -> Finding:
        from vivavoce.errors import CredentialError

        info = self._info
        if not info.credential_env:
            return Finding("key", "ok", "needs none", info.name)
        found = self._known.hook.vivavoce_resolve_credential(provider=info.name)
        try:
            self._settings.config_for(info, credential=found)
        except CredentialError:
            if self._wanted.selector is not None:
                raise
            # Installed is not yet in use: nobody has asked for this provider.
            variables = " or ".join(info.credential_env)
            return Finding("key", "note", f"no key: set {variables} to use it", info.name)
        return Finding("key", "ok", "there is one", info.name)

    def _claims(self) -> Finding:
        claims = self._card.capabilities
        open_ = [name for name, claim in claims if claim.support.value == "unknown"]
        unproven = [name for name, claim in claims if claim and claim.evidence is None]
        parts = []
        if open_:
            parts.append(f"unknown: {', '.join(open_)}")
        if unproven:
            parts.append(f"without evidence: {', '.join(unproven)}")
        detail = f"{self._card.name}: {'; '.join(parts) or 'complete'}"
        return Finding("claims", "note" if parts else "ok", detail, self._info.name)

    def _voices(self) -> Finding:
        return Finding("voices", "ok", f"{len(self._info.voices())} stock voices", self._info.name)

    def _way(self) -> list[Finding]:
        """Look whether the host is there, and what time it is there."""
        try:
            call = self._probe()
            return [] if call is None else list(_answered(self._info.name, call, self._settings))
        except Exception as error:  # noqa: BLE001 - as in _guarded
            return [_failed("host", error, self._info.name)]

    def _probe(self) -> HttpCall | None:
        import attrs

        # Without the key, which the call does not need: nothing secret leaves the machine.
        keyless = attrs.evolve(self._info, credential_env=())
        config = self._settings.config_for(
            keyless, region=self._wanted.region, base_url=self._wanted.base_url
        )
        synthesizer = self._info.load_synthesizer()(attrs.evolve(config, credential=None))
        try:
            return synthesizer.probe()
        finally:
            synthesizer.close()

    def _heard(self, *, has_key: bool, is_reached: bool) -> Finding:
        name, card = self._info.name, self._card
        is_harmless = card.is_free and card.transports == ("local",)
        if card.unavailable:
            return Finding("speech", "note", f"left out: {card.unavailable}", name)
        if not has_key:
            return Finding("speech", "note", "left out: no key", name)
        if not (self._wanted.may_cost or is_harmless):
            detail = "left out: it may cost something; add --speak"
            return Finding("speech", "note", detail, name)
        if not is_reached:
            return Finding("speech", "note", "left out: see the failure above", name)
        return _guarded("speech", name, self._speech)

    def _speech(self) -> Finding:
        """Speak; silence is an error that the client itself raises."""
        from vivavoce.blocking import Client

        with Client(
            f"{self._info.name}/{self._card.name}",
            region=self._wanted.region,
            base_url=self._wanted.base_url,
            registry=self._known,
            settings=self._settings,
        ) as client:
            report = client.synthesize(SAMPLE, voice=self._voice).report
        ttfa = f"{report.ttfa_s:.3f} s" if report.ttfa_s is not None else "?"
        detail = f"{report.audio_s:.2f} s of audible speech, first audio after {ttfa}"
        return Finding("speech", "ok", f"{self._card.name}: {detail}", self._info.name)


# The way to a host


def _answered(name: str, call: HttpCall, settings: Settings) -> Iterator[Finding]:
    from urllib.parse import urlsplit

    reply, seconds = _first_reply(call, settings.timeouts.connect_s or HOST_LIMIT_S)
    now = datetime.now(UTC)
    host = urlsplit(call.url).netloc
    detail = f"{host} answered after {seconds:.3f} s, with HTTP status {reply.status}"
    yield Finding("host", "ok", detail, name)
    yield _clock(name, reply.headers.get("date"), now)


def _first_reply(call: HttpCall, limit_s: float) -> tuple[ResponseStarted, float]:
    """
    Return how the reply to *call* begins, and the seconds that took.

    Raises:
        TransportError: If the way there failed, or nothing came in time.
    """
    from vivavoce.errors import TimedOut
    from vivavoce.transport.base import run_blocking
    from vivavoce.transport.blocking import BlockingRuntime
    from vivavoce.wire.http import ResponseStarted

    runtime = BlockingRuntime()

    async def ask() -> ResponseStarted:
        conversation = await runtime.open(call, limit_s)
        try:
            event = await conversation.receive(limit_s)
        finally:
            await conversation.close()
        assert isinstance(event, ResponseStarted)  # it is what an HTTP reply begins with
        return event

    began = runtime.now()
    try:
        reply = run_blocking(ask())
        return reply, runtime.now() - began
    except TimeoutError as error:
        msg = f"The host gave no answer within {limit_s:g} s."
        raise TimedOut(msg, phase="connect", limit_s=limit_s) from error
    finally:
        run_blocking(runtime.close())


def _clock(name: str, date: str | None, now: datetime) -> Finding:
    """Compare this machine's clock with the host's."""
    from email.utils import parsedate_to_datetime

    if date is None:
        return Finding("clock", "note", "not compared: the host tells no time", name)
    try:
        there = parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return Finding("clock", "note", f"not compared: the host's time is {date!r}", name)
    ahead = now - there
    if abs(ahead) <= CLOCK_MAY_DIFFER:
        return Finding("clock", "ok", "agrees with the host's", name)
    minutes = abs(ahead).total_seconds() / 60
    where = "ahead of" if ahead > timedelta() else "behind"
    detail = (
        f"this machine's clock is {minutes:.0f} minutes {where} the host's. Set it: signatures, "
        "and what expires, are judged by the time."
    )
    return Finding("clock", "fail", detail, name, Ending.SETUP)


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
