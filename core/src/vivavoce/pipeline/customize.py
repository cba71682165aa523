"""
Voices of one's own: planned, made, listed, found again, deleted.

Making one is billed and cannot be repeated without being billed again, so it is asked
for again only where it surely has not been done. Where the answer was lost the
provider's list is read, and the voice looked for by its name and the time.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from attrs import define, evolve, field, frozen

from vivavoce._suggest import did_you_mean, nearest
from vivavoce.audio.pcm import is_audible
from vivavoce.audio.wav import read_wav
from vivavoce.book import BookedVoice, VoiceBook
from vivavoce.errors import (
    CapabilityError,
    InvalidValue,
    MaybeCreated,
    OutputError,
    SettingsError,
    UnexpectedReply,
    UnknownLanguage,
    UnknownVoice,
    VivavoceError,
)
from vivavoce.model.audio import AudioFormat, Container
from vivavoce.model.card import ModelCard, Price
from vivavoce.model.customizing import (
    CloneOffer,
    CloneRequest,
    Consent,
    DesignOffer,
    DesignRequest,
    Finding,
    Level,
    MadeVoice,
)
from vivavoce.model.report import End, Report
from vivavoce.model.voice import Voice, VoiceOrigin
from vivavoce.pipeline.languages import match_language
from vivavoce.pipeline.perform import Performer, has_surely_not_happened
from vivavoce.provider import SynthesizerInfo, VoiceCustomizer, VoiceCustomizerInfo

if TYPE_CHECKING:
    from vivavoce.audio.result import Audio
    from vivavoce.transport.base import Runtime
    from vivavoce.wire.task import Task

__all__ = ["NewVoice", "OwnVoices", "VoicePlan", "VoicePlanner", "VoiceReader"]

Result = TypeVar("Result")

# When the list is read again for a voice whose answer was lost: it may still be being made.
_LOOK_AGAIN_S = (0.0, 2.0, 5.0)
# How far the provider's clock may be off, besides.
_CLOCK_SLACK = timedelta(seconds=90)
_HOUR = timedelta(hours=1)
# Pages in a row with nothing new on them that are still gone on from: some providers look for
# matching voices page by page, and some do not heed which page they are asked for.
_BARREN_PAGES_MAX = 20


@frozen(kw_only=True)
class VoicePlan:
    """
    What a new voice will be made from, and what it costs; nothing was sent yet.

    Attributes:
        info: The provider.
        origin: Cloned or designed.
        request: What the provider will be asked, checked.
        region: The provider's region, or empty.
        alias: What the voice will be called in the voice book.
        consent: For a cloned voice, else None.
        findings: What was found in what was given, refusals first.
        prices: Of one voice, in the region asked; empty where it is not known.
        note: What the provider's page says besides.
    """

    info: SynthesizerInfo
    origin: VoiceOrigin
    request: CloneRequest | DesignRequest
    region: str
    alias: str
    consent: Consent | None = None
    findings: tuple[Finding, ...] = ()
    prices: tuple[Price, ...] = ()
    note: str = ""

    @property
    def model(self) -> ModelCard:
        """The model the voice is made for: the only one it can speak with."""
        return self.request.model

    @property
    def cost(self) -> Decimal | None:
        """Money for the voice, by the price table, in :attr:`currency`; None if not known."""
        return self.prices[0].of(1) if self.prices else None

    @property
    def currency(self) -> str:
        """ISO 4217 code of the cost, or empty."""
        return self.prices[0].currency if self.prices else ""

    def check(self) -> None:
        """
        Accept the plan or refuse it.

        Raises:
            InvalidValue: If anything was refused; the message has all of it.
        """
        refused = [finding for finding in self.findings if finding.level is Level.REFUSED]
        if refused:
            raise InvalidValue(" ".join(finding.message for finding in refused))


@frozen(kw_only=True)
class NewVoice:
    """
    A voice that was made.

    Attributes:
        voice: The voice; bound to the one model in ``voice.models``.
        alias: What it is called in the voice book; empty where it could not be written.
        preview: How it sounds, where the provider gave that; it comes only once.
        preview_path: Where the preview was kept, or None.
        cost: Money by the price table, or None when it is not known.
        currency: ISO 4217 code of the cost; empty when there is none.
        request_id: The provider's id of the request, or empty.
        warnings: What the provider or this library warned of.
    """

    voice: Voice
    alias: str
    preview: Audio | None = None
    preview_path: Path | None = None
    cost: Decimal | None = None
    currency: str = ""
    request_id: str = ""
    warnings: tuple[str, ...] = ()


class VoicePlanner:
    """
    Plans voices; no I/O but reading the recording and the book.

    Args:
        info: The provider.
        customizer: How it makes voices, or None where it does not.
        model: The client's model where the caller named one, else None.
        region: The region asked for, or None.
        book: Where the voice will be recorded, or None.
    """

    def __init__(
        self,
        info: SynthesizerInfo,
        customizer: VoiceCustomizerInfo | None,
        *,
        model: ModelCard | None,
        region: str | None,
        book: VoiceBook | None,
    ) -> None:
        self._info = info
        self._customizer = customizer
        self._model = model
        self._region = region
        self._book = book

    def clone(
        self,
        recording: str | os.PathLike[str] | bytes,
        *,
        name: str,
        consent: object,
        target_model: str | None = None,
        transcript: str | None = None,
        language: str | None = None,
        alias: str | None = None,
        fix: bool = False,
    ) -> VoicePlan:
        """Return the plan of a voice cloned from *recording*; see ``Voices.explain_clone``."""
        from vivavoce.audio.recording import (
            MOST_BYTES_READ,
            address_recording,
            examine_recording,
            is_address,
        )

        offer = self._customizer.clone if self._customizer is not None else None
        if offer is None:
            raise self._incapable("clone", "clones no voices")
        if not isinstance(consent, Consent):
            msg = (
                "A voice is cloned only with consent=Consent(by=..., how=...): who agreed, and "
                f"in what form; not {type(consent).__name__}."
            )
            raise InvalidValue(msg)
        model = self._target(offer, target_model, "cloned")
        offer.name.check(name)
        language = self._language(language, offer.languages)
        if transcript is not None and not offer.takes_transcript:
            msg = f"{self._info.name!r} takes no transcript. Leave it out."
            raise InvalidValue(msg)
        if isinstance(recording, str) and is_address(recording) and fix:
            from vivavoce.transport.public import fetch_public

            address_recording(recording, evolve(offer.recording, takes_url=True))  # checks it
            recording = fetch_public(recording, max_bytes=MOST_BYTES_READ)
        if isinstance(recording, str) and is_address(recording):
            looked_at = address_recording(recording, offer.recording)
        else:
            looked_at = examine_recording(
                recording, offer.recording, transcript=transcript, fix=fix
            )
        request = CloneRequest(
            model=model,
            name=name,
            recording=looked_at,
            transcript=transcript,
            language=language,
            consent=consent if offer.asks_consent else None,
        )
        return self._plan(
            VoiceOrigin.CLONED, offer, request, alias or name, looked_at.findings, consent=consent
        )

    def design(
        self,
        description: str,
        *,
        preview_text: str,
        name: str,
        target_model: str | None = None,
        language: str | None = None,
        format: str | None = None,  # noqa: A002 - the word all calls have
        sample_rate_hz: int | None = None,
        alias: str | None = None,
    ) -> VoicePlan:
        """Return the plan of a voice designed by *description*; see ``Voices.explain_design``."""
        from vivavoce.text.description import (
            advise_description,
            examine_description,
            examine_preview,
        )

        offer = self._customizer.design if self._customizer is not None else None
        if offer is None:
            raise self._incapable("design", "designs no voices")
        model = self._target(offer, target_model, "designed")
        offer.name.check(name)
        language = self._language(language, offer.languages)
        findings = (
            *examine_description(description, offer),
            *examine_preview(preview_text, language, offer),
            *advise_description(description),
        )
        request = DesignRequest(
            model=model,
            name=name,
            description=description,
            preview_text=preview_text,
            language=language,
            format=_preview_format(offer, format, sample_rate_hz),
        )
        return self._plan(VoiceOrigin.DESIGNED, offer, request, alias or name, findings)

    def _plan(
        self,
        origin: VoiceOrigin,
        offer: CloneOffer | DesignOffer,
        request: CloneRequest | DesignRequest,
        alias: str,
        findings: Iterable[Finding],
        consent: Consent | None = None,
    ) -> VoicePlan:
        region = self._offered_region(offer)
        if self._book is not None:
            taken = self._book.get(alias)
            if taken is not None and self._info.name in taken.voices:
                msg = (
                    f"The alias {alias!r} means the voice {taken.voices[self._info.name].id!r} of "
                    f"{self._info.name!r} already. Give alias= another one."
                )
                raise InvalidValue(msg)
        if any(voice.id == alias for voice in self._info.voices()):
            msg = f"{self._info.name!r} has a voice {alias!r} of its own. Give alias= another name."
            raise InvalidValue(msg)
        ranked = sorted(findings, key=lambda finding: list(Level).index(finding.level))
        return VoicePlan(
            info=self._info,
            origin=origin,
            request=request,
            region=region,
            alias=alias,
            consent=consent,
            findings=tuple(ranked),
            prices=tuple(price for price in offer.prices if price.region in ("", region)),
            note=offer.note,
        )

    def _incapable(self, capability: str, what: str) -> CapabilityError:
        msg = f"{self._info.name!r} {what}. `vivavoce providers` shows who does."
        return CapabilityError(msg, capability=capability)

    def _target(self, offer: CloneOffer | DesignOffer, name: str | None, kind: str) -> ModelCard:
        if name is None:
            wanted = self._model.name if self._model is not None else offer.models[0]
        else:
            wanted = name
        if wanted not in offer.models:
            near = did_you_mean(nearest(wanted, offer.models))
            msg = (
                f"{self._info.name}/{wanted} takes no {kind} voices. {near}A voice is made for "
                f"one of {', '.join(offer.models)}, and speaks with that one only: give "
                "target_model=."
            )
            raise InvalidValue(msg)
        for card in self._info.models:
            if card.name == wanted:
                return card
        msg = f"{self._info.name!r} offers voices for {wanted!r}, a model it does not list."
        raise InvalidValue(msg)

    def _language(self, wanted: str | None, offered: tuple[str, ...]) -> str | None:
        if wanted is None or not offered:
            return wanted
        found = match_language(wanted, offered)
        if found is None:
            near = nearest(wanted, offered)
            msg = (
                f"{self._info.name!r} makes no voice from {wanted!r}. {did_you_mean(near)}"
                f"It knows {', '.join(offered)}."
            )
            raise UnknownLanguage(msg, name=wanted, nearest=near)
        return found[0]

    def _offered_region(self, offer: CloneOffer | DesignOffer) -> str:
        if not offer.regions:
            return self._region or ""
        if self._region and self._region not in offer.regions:
            msg = (
                f"{self._info.name!r} makes no voices in the region {self._region!r}, only in "
                f"{', '.join(offer.regions)}."
            )
            raise InvalidValue(msg)
        return self._region or offer.regions[0]


def _preview_format(
    offer: DesignOffer, name: str | None, sample_rate_hz: int | None
) -> AudioFormat:
    chosen = name or offer.preview_formats[0]
    if chosen not in offer.preview_formats:
        msg = f"A preview does not come as {chosen!r}. Choose {', '.join(offer.preview_formats)}."
        raise InvalidValue(msg)
    rate_hz = sample_rate_hz or offer.preview_rates_hz[0]
    if rate_hz not in offer.preview_rates_hz:
        rates = ", ".join(map(str, offer.preview_rates_hz))
        msg = f"A preview does not come at {rate_hz} Hz. Choose one of {rates}."
        raise InvalidValue(msg)
    return AudioFormat.named(chosen, sample_rate_hz=rate_hz)


@define(kw_only=True)
class VoiceReader:
    """What is left to read of the user's voices."""

    pending: deque[Voice] = field(factory=deque)
    # Origin, and the page of it to ask for.
    origins: deque[tuple[VoiceOrigin, str | None]] = field(factory=deque)
    seen: set[str] = field(factory=set)
    # Pages in a row that brought nothing new.
    barren: int = 0


