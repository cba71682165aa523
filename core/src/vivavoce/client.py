"""The async face: the client, its stream, its voices."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from functools import partial
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
from vivavoce.pipeline.session import Interruption, TextSource
from vivavoce.transport.base import Runtime

if TYPE_CHECKING:
    from vivavoce.pipeline.customize import NewVoice, VoicePlan

__all__ = ["AsyncClient", "AsyncSession", "AsyncSpeechStream", "AsyncVoices"]


class AsyncSpeechStream(StreamFace):
    """
    Audio as it is made: an async context manager, and an async iterator of :class:`Chunk`.

    Leaving the block early cancels the synthesis at once. Made by
    :meth:`AsyncClient.stream`.
    """

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        self._check_open()
        chunk = await self._run.next_chunk()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Cancel what runs and free what is held. Harmless when repeated."""
        self._leave()
        await self._run.close()


class AsyncSession(SessionFace):
    """
    Text in, audio out, both at once: an async context manager, and an iterator of :class:`Chunk`.

    One task may give text while another reads. Leaving the block cuts what is open. Made by
    :meth:`AsyncClient.session`.
    """

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def send(self, text: str) -> None:
        """
        Give another piece of text, cut anywhere, such as a token.

        Raises:
            InvalidValue: If it cannot be sent.
            StreamStateError: If the session is finished, closed or fed by a source.
            TransportError: If the way to the provider failed.
        """
        await self._given_to().send(text)

    async def flush(self) -> None:
        """Have what was given spoken now, though a sentence may go on."""
        await self._given_to().flush()

    async def clear(self) -> None:
        """Drop what was given and is not yet being spoken."""
        await self._given_to().clear()

    async def finish(self) -> None:
        """Say that no more text will come; the iteration ends after the last audio."""
        await self._given_to().finish()

    async def interrupt(self) -> Interruption:
        """
        Give up all that is being said and all that was to be said; the session goes on.

        No chunk is handed out after this has returned but of text given later.
        """
        return await self._given_to().interrupt()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        chunk = await self._next()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Cut what is open and free what is held. Harmless when repeated."""
        await self._close()


class AsyncVoices(VoicesFace):
    """The provider's voices and the user's own. Reached as :attr:`AsyncClient.voices`."""

    async def list(
        self,
        *,
        language: str | None = None,
        origin: VoiceOrigin | str | None = None,
        model: str | None = None,
    ) -> AsyncIterator[Voice]:
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
        while (voice := await voices.next()) is not None:
            yield voice

    async def get(self, voice_id: str) -> Voice:
        """
        Return one voice, by id or by the user's alias.

        Raises:
            UnknownVoice: If there is none.
        """
        return await self._core.voice(voice_id)

    async def clone(
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
        return await self.create(
            self.explain_clone(recording, name=name, consent=consent, **wishes)
        )

    async def design(
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
        import asyncio

        # What finds out languages takes a second to load.
        explain = partial(
            self.explain_design, description, preview_text=preview_text, name=name, **wishes
        )
        return await self.create(await asyncio.to_thread(explain))

    async def create(self, plan: VoicePlan) -> NewVoice:
        """
        Have the voice of a plan made, and record it in the voice book.

        Raises:
            VivavoceError: As :meth:`clone` and :meth:`design`.
        """
        return await self._core.own_voices(plan.region or None).create(plan)

    async def delete(self, voice_id: str, *, origin: VoiceOrigin | str | None = None) -> bool:
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
        return await self._core.delete_voice(voice_id, origin)


class AsyncClient(ClientFace):
    """
    Speaks with one provider, for asyncio programs. Close it, or use ``async with``.

    One client may run many streams at once. It belongs to one event loop.

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
        from vivavoce.transport.aio import AsyncRuntime  # loads asyncio

        return AsyncRuntime()

    @property
    def voices(self) -> AsyncVoices:
        """The provider's voices."""
        return AsyncVoices(self._core)

    def stream(self, text: str, **wishes: Unpack[Wishes]) -> AsyncSpeechStream:
        """
        Return a stream of audio for *text*, to be entered with ``async with``.

        Args:
            text: Plain text, or SSML with ``ssml=True``.
            **wishes: See :class:`vivavoce.Utterance`.

        Raises:
            UsageError: If something asked for is unknown or cannot be done. Nothing
                was sent.
            SetupError: If a credential or a dependency is missing.
        """
        plan = self._core.plan(text, wishes)
        return AsyncSpeechStream(self._core.run(plan, wants_stream=True, encode=True))

    async def synthesize(self, text: str, **wishes: Unpack[Wishes]) -> Audio:
        """
        Return *text* as one piece of audio.

        Raises:
            VivavoceError: As :meth:`stream`, or what ended the synthesis.
        """
        plan = self._core.plan(text, wishes)
        return await gather(self._core.run(plan, wants_stream=False, encode=False))

    async def save(
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
        return await write(run, path, captions, on_chunk=on_chunk, on_progress=on_progress)

    def session(self, source: TextSource | None = None, **wishes: Unpack[Wishes]) -> AsyncSession:
        """
        Return a session that takes text while audio comes, to be entered with ``async with``.

        A model that takes text whole gets it sentence by sentence, the next request being
        made while the last is heard; the plan and the report say so.

        Args:
            source: Text as it is made, an iterable or async iterable of str; the session is
                finished when it ends. None to give text with :meth:`AsyncSession.send`.
            **wishes: See :class:`vivavoce.Utterance`; not ``ssml``.

        Raises:
            UsageError: If something asked for is unknown or cannot be done. Nothing
                was sent.
            SetupError: If a credential or a dependency is missing.
        """
        plan = self._core.session_plan(wishes)
        plan.check()
        return AsyncSession(self._core, plan, source)

    async def prewarm(self, **wishes: Unpack[Wishes]) -> bool:
        """
        Open a session ahead, for the next :meth:`session` with the same wishes.

        Returns:
            Whether there was anything to open: False where the provider has no sessions.

        Raises:
            VivavoceError: As :meth:`session`, or because the connection failed.
        """
        return await self._core.prewarm(self._core.session_plan(wishes))

    async def aclose(self) -> None:
        """Free connections and the provider. Harmless when repeated."""
        await self._core.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
