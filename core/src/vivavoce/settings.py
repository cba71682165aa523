"""
Settings: one TOML file, then environment variables over it.

The file is ``vivavoce/config.toml`` in the user's configuration folder, or where
``VIVAVOCE_CONFIG`` points::

    default = "acme/small:ann"       # selector used when none is given
    voice_book = "voices.toml"       # where own voices and aliases are kept; beside this file

    [providers.acme]
    api_key = "..."
    base_url = "https://speech.example"
    region = "eu"
    workspace = "..."                # and whatever else that provider has

    [timeouts]                       # seconds
    connect_s = 10.0
    first_audio_s = 30.0
    between_chunks_s = 30.0
    total_s = 600.0
    answer_s = 120.0

Variables: ``VIVAVOCE_DEFAULT``, ``VIVAVOCE_VOICES`` for the voice book, and for a provider ``acme``
``VIVAVOCE_ACME_API_KEY``, ``VIVAVOCE_ACME_BASE_URL``, ``VIVAVOCE_ACME_REGION``, and likewise for
the provider's own settings. Last come the variables that the provider itself names.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import Attribute, field, fields, frozen

from vivavoce.errors import CredentialError, InvalidValue, SettingsError
from vivavoce.model.secret import Secret
from vivavoce.provider import ProviderConfig, SynthesizerInfo

__all__ = ["Settings", "Timeouts", "load_settings"]


def _check_seconds(_instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is None:
        return
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
        return
    msg = f"{attribute.name} is a number of seconds above 0, or None for no limit; not {value!r}."
    raise InvalidValue(msg)


@frozen(kw_only=True)
class Timeouts:
    """
    How long to wait; None waits for ever.

    Attributes:
        connect_s: For a connection, from the start of a request.
        first_audio_s: For the first audio of a request, once connected.
        between_chunks_s: For more audio, from when it is asked for.
        total_s: For the whole synthesis, the caller's own time included.
        answer_s: For the whole answer of a call that is no speech, such as making a voice,
            which takes some providers half a minute.
    """

    connect_s: float | None = field(default=10.0, validator=_check_seconds)
    first_audio_s: float | None = field(default=30.0, validator=_check_seconds)
    between_chunks_s: float | None = field(default=30.0, validator=_check_seconds)
    total_s: float | None = field(default=None, validator=_check_seconds)
    answer_s: float | None = field(default=120.0, validator=_check_seconds)


@frozen(kw_only=True)
class Settings:
    """
    What the file and the environment say.

    Attributes:
        default: Selector used when none is given, or None.
        providers: Provider name to ``api_key``, ``base_url``, ``region`` and the
            provider's own settings; a key is a :class:`~vivavoce.authoring.Secret`.
        timeouts: As in :class:`Timeouts`.
        path: The file read, or None where there is none.
        voice_book: The file of aliases and own voices; None for settings made by hand that
            have none.
    """

    default: str | None = None
    # Not shown: a key under a misspelt name would be a plain string.
    providers: Mapping[str, Mapping[str, Any]] = field(factory=dict, repr=False)
    timeouts: Timeouts = field(factory=Timeouts)
    path: Path | None = None
    voice_book: Path | None = None

    def config_for(
        self,
        info: SynthesizerInfo,
        *,
        credential: Secret | None = None,
        base_url: str | None = None,
        region: str | None = None,
    ) -> ProviderConfig:
        """
        Return what *info*'s provider is made with; arguments win over settings.

        Raises:
            CredentialError: If it needs a credential and there is none anywhere.
            SettingsError: If a setting is stored for it that it does not have.
        """
        stored = self._stored(info)
        credential = credential or stored.get("api_key") or _from_environment(info)
        if info.credential_env and not credential:
            variables = " or ".join(info.credential_env)
            msg = (
                f"No credential for {info.name!r}. Pass api_key=, set {variables}, or put "
                f"api_key under [providers.{info.name}] in {self.path or config_path()}."
            )
            raise CredentialError(msg)
        own = {name: self._setting(info, name) for name in info.settings.keys() - _PROVIDER_KEYS}
        return ProviderConfig(
            credential=credential,
            base_url=base_url or self._setting(info, "base_url"),
            region=self.region_for(info, region),
            extra={name: value for name, value in own.items() if value is not None},
        )

    def region_for(self, info: SynthesizerInfo, region: str | None = None) -> str | None:
        """Return *region*, else the one set for *info*'s provider, else None."""
        return region or self._setting(info, "region")

    def _setting(self, info: SynthesizerInfo, name: str) -> str | None:
        variables = info.settings.get(name, ())
        if name not in _PROVIDER_KEYS:
            # The others were read with the settings; of these nobody knew then.
            own = f"VIVAVOCE_{info.name}_{name}".upper().replace("-", "_")
            variables = (own, *variables)
        value: str | None = self._stored(info).get(name) or _first_variable(*variables)
        return value

    def _stored(self, info: SynthesizerInfo) -> Mapping[str, Any]:
        """Return what is stored for *info*'s provider; only now is it known what it has."""
        # A variable's name has no hyphens.
        variables = self.providers.get(info.name.replace("-", "_"), {})
        stored = {**self.providers.get(info.name, {}), **variables}
        known = {*_PROVIDER_KEYS, *info.settings}
        for name in stored:
            if name not in known:
                reason = f"is no setting of it; known are {', '.join(sorted(known))}"
                raise _unusable(self.path or config_path(), f"providers.{info.name}.{name}", reason)
        return stored


