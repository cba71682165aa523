"""The voices that were made: who has them, which model speaks with them, and until when."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from typing import Literal

from vivavoce_qwen_emulator.checks import Refused

__all__ = ["Account", "Making", "OwnVoice", "VoiceStore", "account_of", "making_of"]

Making = Literal["cloned", "designed"]
"""How a voice came to be."""

_LETTERS: Mapping[Making, str] = {"cloned": "vc", "designed": "vd"}
_DAY_S = 86_400

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    region TEXT NOT NULL,
    account TEXT NOT NULL,
    PRIMARY KEY (region, account)
);
CREATE TABLE IF NOT EXISTS voices (
    region TEXT NOT NULL,
    account TEXT NOT NULL,
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    making TEXT NOT NULL,
    voice TEXT NOT NULL,
    target_model TEXT NOT NULL,
    language TEXT NOT NULL,
    voice_prompt TEXT NOT NULL,
    preview_text TEXT NOT NULL,
    made_at_s REAL NOT NULL,
    used_at_s REAL NOT NULL,
    UNIQUE (region, account, voice, target_model)
);
"""
_INSERT = """
INSERT INTO voices (region, account, making, voice, target_model, language, voice_prompt,
    preview_text, made_at_s, used_at_s)
VALUES (:region, :key_sha256, :making, :voice, :target_model, :language, :voice_prompt,
    :preview_text, :made_at_s, :made_at_s)
"""
# NULL stands for any.
_SELECT = """
SELECT making, voice, target_model, language, voice_prompt, preview_text, made_at_s FROM voices
WHERE region = :region AND account = :key_sha256 AND making = coalesce(:making, making)
    AND voice = coalesce(:voice, voice)
ORDER BY number DESC LIMIT :size OFFSET :start
"""
_COUNT = """
SELECT count(*) FROM voices
WHERE region = :region AND account = :key_sha256 AND making = coalesce(:making, making)
    AND voice = coalesce(:voice, voice) AND target_model = coalesce(:model, target_model)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who has voices: a key, in one region."""

    region: str
    key_sha256: str
    """The key is not kept."""


def account_of(key: str, region: str) -> Account:
    """
    Return the account of *key*.

    At the service several keys can be of one account; here each is an account of its own.
    """
    digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
    return Account(region=region, key_sha256=digest)


