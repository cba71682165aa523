"""
The sync face: the same calls without ``await``, over the same code.

Each call steps the shared coroutines on the calling thread
(:func:`vivavoce.transport.base.run_blocking`); there is no event loop and no helper
thread between, so that a chunk costs microseconds rather than a thread hop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from vivavoce.audio.result import Audio
from vivavoce.face import (
    ClientFace,
    CloneWishes,
    DesignWishes,
    SessionFace,
    StreamFace,
    VoicesFace,
    Wishes,
    wishes_for_file,
)
from vivavoce.model.audio import Chunk
from vivavoce.model.customizing import Consent
from vivavoce.model.report import Report
from vivavoce.model.voice import Voice, VoiceOrigin
from vivavoce.pipeline.collect import gather, write
from vivavoce.pipeline.session import Interruption
from vivavoce.transport.base import Runtime, run_blocking
from vivavoce.transport.blocking import BlockingRuntime

if TYPE_CHECKING:
    from vivavoce.pipeline.customize import NewVoice, VoicePlan

__all__ = ["Client", "Session", "SpeechStream", "Voices"]


class SpeechStream(StreamFace):
    """
    Audio as it is made: a context manager, and an iterator of :class:`vivavoce.Chunk`.

    Leaving the block early cancels the synthesis at once. Made by :meth:`Client.stream`.
    """

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        self._check_open()
        chunk = run_blocking(self._run.next_chunk())
        if chunk is None:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Cancel what runs and free what is held. Harmless when repeated."""
        self._leave()
        run_blocking(self._run.close())


