"""
Finds plugins by entry point, and keeps a broken one from harming the rest.

Each plugin is loaded in its own try. One that cannot be used is listed with its
reason; only asking for *that* provider raises.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import pluggy
from attrs import field, frozen

from vivavoce import hookspecs
from vivavoce._suggest import did_you_mean, nearest
from vivavoce.errors import (
    PluginError,
    SettingsError,
    SetupError,
    UnknownModel,
    UnknownProvider,
    UsageError,
)
from vivavoce.model.capability import Capabilities, Support, no, yes
from vivavoce.model.card import ModelCard
from vivavoce.model.selector import PROVIDER_NAME, Selector
from vivavoce.provider import (
    INTERFACE,
    Synthesizer,
    SynthesizerInfo,
    VoiceCustomizerInfo,
)

if TYPE_CHECKING:
    from vivavoce.settings import Settings

__all__ = ["BrokenPlugin", "PluginSource", "Registry", "installed"]

logger = logging.getLogger(__name__)


class PluginSource(Protocol):
    """Where a plugin comes from; an entry point fits, and so does anything like one."""

    @property
    def name(self) -> str:
        """Name of the entry point."""
        ...

    def load(self) -> Any:
        """Import the plugin and return it."""
        ...


@frozen(kw_only=True)
class BrokenPlugin:
    """
    A plugin that cannot be used.

    Attributes:
        name: Name of its entry point.
        distribution: Distribution and version it comes from, or empty.
        reason: What is wrong, in a sentence.
        error: What was raised.
    """

    name: str
    distribution: str
    reason: str
    error: BaseException = field(repr=False, eq=False)


class Registry:
    """
    The providers at hand.

    Args:
        sources: Entry points, or anything with a ``name`` and a ``load()``. Order
            does not matter: they are taken by name.
    """

    def __init__(self, sources: Iterable[PluginSource] = ()) -> None:
        self._manager = pluggy.PluginManager(hookspecs.GROUP)
        for spec in (
            hookspecs.SynthesizerSpec,
            hookspecs.VoiceCustomizerSpec,
            hookspecs.PipelineSpec,
            hookspecs.CommandSpec,
        ):
            self._manager.add_hookspecs(spec)
        self._providers: dict[str, SynthesizerInfo] = {}
        self._customizers: dict[str, VoiceCustomizerInfo] = {}
        self._origins: dict[str, str] = {}
        self._broken: list[BrokenPlugin] = []
        for source in sorted(sources, key=lambda source: (source.name, _distribution(source))):
            self._load(source)

    @classmethod
    def of(cls, *plugins: object) -> Registry:
        """
        Return a registry of *plugins* themselves: modules or objects with hooks.

        Raises:
            PluginError: If one of them is broken; here there is nobody to harm.
        """
        registry = cls(
            _Given(name=getattr(plugin, "__name__", type(plugin).__name__), plugin=plugin)
            for plugin in plugins
        )
        for broken in registry.broken:
            raise PluginError(broken.reason) from broken.error
        return registry

    @property
    def hook(self) -> pluggy.HookRelay:
        """The hooks, as pluggy calls them."""
        return self._manager.hook

    @property
    def broken(self) -> tuple[BrokenPlugin, ...]:
        """Plugins that cannot be used, with the reason."""
        return tuple(self._broken)

    def __iter__(self) -> Iterator[SynthesizerInfo]:
        """Iterate over the providers, by name."""
        return iter(sorted(self._providers.values(), key=lambda info: info.name))

    def origin(self, name: str) -> str:
        """Return distribution and version a provider comes from, or an empty string."""
        return self._origins.get(name, "")

    def customizer(self, name: str) -> VoiceCustomizerInfo | None:
        """Return the voice customizer of provider *name*, or None where it has none."""
        return self._customizers.get(name)

    def get(self, name: str) -> SynthesizerInfo:
        """
        Return a provider.

        Raises:
            PluginError: If its plugin is broken.
            UnknownProvider: If there is none of this name.
        """
        if name in self._providers:
            return self._providers[name]
        for broken in self._broken:
            if broken.name == name:
                msg = f"The plugin of {name!r} cannot be used: {broken.reason}"
                raise PluginError(msg) from broken.error
        raise self._unknown_provider(name)

    def _unknown_provider(self, name: str) -> UnknownProvider:
        known = [info.name for info in self]
        near = nearest(name, known)
        msg = (
            f"No provider {name!r} is installed. {did_you_mean(near)}"
            f"Installed: {', '.join(known) or 'none'}. Others come as plugins, with pip."
        )
        return UnknownProvider(msg, name=name, nearest=near)

    def model(self, info: SynthesizerInfo, name: str | None) -> ModelCard:
        """
        Return the card of model *name*, or of the provider's default for None.

        Raises:
            UnknownModel: If the provider has none of this name.
        """
        if name is None:
            return info.models[0]
        for card in info.models:
            if card.name == name:
                return card
        known = [card.name for card in info.models]
        near = nearest(name, known)
        msg = (
            f"{info.name!r} has no model {name!r}. {did_you_mean(near)}"
            f"Its models: {_listed(known)}."
        )
        raise UnknownModel(msg, name=name, nearest=near)

    def default(self, settings: Settings) -> Selector:
        """
        Return what is used when nothing is asked for.

        The settings' default; else the installed provider of highest rank among
        those that need no credential.

        Raises:
            SettingsError: If the settings' default names nothing that is there.
            SetupError: If there is none.
        """
        if settings.default:
            return self._chosen(settings)
        free = [info for info in self if not info.credential_env and info.default_rank > 0]
        if not free:
            msg = (
                "No provider was named, and none is installed that speaks without a key. "
                "Name one, or set VIVAVOCE_DEFAULT. `vivavoce providers` lists what is there."
            )
            raise SetupError(msg)
        return Selector(provider=max(free, key=lambda info: info.default_rank).name)

    def _chosen(self, settings: Settings) -> Selector:
        try:
            selector = Selector.parse(settings.default or "")
            self.model(self.get(selector.provider or ""), selector.model)
        except UsageError as error:
            where = settings.path or "VIVAVOCE_DEFAULT"
            msg = f"The default of the settings ({where}) cannot be used: {error.message}"
            raise SettingsError(msg) from error
        return selector

    # Loading

    def _load(self, source: PluginSource) -> None:
        try:
            self._register(source)
        # A plugin may fail in any way at all, and may even call sys.exit at
        # import; none of it may reach the others.
        except (Exception, SystemExit) as error:
            self._broken.append(
                BrokenPlugin(
                    name=source.name,
                    distribution=_distribution(source),
                    reason=_reason(error),
                    error=error,
                )
            )
            logger.debug("Plugin %r is broken.", source.name, exc_info=error)

    def _register(self, source: PluginSource) -> None:
        plugin = source.load()
        self._manager.register(plugin, self._free_key(source))
        try:
            self._check_hook_names(plugin)
            infos = [_checked(info) for info in self._call(plugin, "vivavoce_synthesizers")]
            customizers = self._call(plugin, "vivavoce_voice_customizers")
            self._check_free(infos)
            for customizer in customizers:
                self._check_customizer(customizer)
        except BaseException:
            self._manager.unregister(plugin)
            raise
        for info in infos:
            self._providers[info.name] = info
            self._origins[info.name] = _distribution(source)
        for customizer in customizers:
            self._customizers[customizer.name] = customizer

    def _free_key(self, source: PluginSource) -> str:
        """Return the name pluggy knows the plugin by, as logs show it."""
        key = f"{source.name} {_distribution(source)}".strip()
        return f"{key} ({id(source)})" if self._manager.has_plugin(key) else key

    def _check_hook_names(self, plugin: object) -> None:
        known = [name for name in vars(self._manager.hook) if self._is_specified(name)]
        for caller in self._manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                near = did_you_mean(nearest(caller.name, known))
                msg = f"it implements {caller.name!r}, which is no hook. {near}".rstrip()
                raise PluginError(msg)

    def _is_specified(self, name: str) -> bool:
        caller = getattr(self._manager.hook, name)
        return isinstance(caller, pluggy.HookCaller) and caller.has_spec()

    def _call(self, plugin: object, hook: str) -> list[Any]:
        """Call one plugin's own implementation, not everybody's."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin is plugin:
                return list(implementation.function())
        return []

    def _check_customizer(self, info: object) -> None:
        if not isinstance(info, VoiceCustomizerInfo):
            msg = f"vivavoce_voice_customizers returned {type(info).__name__}, no info."
            raise PluginError(msg)
        _check_interface(info.name, info.interface)
        if info.name in self._customizers:
            msg = f"it makes voices for {info.name!r}, which another plugin does already."
            raise PluginError(msg)
        if not isinstance(info.customizer, str):
            info.load_customizer()

    def _check_free(self, infos: list[SynthesizerInfo]) -> None:
        seen: set[str] = set()
        for info in infos:
            if info.name in self._providers:
                taken = self._origins[info.name] or "another plugin"
                msg = f"it offers {info.name!r}, a name that {taken} has already."
                raise PluginError(msg)
            if info.name in seen:
                msg = f"it offers {info.name!r} twice."
                raise PluginError(msg)
            seen.add(info.name)