def config_path() -> Path:
    """Return where the settings file is looked for."""
    if given := os.environ.get("VIVAVOCE_CONFIG"):
        return Path(given)
    import platformdirs  # only here: most calls of the command line never need it

    return Path(platformdirs.user_config_dir("vivavoce")) / "config.toml"


def load_settings() -> Settings:
    """
    Return the settings of this user, read anew.

    Raises:
        SettingsError: If the file cannot be read, is no TOML, or holds a key or
            a value that has no meaning here.
    """
    path = config_path()
    data = _read_file(path)
    for name in data:
        if name not in _TOP:
            raise _unusable(path, name, f"is no setting; known are {', '.join(_TOP)}")
    default = os.environ.get("VIVAVOCE_DEFAULT") or data.get("default")
    if default is not None and not isinstance(default, str):
        raise _unusable(path, "default", "is a selector in quotes")
    return Settings(
        default=default or None,
        providers=_read_providers(path, data.get("providers", {})),
        timeouts=_read_timeouts(path, data.get("timeouts", {})),
        path=path if data else None,
        voice_book=_voice_book(path, data.get("voice_book")),
    )


_TOP = ("default", "providers", "timeouts", "voice_book")


def _voice_book(path: Path, stored: object) -> Path:
    if given := os.environ.get("VIVAVOCE_VOICES"):
        return Path(given)
    if stored is not None:
        if not isinstance(stored, str) or not stored:
            raise _unusable(path, "voice_book", "is a path in quotes")
        # A relative path means the same wherever the program runs.
        return path.parent / Path(stored).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("vivavoce")) / "voices.toml"


def _read_file(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        msg = f"The settings file {path} cannot be read: {error.strerror}."
        raise SettingsError(msg) from error
    import tomllib  # only when there is a file

    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The cause is not chained: a decoder's error quotes the file, keys and all.
        where = error if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8"
        msg = f"The settings file {path} is no TOML: {where}."
        raise SettingsError(msg) from None


_PROVIDER_KEYS = ("api_key", "base_url", "region")


def _read_providers(path: Path, data: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(data, dict):
        raise _unusable(path, "providers", "is a table")
    providers = {name: _read_provider(path, name, table) for name, table in data.items()}
    for variable, value in os.environ.items():
        name, key = _provider_variable(variable)
        if name and value:
            providers.setdefault(name, {})[key] = Secret(value) if key == "api_key" else value
    return providers


def _read_provider(path: Path, name: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise _unusable(path, f"providers.{name}", "is a table")
    for key, value in table.items():
        if not isinstance(value, str):
            raise _unusable(path, f"providers.{name}.{key}", "is a string, in quotes")
    if "api_key" in table:
        return {**table, "api_key": Secret(table["api_key"])}
    return dict(table)


def _provider_variable(variable: str) -> tuple[str, str]:
    """Return provider and key that an environment variable sets, or two empty strings."""
    for key in _PROVIDER_KEYS:
        suffix = f"_{key.upper()}"
        if variable.startswith("VIVAVOCE_") and variable.endswith(suffix):
            return variable.removeprefix("VIVAVOCE_").removesuffix(suffix).lower(), key
    return "", ""


def _read_timeouts(path: Path, data: Any) -> Timeouts:
    known = [attribute.name for attribute in fields(Timeouts)]
    if not isinstance(data, dict):
        raise _unusable(path, "timeouts", "is a table")
    for key in data:
        if key not in known:
            raise _unusable(path, f"timeouts.{key}", f"is not one of {', '.join(known)}")
    try:
        return Timeouts(**data)
    except InvalidValue as error:
        raise _unusable(path, "timeouts", str(error)) from error


def _from_environment(info: SynthesizerInfo) -> Secret | None:
    value = _first_variable(*info.credential_env)
    return None if value is None else Secret(value)


def _first_variable(*names: str) -> str | None:
    """Return what the first of these environment variables holds that holds something."""
    return next((value for name in names if (value := os.environ.get(name, "").strip())), None)


def _unusable(path: Path, key: str, reason: str) -> SettingsError:
    return SettingsError(f"In the settings file {path}, {key} {reason}.")
