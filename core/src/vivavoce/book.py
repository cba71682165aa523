"""
The voice book: a user's names for voices, and what is to be remembered of own ones.

A TOML file, ``vivavoce/voices.toml`` in the user's data folder, or where ``VIVAVOCE_VOICES`` or
the setting ``voice_book`` points. It may be edited by hand; comments stay::

    [narrator]                       # the alias
    language = "en"                  # by these a stand-in is chosen
    gender = "male"
    style = "calm"

    [narrator.at.acme]               # one voice a provider
    id = "voice-7f3c"
    origin = "cloned"                # stock when it is missing
    model = "small-clone"            # the one model it is bound to
    region = "eu"
    name = "narrator"
    made = "2026-11-26T09:30:00+00:00"
    recording_sha256 = "..."
    consent = { by = "Ann Li", how = "signed release", on = "2026-11-02" }

It is written whole beside its place and renamed, under a lock that other processes see.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field, frozen

from vivavoce.audio.output import atomic_output
from vivavoce.errors import InvalidValue, OutputError, SettingsError
from vivavoce.model.customizing import Consent
from vivavoce.model.voice import Gender, VoiceOrigin

if TYPE_CHECKING:
    import tomlkit

__all__ = ["Alias", "BookedVoice", "VoiceBook"]

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LOCK_LIMIT_S = 10.0
_HEAD = "The voice book of vivavoce: one table an alias, below it one voice a provider.\n"


@frozen(kw_only=True)
class BookedVoice:
    """
    What the book remembers of one voice at one provider.

    Attributes:
        id: The provider's id.
        origin: Stock, cloned or designed.
        model: Exact name of the one model it is bound to; empty where it is not bound.
        region: The provider's region it lives in, or empty.
        name: What it was named when it was made, or empty.
        language: BCP-47 tag it was made in, or empty.
        made: When, ISO 8601 with a zone; empty for what was only named here.
        recording_sha256: Of the recording it was cloned from, or empty.
        description: What it was designed from, or empty.
        preview: File of its preview, or empty.
        consent: That of the person whose voice it is, or None.
    """

    id: str
    origin: VoiceOrigin = field(default=VoiceOrigin.STOCK, converter=VoiceOrigin)
    model: str = ""
    region: str = ""
    name: str = ""
    language: str = ""
    made: str = ""
    recording_sha256: str = ""
    description: str = ""
    preview: str = ""
    consent: Consent | None = None


@frozen(kw_only=True)
class Alias:
    """
    One name of the user's, for one voice a provider.

    Attributes:
        name: The name.
        voices: By provider.
        language: BCP-47 tag a stand-in shall speak, or empty.
        gender: As a stand-in shall have it; ``unknown`` for any.
        style: Words looked for in a stand-in's description, or empty.
    """

    name: str
    voices: Mapping[str, BookedVoice] = field(factory=dict)
    language: str = ""
    gender: Gender = field(default=Gender.UNKNOWN, converter=Gender)
    style: str = ""

    @property
    def describes(self) -> bool:
        """Whether it says anything to choose a stand-in by."""
        return bool(self.language or self.style or self.gender is not Gender.UNKNOWN)


class VoiceBook:
    """
    The user's names for voices.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._read: tuple[tuple[int, int, int] | None, dict[str, Alias]] | None = None

    def __repr__(self) -> str:
        return f"VoiceBook({str(self.path)!r})"

    # Reading

    def aliases(self) -> dict[str, Alias]:
        """
        Return all aliases by name, in the order of the file.

        Raises:
            SettingsError: If the file cannot be read, is no TOML, or holds what has no
                meaning here.
        """
        stamp = self._stamp()
        if self._read is None or self._read[0] != stamp:
            self._read = (stamp, {} if stamp is None else self._parsed(self._text()))
        return dict(self._read[1])

    def get(self, alias: str) -> Alias | None:
        """Return the alias of this name, or None."""
        return self.aliases().get(alias)

    def find(self, provider: str, voice_id: str) -> tuple[str, BookedVoice] | None:
        """Return alias and record of a voice, or None where it is not in the book."""
        for alias in self.aliases().values():
            voice = alias.voices.get(provider)
            if voice is not None and voice.id == voice_id:
                return alias.name, voice
        return None

    # Writing

    def check(self, alias: str, provider: str) -> None:
        """
        Make sure that a voice can be written under *alias*, before anything is paid for.

        Raises:
            InvalidValue: If it is no alias, or has a voice at *provider* already.
            OutputError: If the book cannot be written.
            SettingsError: As :meth:`aliases`.
        """
        with self._changed() as document:
            self._check_free(document, alias, provider)

    def add(self, alias: str, provider: str, voice: BookedVoice) -> None:
        """
        Write *voice* under *alias*.

        Raises:
            InvalidValue, OutputError, SettingsError: As :meth:`check`.
        """
        with self._changed() as document:
            self._check_free(document, alias, provider)
            _table(document, alias, "at")[provider] = _as_toml(voice)

    def add_anyhow(self, alias: str, provider: str, voice: BookedVoice) -> str:
        """
        Write *voice*, under *alias* or, where that was taken meanwhile, with a number after it.

        Returns:
            The alias it has.
        """
        with self._changed() as document:
            number, free = 1, alias
            while _at(document, free, provider) is not None:
                number += 1
                free = f"{alias}-{number}"
            _table(document, free, "at")[provider] = _as_toml(voice)
        return free

    def describe(
        self,
        alias: str,
        *,
        language: str | None = None,
        gender: Gender | str | None = None,
        style: str | None = None,
    ) -> None:
        """
        Say by what a stand-in for *alias* is chosen; None leaves as it is.

        Raises:
            InvalidValue, OutputError, SettingsError: As :meth:`check`.
        """
        values = {"language": language, "gender": gender, "style": style}
        given = {name: str(value) for name, value in values.items() if value is not None}
        if "gender" in given and given["gender"] not in set(Gender):
            msg = f"{given['gender']!r} is no gender of a voice. Choose {', '.join(Gender)}."
            raise InvalidValue(msg)
        with self._changed() as document:
            _check_name(alias)
            _table(document, alias).update(given)

    def remove(self, alias: str, provider: str | None = None) -> bool:
        """
        Forget an alias, or what it means at one provider; the voice itself stays.

        Returns:
            Whether there was such an entry.
        """
        with self._changed() as document:
            if alias not in document:
                return False
            if provider is None:
                del document[alias]
                return True
            if _at(document, alias, provider) is None:
                return False
            del _table(document, alias, "at")[provider]
            rest = _table(document, alias)
            if not rest.get("at"):
                rest.pop("at", None)
            if not rest:
                del document[alias]
        return True

    def remove_voice(self, provider: str, voice_id: str) -> str | None:
        """Forget a voice that is no more; returns the alias it had, or None."""
        found = self.find(provider, voice_id)
        if found is None:
            return None
        self.remove(found[0], provider)
        return found[0]

    def save_preview(self, alias: str, provider: str, data: bytes, ending: str) -> Path:
        """
        Keep a preview in ``previews`` beside the book; it comes only once.

        Args:
            alias: Alias of the voice.
            provider: Its provider.
            data: The file's bytes.
            ending: Of its name, such as ``wav``.

        Returns:
            Where it is. A file of that name that is there stays: a number is added.

        Raises:
            OutputError: If it cannot be written.
        """
        folder = self.path.parent / "previews"
        with _translated(folder):
            folder.mkdir(parents=True, exist_ok=True)
        number, path = 1, folder / f"{alias}.{provider}.{ending}"
        while path.exists():
            number += 1
            path = folder / f"{alias}.{provider}.{number}.{ending}"
        with atomic_output(path, is_durable=True) as file:
            file.write(data)
        return path

    # Inside

    def _stamp(self) -> tuple[int, int, int] | None:
        """Return what changes whenever the file does, or None where there is none."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error) from error
        # The inode too: each writing makes a new one, however fast it follows the last.
        return state.st_mtime_ns, state.st_size, state.st_ino

    def _text(self) -> str:
        try:
            return self.path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise self._unreadable(error) from error
        except UnicodeDecodeError as error:
            msg = f"The voice book {self.path} is not UTF-8: {error.reason} at {error.start}."
            raise SettingsError(msg) from None

    def _unreadable(self, error: OSError) -> SettingsError:
        return SettingsError(f"The voice book {self.path} cannot be read: {error.strerror}.")

    def _parsed(self, text: str) -> dict[str, Alias]:
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            msg = f"The voice book {self.path} is no TOML: {error}. Mend it by hand."
            raise SettingsError(msg) from error
        return {name: self._alias(name, table) for name, table in data.items()}

    def _alias(self, name: str, table: Any) -> Alias:
        fields = self._checked(table, name, ("language", "gender", "style"), tables=("at",))
        places = fields.pop("at", {})
        try:
            return Alias(
                name=name,
                voices={
                    provider: self._voice(f"{name}.at.{provider}", entry)
                    for provider, entry in places.items()
                },
                **fields,
            )
        except ValueError as error:
            raise self._unusable(name, str(error)) from error

    def _voice(self, place: str, table: Any) -> BookedVoice:
        known = tuple(attrs.fields_dict(BookedVoice).keys() - {"consent"})
        fields = self._checked(table, place, known, tables=("consent",))
        if not fields.get("id"):
            raise self._unusable(place, "it has no id")
        if "consent" in fields:
            given = self._checked(fields["consent"], f"{place}.consent", ("by", "how", "on"))
            try:
                fields["consent"] = Consent(**given)
            except (InvalidValue, TypeError) as error:
                raise self._unusable(f"{place}.consent", str(error)) from error
        return BookedVoice(**fields)

    def _checked(
        self, table: Any, place: str, known: tuple[str, ...], *, tables: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        if not isinstance(table, dict):
            raise self._unusable(place, "is no table")
        for key, value in table.items():
            if key not in (*known, *tables):
                raise self._unusable(
                    place, f"{key!r} is unknown; known are {', '.join(sorted((*known, *tables)))}"
                )
            if not isinstance(value, dict if key in tables else str):
                raise self._unusable(
                    place, f"{key!r} is no {'table' if key in tables else 'string'}"
                )
        return dict(table)

    def _unusable(self, place: str, reason: str) -> SettingsError:
        return SettingsError(f"In the voice book {self.path}, {place}: {reason}.")

    @contextmanager
    def _changed(self) -> Iterator[tomlkit.TOMLDocument]:
        """Give the document to change, alone; written when it was changed."""
        import tomlkit  # these two are slow to load, and only needed to write
        from filelock import FileLock, Timeout

        with _translated(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self.path}.lock", timeout=_LOCK_LIMIT_S)
        try:
            with _translated(self.path):
                lock.acquire()
        except Timeout as error:
            msg = (
                f"The voice book {self.path} is locked by another process, for more than "
                f"{_LOCK_LIMIT_S:g} s. Try again when that one is done."
            )
            raise OutputError(msg) from error
        try:
            text = self._text()
            self._parsed(text)  # what cannot be read is not written over
            document = tomlkit.parse(text)
            if not text:
                document.add(tomlkit.comment(_HEAD.strip()))
                document.add(tomlkit.nl())
            yield document
            changed = tomlkit.dumps(document)
            self._parsed(changed)
            # Written even when nothing changed: whoever checks wants to know whether it can be.
            with atomic_output(self.path, encoding="utf-8", is_durable=True) as file:
                file.write(changed)
        finally:
            lock.release()

    def _check_free(self, document: Mapping[str, Any], alias: str, provider: str) -> None:
        _check_name(alias)
        taken = _at(document, alias, provider)
        if taken is not None:
            msg = (
                f"The alias {alias!r} means the voice {taken.get('id')!r} at {provider!r} already "
                f"(in {self.path}). Choose another alias, or remove that one first."
            )
            raise InvalidValue(msg)


def _check_name(alias: str) -> None:
    if not _ALIAS.fullmatch(alias):
        msg = (
            f"{alias!r} is no alias: letters, digits, '_', '.' and '-', at most 64, a letter or "
            "digit first."
        )
        raise InvalidValue(msg)


def _at(document: Mapping[str, Any], alias: str, provider: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = document.get(alias, {}).get("at", {}).get(provider)
    return found


def _table(document: Any, *path: str) -> Any:
    """Return the table at *path*, made where there is none."""
    import tomlkit

    for depth, key in enumerate(path):
        if key not in document:
            # Of a table that holds only tables no heading is written.
            document[key] = tomlkit.table(is_super_table=depth > 0)
        document = document[key]
    return document


def _as_toml(voice: BookedVoice) -> Any:
    import tomlkit

    table = tomlkit.table()
    for name, value in attrs.asdict(voice, recurse=False).items():
        if isinstance(value, Consent):
            consent = tomlkit.inline_table()
            consent.update({key: text for key, text in attrs.asdict(value).items() if text})
            table[name] = consent
        elif value:
            table[name] = str(value)
    return table


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise
        msg = f"The voice book {path} cannot be written: {error.strerror or error}."
        raise OutputError(msg) from error