@frozen(kw_only=True)
class _Given:
    """A source for a plugin that is already at hand."""

    name: str
    plugin: object

    def load(self) -> object:
        return self.plugin


def _checked(info: object) -> SynthesizerInfo:
    """Return *info* with what the code itself shows filled in, or refuse it."""
    if not isinstance(info, SynthesizerInfo):
        msg = f"vivavoce_synthesizers returned {type(info).__name__}, not SynthesizerInfo."
        raise PluginError(msg)
    _check_interface(info.name, info.interface)
    if not PROVIDER_NAME.fullmatch(info.name):
        msg = f"{info.name!r} is no provider name: lower-case letters, digits, - and _."
        raise PluginError(msg)
    if not info.models:
        msg = f"{info.name!r} has no model."
        raise PluginError(msg)
    names = [card.name for card in info.models]
    if twice := [name for name in names if names.count(name) > 1]:
        msg = f"{info.name!r} lists the model {twice[0]!r} more than once."
        raise PluginError(msg)
    if not isinstance(info.synthesizer, str):
        info.load_synthesizer()
    return attrs.evolve(info, models=tuple(_derive(info, card) for card in info.models))


def _check_interface(name: str, interface: int) -> None:
    if interface != INTERFACE:
        older = "the plugin" if interface < INTERFACE else "vivavoce"
        msg = (
            f"{name!r} was written for interface {interface!r}, and this vivavoce has "
            f"{INTERFACE}. Upgrade {older}."
        )
        raise PluginError(msg)


def _derive(info: SynthesizerInfo, card: ModelCard) -> ModelCard:
    """Return *card* with ``stream_in`` as the code shows it, so that it cannot lie."""
    if card.capabilities.stream_in.support is not Support.UNKNOWN:
        return card
    if info.load_synthesizer().session is not Synthesizer.session:
        stream_in = yes(note="the session method is there")
    else:
        stream_in = no("text is given whole")
    capabilities: Capabilities = attrs.evolve(card.capabilities, stream_in=stream_in)
    return attrs.evolve(card, capabilities=capabilities)


def _distribution(source: PluginSource) -> str:
    dist = getattr(source, "dist", None)
    return f"{dist.name} {dist.version}" if dist is not None else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return error.message
    return f"{type(error).__name__}: {error}"


def _listed(names: list[str], limit: int = 12) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


@functools.cache
def installed() -> Registry:
    """Return the registry of all installed plugins, found once per process."""
    from importlib.metadata import entry_points  # 40 ms, once, and only here

    return Registry(entry_points(group=hookspecs.GROUP))