class OwnVoices:
    """
    The user's voices at one provider.

    Args:
        info: The provider.
        customizer_info: How it introduces itself.
        customizer: The object made with credential and region.
        performer: Drives its tasks.
        runtime: How this face waits.
        book: Where voices are recorded, or None.
        today: Returns the time, with a zone.
    """

    def __init__(
        self,
        info: SynthesizerInfo,
        customizer_info: VoiceCustomizerInfo,
        customizer: VoiceCustomizer,
        performer: Performer,
        runtime: Runtime,
        *,
        book: VoiceBook | None,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._info = info
        self._offers = customizer_info
        self._customizer = customizer
        self._performer = performer
        self._runtime = runtime
        self._book = book
        self._today = today

    # Making

    async def create(self, plan: VoicePlan) -> NewVoice:
        """
        Have the voice of *plan* made, and record it.

        Raises:
            InvalidValue: If the plan has a refusal; nothing was sent.
            SettingsError: If there is no voice book; nothing was sent.
            OutputError: If the voice book cannot be written; nothing was sent.
            MaybeCreated: If the answer was lost, and the voice was not found again.
            VivavoceError: As the provider refused.
        """
        plan.check()
        book = self._writable_book(plan)
        begun = self._today()
        try:
            made = await self._made(plan, begun)
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C, or the caller's task was cancelled
                error.add_note(
                    f"{self._info.name!r} was being asked for the voice {plan.request.name!r}: it "
                    "may have been made, and billed. Look with "
                    f"`vivavoce voice list {self._info.name}`."
                )
            raise
        return self._recorded(plan, made, book, begun)

    async def _made(self, plan: VoicePlan, begun: datetime) -> MadeVoice:
        """Have the voice made, or find it where the answer was lost."""
        try:
            return await self._make(plan)
        except VivavoceError as error:
            error.add_context(provider=self._info.name, model=plan.model.name)
            if has_surely_not_happened(error):
                raise
            return await self._found_again(plan, begun, error)

    def _writable_book(self, plan: VoicePlan) -> VoiceBook:
        if self._book is None:
            msg = (
                "There is no voice book to keep the voice's record in. Settings made by hand "
                "name one with Settings(voice_book=...)."
            )
            raise SettingsError(msg)
        self._book.check(plan.alias, self._info.name)
        return self._book

    async def _make(self, plan: VoicePlan) -> MadeVoice:
        request = plan.request
        private: tuple[str, ...]
        if isinstance(request, CloneRequest):
            task = self._customizer.clone(request)
            private = (request.transcript or "",)
        else:
            task = self._customizer.design(request)
            private = (request.description, request.preview_text)
        return await self._performer.perform(task, is_repeatable=False, private=private)

    async def _found_again(
        self, plan: VoicePlan, begun: datetime, error: VivavoceError
    ) -> MadeVoice:
        """Look in the list for the voice of *plan*, whose answer was lost with *error*."""
        found: list[Voice] = []
        look = f"`vivavoce voice list {self._info.name}`"
        try:
            for wait_s in _LOOK_AGAIN_S:
                if wait_s:
                    await self._runtime.sleep(wait_s)
                found = await self._candidates(plan, begun)
                if found:
                    break
        except VivavoceError as again:
            msg = (
                f"{self._info.name!r} was asked for the voice {plan.request.name!r}, and its "
                f"answer was lost ({error.message}) Its list could not be read either "
                f"({again.message}) The voice may have been made, and billed. Look with {look} "
                "before you ask for it again."
            )
            raise MaybeCreated(msg) from error
        if len(found) == 1:
            lost = "; its preview is lost" if plan.origin is VoiceOrigin.DESIGNED else ""
            warning = (
                f"the answer was lost ({error.message}); the voice was found in the provider's "
                f"list by its name and time{lost}"
            )
            return MadeVoice(voice=found[0], warnings=(warning,))
        state = (
            f"{len(found)} voices in its list may be the one"
            if found
            else "it is not in its list, or not yet"
        )
        msg = (
            f"{self._info.name!r} was asked for the voice {plan.request.name!r}, and its answer "
            f"was lost ({error.message}) The voice may have been made, and billed: {state}. "
            f"Look with {look} before you ask for it again."
        )
        raise MaybeCreated(msg, candidates=[voice.id for voice in found]) from error

    async def _candidates(self, plan: VoicePlan, begun: datetime) -> list[Voice]:
        ended = self._today()
        reader = self.reader(plan.origin)
        found = []
        while (voice := await self.next_voice(reader)) is not None:
            if (
                plan.model.name in voice.models
                and self._customizer.is_named(voice, plan.request.name)
                and _made_within(voice, begun, ended)
                and (self._book is None or self._book.find(self._info.name, voice.id) is None)
            ):
                found.append(voice)
        return found

    def _recorded(
        self, plan: VoicePlan, made: MadeVoice, book: VoiceBook, begun: datetime
    ) -> NewVoice:
        """Keep what there is only once, and give the voice back whatever happens to that."""
        warnings = list(made.warnings)
        warnings += [
            str(finding)
            for finding in plan.findings
            if finding.level in (Level.REPAIRED, Level.WARNED)
        ]
        preview_path, preview = None, None
        if made.preview:
            preview, said = _as_audio(plan, made)
            warnings += said
            try:
                ending = "pcm" if preview is None else _ending(preview.format)
                preview_path = book.save_preview(plan.alias, self._info.name, made.preview, ending)
            except OutputError as error:
                warnings.append(f"the preview was not kept: {error.message}")
        alias = ""
        try:
            booked = _booked(plan, made, preview_path, begun)
            alias = book.add_anyhow(plan.alias, self._info.name, booked)
        except (OutputError, SettingsError) as error:
            warnings.append(
                f"the voice was made, as {made.voice.id!r}, but not recorded: {error.message}"
            )
        if alias not in ("", plan.alias):
            warnings.append(f"the alias {plan.alias!r} was taken meanwhile; it is {alias!r}")
        return NewVoice(
            voice=made.voice,
            alias=alias,
            preview=preview,
            preview_path=preview_path,
            cost=plan.cost,
            currency=plan.currency,
            request_id=made.request_id,
            warnings=tuple(warnings),
        )

    # Reading

    def reader(self, origin: VoiceOrigin | None = None) -> VoiceReader:
        """Return a reader of the user's voices, of one origin or of all, for :meth:`next_voice`."""
        origins = (kind for kind in self._offers.origins if origin in (None, kind))
        return VoiceReader(origins=deque((kind, None) for kind in origins))

    async def next_voice(self, reader: VoiceReader) -> Voice | None:
        """Return the next voice, or None after the last; a page is asked for when it is needed."""
        while not reader.pending and reader.origins:
            origin, page = reader.origins.popleft()
            answer = await self._perform(self._customizer.list(origin, page))
            # A voice made while the list is read moves others from one page to the next.
            fresh = [voice for voice in answer.voices if voice.id not in reader.seen]
            reader.pending.extend(fresh)
            reader.seen.update(voice.id for voice in fresh)
            if answer.next_page is not None:
                reader.barren = 0 if fresh else reader.barren + 1
                if answer.next_page == page or reader.barren > _BARREN_PAGES_MAX:
                    msg = f"{self._info.name!r} gives the same page of its list again and again."
                    raise UnexpectedReply(msg)
                reader.origins.appendleft((origin, answer.next_page))
        return reader.pending.popleft() if reader.pending else None

    async def get(self, voice_id: str, origin: VoiceOrigin | None = None) -> Voice:
        """
        Return one voice of the user's.

        Raises:
            UnknownVoice: If the provider has no such voice.
        """
        origin = origin or self._origin_of(voice_id)
        task = self._customizer.get(voice_id, origin) if origin is not None else None
        if task is not None:
            found = await self._perform(task)
        else:
            found = await self._in_list(voice_id, origin)
        if found is None:
            msg = (
                f"{self._info.name!r} has no voice {voice_id!r} of yours. "
                f"`vivavoce voice list {self._info.name}` lists them."
            )
            raise UnknownVoice(msg, name=voice_id)
        return found

    async def delete(self, voice_id: str, origin: VoiceOrigin | None = None) -> bool:
        """
        Delete a voice of the user's, at the provider and from the book.

        Returns:
            Whether there was one; it is gone in either case.
        """
        origin = origin or self._origin_of(voice_id)
        if origin is None:
            found = await self._in_list(voice_id, None)
            origin = found.origin if found is not None else None
        existed = origin is not None and await self._perform(
            self._customizer.delete(voice_id, origin)
        )
        if self._book is not None:
            self._book.remove_voice(self._info.name, voice_id)
        return existed

    async def _in_list(self, voice_id: str, origin: VoiceOrigin | None) -> Voice | None:
        reader = self.reader(origin)
        while (voice := await self.next_voice(reader)) is not None:
            if voice.id == voice_id:
                return voice
        return None

    def _origin_of(self, voice_id: str) -> VoiceOrigin | None:
        """Return what kind of voice an id means, or None where that cannot be told."""
        if self._book is not None and (found := self._book.find(self._info.name, voice_id)):
            return found[1].origin
        if len(self._offers.origins) == 1:
            return self._offers.origins[0]
        if self._info.recognise_voice is not None:
            offers = (self._offers.clone, self._offers.design)
            names = {name for offer in offers if offer is not None for name in offer.models}
            seen = {
                voice.origin
                for card in self._info.models
                if card.name in names and (voice := self._info.recognise_voice(card, voice_id))
            }
            if len(seen) == 1:
                return seen.pop()
        return None

    async def _perform(self, task: Task[Result]) -> Result:
        return await self._performer.perform(task, is_repeatable=True)


def _made_within(voice: Voice, begun: datetime, ended: datetime) -> bool:
    """Return whether *voice* may have been made in this time, by the provider's clock."""
    made = voice.created_at
    if made is None:
        return True
    earliest, latest = begun - _CLOCK_SLACK, ended + _CLOCK_SLACK
    if made.tzinfo is not None:
        return earliest <= made <= latest
    # Which zone it is in nobody says: then it is any whole hour.
    made = made.replace(tzinfo=UTC)
    return any(earliest <= made + hours * _HOUR <= latest for hours in range(-14, 13))


def _booked(plan: VoicePlan, made: MadeVoice, preview: Path | None, begun: datetime) -> BookedVoice:
    request = plan.request
    consent = plan.consent
    if consent is not None and not consent.on:
        consent = evolve(consent, on=begun.date().isoformat())
    return BookedVoice(
        id=made.voice.id,
        origin=plan.origin,
        model=plan.model.name,
        region=plan.region,
        name=request.name,
        language=request.language or "",
        made=begun.isoformat(timespec="seconds"),
        recording_sha256=request.recording.sha256 if isinstance(request, CloneRequest) else "",
        description=request.description if isinstance(request, DesignRequest) else "",
        preview=str(preview) if preview is not None else "",
        consent=consent,
    )


def _as_audio(plan: VoicePlan, made: MadeVoice) -> tuple[Audio | None, list[str]]:
    """Return the preview as audio, and what is wrong with it."""
    from vivavoce.audio.result import Audio

    if made.preview_format is None:
        return None, ["the provider does not say in which format the preview is"]
    duration_s, warnings = 0.0, []
    if made.preview_format.is_pcm:
        try:
            samples_format, samples = made.preview_format, made.preview
            if made.preview_format.container is Container.WAV:
                samples_format, samples = read_wav(made.preview)
        except InvalidValue as error:
            return None, [f"the preview cannot be read: {error.message}"]
        duration_s = samples_format.duration_s(len(samples))
        if not is_audible(samples):
            warnings.append("the preview is silent")
    report = Report(
        provider=plan.info.name,
        model=plan.model.name,
        voice=made.voice.id,
        end=End.COMPLETE,
        audio_s=duration_s,
    )
    text = plan.request.preview_text if isinstance(plan.request, DesignRequest) else ""
    audio = Audio(data=made.preview, format=made.preview_format, report=report, text=text)
    return audio, warnings


def _ending(audio_format: AudioFormat) -> str:
    if audio_format.container is Container.RAW:
        return "pcm"
    return audio_format.container.value