class Session(SessionFace):
    """
    Text in, audio out, both at once: a context manager, and an iterator of :class:`Chunk`.

    One thread may give text while another reads. Leaving the block cuts what is open. Made by
    :meth:`Client.session`.
    """

    def __enter__(self) -> Self:
        run_blocking(self._open())
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, text: str) -> None:
        """
        Give another piece of text, cut anywhere, such as a token.

        Raises:
            InvalidValue: If it cannot be sent.
            StreamStateError: If the session is finished, closed or fed by a source.
            TransportError: If the way to the provider failed.
        """
        run_blocking(self._given_to().send(text))

    def flush(self) -> None:
        """Have what was given spoken now, though a sentence may go on."""
        run_blocking(self._given_to().flush())

    def clear(self) -> None:
        """Drop what was given and is not yet being spoken."""
        run_blocking(self._given_to().clear())

    def finish(self) -> None:
        """Say that no more text will come; the iteration ends after the last audio."""
        run_blocking(self._given_to().finish())

    def interrupt(self) -> Interruption:
        """
        Give up all that is being said and all that was to be said; the session goes on.

        No chunk is handed out after this has returned but of text given later.
        """
        return run_blocking(self._given_to().interrupt())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        chunk = run_blocking(self._next())
        if chunk is None:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Cut what is open and free what is held. Harmless when repeated."""
        run_blocking(self._close())


class Voices(VoicesFace):
    """The provider's voices and the user's own. Reached as :attr:`Client.voices`."""

    def list(
        self,
        *,
        language: str | None = None,
        origin: VoiceOrigin | str | None = None,
        model: str | None = None,
    ) -> Iterator[Voice]:
        """
        Iterate over the voices that fit: stock ones, then the user's own, page by page.

        Only the user's own need a key and the network; with ``origin="stock"`` neither is
        used.

        Args:
            language: BCP-47 tag that the voice speaks, or a near one; own voices mostly
                do not say what they speak, and fit.
            origin: ``stock``, ``cloned`` or ``designed``; None for all.
            model: Model the voice may be used with.

        Raises:
            CredentialError: When the first voice of the user's own is asked for without a key.
            ProviderError, TransportError: When a page cannot be read.
        """
        voices = self._core.voices(language, origin, model)
        while (voice := run_blocking(voices.next())) is not None:
            yield voice

    def get(self, voice_id: str) -> Voice:
        """
        Return one voice, by id or by the user's alias.

        Raises:
            UnknownVoice: If there is none.
        """
        return run_blocking(self._core.voice(voice_id))

    def clone(
        self,
        recording: str | os.PathLike[str] | bytes,
        *,
        name: str,
        consent: Consent,
        **wishes: Unpack[CloneWishes],
    ) -> NewVoice:
        """
        Have a voice made from a recording. Billed, and never asked for twice by itself.

        Args:
            recording: As in :meth:`explain_clone`.
            name: Likewise.
            consent: Likewise.
            **wishes: See :class:`CloneWishes`.

        Raises:
            InvalidValue: If anything about it is refused; nothing was sent.
            MaybeCreated: If the answer was lost, and the voice not found again.
            VivavoceError: As :meth:`explain_clone`, or as the provider refused.
        """
        plan = self.explain_clone(recording, name=name, consent=consent, **wishes)
        return self.create(plan)

    def design(
        self, description: str, *, preview_text: str, name: str, **wishes: Unpack[DesignWishes]
    ) -> NewVoice:
        """
        Have a voice made from a description. Billed, and never asked for twice by itself.

        Its preview comes only once: it is kept beside the voice book.

        Args:
            description: As in :meth:`explain_design`.
            preview_text: Likewise.
            name: Likewise.
            **wishes: See :class:`DesignWishes`.

        Raises:
            InvalidValue: If anything about it is refused; nothing was sent.
            MaybeCreated: If the answer was lost, and the voice not found again.
            VivavoceError: As :meth:`explain_design`, or as the provider refused.
        """
        plan = self.explain_design(description, preview_text=preview_text, name=name, **wishes)
        return self.create(plan)

    def create(self, plan: VoicePlan) -> NewVoice:
        """
        Have the voice of a plan made, and record it in the voice book.

        Raises:
            VivavoceError: As :meth:`clone` and :meth:`design`.
        """
        return run_blocking(self._core.own_voices(plan.region or None).create(plan))

    def delete(self, voice_id: str, *, origin: VoiceOrigin | str | None = None) -> bool:
        """
        Delete a voice of the user's, at the provider and from the voice book.

        Args:
            voice_id: Id or alias.
            origin: ``cloned`` or ``designed``; None to find it out.

        Returns:
            Whether there was one. To find it gone already is no error.

        Raises:
            InvalidValue: If it is a stock voice.
            VivavoceError: As the provider refused.
        """
        return run_blocking(self._core.delete_voice(voice_id, origin))


class Client(ClientFace):
    """
    Speaks with one provider, without an event loop. Close it, or use ``with``.

    One client may be used by many threads; one stream belongs to one of them.

    Args:
        selector: ``provider[/model][:voice]``; None for the default provider: that of
            the settings, else the best installed one that needs no credential.
        api_key: Credential; None to ask plugins, settings and environment, in this order.
        base_url: Address in place of the provider's own.
        region: The provider's region id.
        timeouts: Limits on waiting; None for those of the settings.
        retry: Whether to ask again while no audio has come; None for three attempts.
        strict: Whether to refuse what core would have to emulate.
        stand_in: Whether another voice may be taken, and reported, where an alias of the
            voice book has none at this provider.
        settings: None to read the user's.
        registry: None for all installed plugins.

    Raises:
        UnknownProvider: If no plugin offers the provider.
        PluginError: If its plugin is broken.
        UnknownModel: If it has no such model.
        SettingsError: If the settings are unusable.
    """

    def _new_runtime(self) -> Runtime:
        return BlockingRuntime()

    @property
    def voices(self) -> Voices:
        """The provider's voices."""
        return Voices(self._core)

    def stream(self, text: str, **wishes: Unpack[Wishes]) -> SpeechStream:
        """
        Return a stream of audio for *text*, to be entered with ``with``.

        Args:
            text: Plain text, or SSML with ``ssml=True``.
            **wishes: See :class:`vivavoce.Utterance`.

        Raises:
            UsageError: If something asked for is unknown or cannot be done. Nothing
                was sent.
            SetupError: If a credential or a dependency is missing.
        """
        plan = self._core.plan(text, wishes)
        return SpeechStream(self._core.run(plan, wants_stream=True, encode=True))

    def synthesize(self, text: str, **wishes: Unpack[Wishes]) -> Audio:
        """
        Return *text* as one piece of audio.

        Raises:
            VivavoceError: As :meth:`stream`, or what ended the synthesis.
        """
        plan = self._core.plan(text, wishes)
        return run_blocking(gather(self._core.run(plan, wants_stream=False, encode=False)))

    def save(
        self,
        text: str,
        path: str | os.PathLike[str],
        *,
        captions: str | os.PathLike[str] | None = None,
        on_chunk: Callable[[Chunk], None] | None = None,
        on_progress: Callable[[Report], None] | None = None,
        **wishes: Unpack[Wishes],
    ) -> Report:
        """
        Speak *text* into a file, in memory that does not grow with the text.

        Args:
            text: As in :meth:`stream`.
            path: Its ending names the format unless ``format=`` does.
            captions: Where marks go, ending in ``.vtt``, ``.srt`` or ``.json``.
            on_chunk: Given each chunk of plain samples (``plan.samples``), say to play it.
            on_progress: Given the report so far, after each chunk.
            **wishes: As in :meth:`stream`.

        Raises:
            VivavoceError: As :meth:`synthesize`; OutputError when a file cannot be
                written. A file that is not whole never has its name.
        """
        plan = self._core.plan(text, wishes_for_file(path, wishes))
        run = self._core.run(plan, wants_stream=True, encode=False)
        return run_blocking(write(run, path, captions, on_chunk=on_chunk, on_progress=on_progress))

    def session(self, source: Iterable[str] | None = None, **wishes: Unpack[Wishes]) -> Session:
        """
        Return a session that takes text while audio comes, to be entered with ``with``.

        A model that takes text whole gets it sentence by sentence, the next request being
        made while the last is heard; the plan and the report say so.

        Args:
            source: Text as it is made, an iterable of str, read in a thread; the session is
                finished when it ends. None to give text with :meth:`Session.send`.
            **wishes: See :class:`vivavoce.Utterance`; not ``ssml``.

        Raises:
            UsageError: If something asked for is unknown or cannot be done. Nothing
                was sent.
            SetupError: If a credential or a dependency is missing.
        """
        plan = self._core.session_plan(wishes)
        plan.check()
        return Session(self._core, plan, source)

    def prewarm(self, **wishes: Unpack[Wishes]) -> bool:
        """
        Open a session ahead, for the next :meth:`session` with the same wishes.

        Returns:
            Whether there was anything to open: False where the provider has no sessions.

        Raises:
            VivavoceError: As :meth:`session`, or because the connection failed.
        """
        return run_blocking(self._core.prewarm(self._core.session_plan(wishes)))

    def close(self) -> None:
        """Free connections and the provider. Harmless when repeated."""
        run_blocking(self._core.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()