def making_of(voice: str) -> Making | None:
    """Return how *voice* was made by the form of its id, or None for another form."""
    for making, letters in _LETTERS.items():
        if voice.startswith(f"qwen-tts-{letters}-") and len(voice) > len("qwen-tts-vc-"):
            return making
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnVoice:
    """A voice that was made, without what it was made from: a recording is not kept."""

    making: Making
    voice: str
    """Its id."""

    target_model: str
    """The one model that speaks with it."""

    language: str = ""
    """The language given, or empty."""

    voice_prompt: str = ""
    preview_text: str = ""
    made_at_s: float = 0.0
    """In seconds since 1970."""

    @property
    def made_at(self) -> str:
        """When it was made, as the service writes it; taken to be UTC."""
        return datetime.fromtimestamp(self.made_at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


class VoiceStore:
    """
    Keeps voices in an SQLite database. May be used by many threads.

    Args:
        path: Its file, which other emulators may share; empty for memory.
        clock: Seconds since 1970.
        quota: How many voices an account may have, cloned and designed ones together.
        kept_days: After how many days without use a voice is gone.
        seeds: Ids by model: voices that every account has from its first request on.

    Raises:
        sqlite3.Error: If the file is none of a database, or cannot be made.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: Callable[[], float],
        quota: int,
        kept_days: int,
        seeds: Mapping[str, Collection[str]],
    ) -> None:
        self._clock = clock
        self._quota = quota
        self._kept_s = kept_days * _DAY_S
        self._seeds = seeds
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False, timeout=10
        )
        try:
            # A voice lost with the machine's power is no loss; waiting for the disk would be one.
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.executescript(_SCHEMA)
        except sqlite3.Error:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the file. Harmless when repeated."""
        with self._lock:
            self._database.close()

    def new_id(self, making: Making, name: str) -> str:
        """Return an id of the documented form; without *name* there is none in it."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        digits = f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}"
        named = f"{name}-" if name else ""
        return f"qwen-tts-{_LETTERS[making]}-{named}voice-{digits}-{secrets.token_hex(2)}"

    def add(
        self,
        account: Account,
        making: Making,
        name: str,
        target_model: str,
        *,
        language: str = "",
        voice_prompt: str = "",
        preview_text: str = "",
    ) -> OwnVoice:
        """
        Store a voice and return it.

        Raises:
            Refused: If the account has as many as it may have.
        """
        with self._open(account) as database:
            self._check_quota(account, database)
            voice = OwnVoice(
                making=making,
                voice=self._unused_id(account, making, name, database),
                target_model=target_model,
                language=language,
                voice_prompt=voice_prompt,
                preview_text=preview_text,
                made_at_s=self._clock(),
            )
            _insert(database, account, voice)
        return voice

    def page(self, account: Account, making: Making, index: int, size: int) -> list[OwnVoice]:
        """Return a page of the voices that were made so, the newest first."""
        return self._select(account, making=making, voice=None, size=size, start=index * size)

    def count(self, account: Account, making: Making) -> int:
        """Return how many voices were made so."""
        with self._open(account) as database:
            return _count(database, account, making=making)

    def find(self, account: Account, making: Making, voice: str) -> OwnVoice | None:
        """Return the voice with an id, or None."""
        if not voice.isascii():
            return None
        found = self._select(account, making=making, voice=voice, size=1, start=0)
        return found[0] if found else None

    def delete(self, account: Account, making: Making, voice: str) -> bool:
        """Delete the voice with an id, and return whether there was one."""
        with self._open(account) as database:
            gone = database.execute(
                "DELETE FROM voices WHERE region = ? AND account = ? AND making = ? AND voice = ?",
                (*astuple(account), making, voice),
            )
            return gone.rowcount > 0

    def has(self, account: Account, target_model: str, voice: str) -> bool:
        """Return whether a model can speak with a voice."""
        with self._open(account) as database:
            return (
                # No id has other signs, of which some could not even be looked for.
                voice.isascii() and _count(database, account, voice=voice, model=target_model) > 0
            )

    def use(self, account: Account, target_model: str, voice: str) -> None:
        """Note that a model speaks with a voice now, which keeps it."""
        with self._open(account) as database:
            database.execute(
                "UPDATE voices SET used_at_s = ?"
                " WHERE region = ? AND account = ? AND voice = ? AND target_model = ?",
                (self._clock(), *astuple(account), voice, target_model),
            )

    def forget(self) -> None:
        """Forget every voice of every account; those that all begin with come back."""
        with self._lock:
            self._database.executescript("DELETE FROM voices; DELETE FROM accounts;")

    def _check_quota(self, account: Account, database: sqlite3.Connection) -> None:
        """
        Check that *account* may have one more.

        Raises:
            Refused: If it may not. No page tells how; the code is the one for quotas.
        """
        if _count(database, account) >= self._quota:
            msg = (
                "Allocated quota exceeded, please increase your quota limit: "
                f"the account has {self._quota} voices."
            )
            raise Refused(429, "Throttling.AllocationQuota", msg)

    def _select(self, account: Account, **asked: str | int | None) -> list[OwnVoice]:
        with self._open(account) as database:
            rows = database.execute(_SELECT, asdict(account) | asked)
            names = [column[0] for column in rows.description]
            return [OwnVoice(**dict(zip(names, row, strict=True))) for row in rows]

    @contextmanager
    def _open(self, account: Account) -> Iterator[sqlite3.Connection]:
        """Return the database, locked, with what *account* has by now."""
        with self._lock:
            # At once for writing: two emulators that share a file take turns.
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._greet(account)
                self._database.execute(
                    "DELETE FROM voices WHERE used_at_s <= ?", (self._clock() - self._kept_s,)
                )
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _greet(self, account: Account) -> None:
        """Give an account that was not here before what all begin with."""
        added = self._database.execute(
            "INSERT OR IGNORE INTO accounts VALUES (?, ?)", astuple(account)
        )
        if not added.rowcount:
            return
        for model, ids in self._seeds.items():
            for voice in ids:
                making = making_of(voice)
                assert making is not None  # by the settings
                made = OwnVoice(
                    making=making, voice=voice, target_model=model, made_at_s=self._clock()
                )
                _insert(self._database, account, made)

    def _unused_id(
        self, account: Account, making: Making, name: str, database: sqlite3.Connection
    ) -> str:
        while True:
            voice = self.new_id(making, name)
            if not _count(database, account, voice=voice):
                return voice


def _insert(database: sqlite3.Connection, account: Account, voice: OwnVoice) -> None:
    database.execute(_INSERT, asdict(account) | asdict(voice))


def _count(
    database: sqlite3.Connection,
    account: Account,
    *,
    making: str | None = None,
    voice: str | None = None,
    model: str | None = None,
) -> int:
    asked = asdict(account) | {"making": making, "voice": voice, "model": model}
    (count,) = database.execute(_COUNT, asked).fetchone()
    return int(count)
