"""Speech itself: whole, in a stream, and of which texts."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import attrs

from vivavoce import (
    AudioFormat,
    CapabilityError,
    Chunk,
    InvalidValue,
    Mark,
    TimedOut,
    Timeouts,
    VivavoceError,
)
from vivavoce.authoring import AudioData, Exchange, LocalCall, LocalOutput
from vivavoce_contract.case import Case, Heard, Stage, check_player, tape_name
from vivavoce_contract.clause import Clauses, Unmet, need
from vivavoce_contract.tapes import Event, Tape, derive

synthesis = Clauses("synthesis", "SYN")
streaming = Clauses("streaming", "STR")
text = Clauses("text", "TXT")

_EXCHANGE = "the exchange: open() and receive()"

# Seconds a character of the kit's sentences may last: speech is slower than the one and
# faster than the other, in every script.
_SHORTEST_S, _LONGEST_S = 0.01, 1.5
_SOFTEST, _ROUGHEST = 30.0, 1.1


def source_format(case: Case) -> AudioFormat:
    """Return the format of plain samples at the model's own rate."""
    return AudioFormat(sample_rate_hz=int(case.card.capabilities.sample_rates_hz.values[0]))


def anything(tape: Tape) -> Tape:
    """Return *tape* as the answer to whatever is said."""
    match = attrs.evolve(tape.header.match, body=())
    return attrs.evolve(tape, header=attrs.evolve(tape.header, match=match))


# Synthesis


@synthesis(where=_EXCHANGE)
def speaks(case: Case) -> None:
    """A sentence is spoken: audible, and as long as speech of its length."""
    data = case.hear(as_whole=True).spoken()
    seconds = source_format(case).duration_s(len(data))
    shortest = _SHORTEST_S * len(case.sentence())
    longest = _LONGEST_S * len(case.sentence()) + 1.0
    need(shortest <= seconds <= longest, f"{len(case.sentence())} characters last {seconds:.2f} s")
    level, step = level_of(data)
    need(level > _SOFTEST, f"its amplitude is {level:.0f} of 32767: that is silence")
    # From sample to sample noise changes by more than its amplitude, as torn or swapped bytes do.
    need(step < _ROUGHEST * level, "it is noise: are its samples torn, or their bytes swapped?")


def level_of(pcm: bytes) -> tuple[float, float]:
    """Return the effective amplitude of samples, and that of what lies between neighbours."""
    samples = memoryview(pcm[: len(pcm) // 2 * 2]).cast("h")
    count = max(1, len(samples))
    level = math.sqrt(sum(sample * sample for sample in samples) / count)
    steps = sum((b - a) ** 2 for a, b in itertools.pairwise(samples))
    return level, math.sqrt(steps / count)


@synthesis(where="what the synthesizer keeps between requests")
def speaks_again(case: Case) -> None:
    """The same sentence twice is spoken twice, alike in length within a fifth."""
    with case.stage(*case.tapes_for("speak")) as stage:
        first = stage.hear(case.scenario()).spoken()
        second = stage.hear(case.scenario()).spoken()
    need(0.8 <= len(second) / len(first) <= 1.25, f"{len(first)} bytes, then {len(second)}")


@synthesis(where="what the synthesizer keeps between requests")
def keeps_texts_apart(case: Case) -> None:
    """Another sentence by the same client is other audio, and the first stays what it was."""
    with case.stage(*case.tapes_for("speak", "second")) as stage, stage.client() as client:
        one, other = case.scenario(), case.scenario("second")
        first = client.synthesize(one.text, **one.wishes).data
        second = client.synthesize(other.text, **other.wishes).data
        again = client.synthesize(one.text, **one.wishes).data
        check_player(stage)
    need(first != second, "two sentences are the same audio")
    need(abs(len(first) - len(again)) <= len(first) // 5, "the first sentence changed its length")


@synthesis(where="the options that choose another way")
def every_way_is_the_same(case: Case) -> None:
    """Every way to the audio that the contract names leads to the same samples."""
    expected = case.hear(as_whole=True).spoken()
    for way in case.ways:
        for as_whole in (True, False):
            data = case.hear(f"way-{way}", as_whole=as_whole).spoken()
            need(data == expected, f"by the way {way!r} the audio is another")


@synthesis(where="SynthesisRequest.voice")
def uses_the_voice_it_reports(case: Case) -> None:
    """The voice that is used is the one the report names: the default unless another is asked."""
    with case.stage(*case.tapes_for("speak")) as stage:
        heard = stage.hear(case.scenario())
        heard.spoken()
        asked = stage.log.requests[0].voice
    assert heard.report is not None
    expected = case.scenario().wishes.get("voice") or case.card.default_voice
    need(heard.report.voice == expected, f"the report names {heard.report.voice!r}")
    need((asked.id if asked else "") == expected, f"{asked!r} was asked")


def _of_other_clients(case: Case) -> list[str]:
    """Return the scenarios of this model that another client was recorded with."""
    prefix = tape_name(case.card.name, "client-")
    known = [name for name in case.subject.library if name.startswith(prefix)]
    return [name.removeprefix(tape_name(case.card.name, "")) for name in known]


@synthesis(
    where="the request the exchange makes", applies=lambda case: bool(_of_other_clients(case))
)
def plays_what_others_recorded(case: Case) -> None:
    """A tape that another client was recorded with is played to the same audio."""
    expected = case.hear().spoken()
    for name in _of_other_clients(case):
        with case.stage(case.tape(name)) as stage:
            data = stage.hear(case.scenario(name)).spoken()
            check_player(stage)
        need(data == expected, f"by the tape {name} the audio is another")


# Streaming


@streaming(where="whether the exchange gives audio as it comes", capability="stream_out")
def begins_early(case: Case) -> None:
    """The first chunk is out before the last of the audio has been made."""
    try:
        if case.is_networked:
            _begins_before_the_tape_ends(case)
        else:
            _begins_before_all_is_made(case)
    except (Unmet, TimedOut) as error:
        if case.is_claimed:
            raise
        # There is nothing to refuse: whoever reads a stream gets the whole of it, later.
        case.stages.clear()
        msg = f"{case.selector} does not stream: {error}"
        raise CapabilityError(msg, capability="stream_out") from error


# How long the first audio is waited for that can come at once; less where it need not come.
WAIT_FOR_FIRST_S, _WAIT_IN_VAIN_S = 3.0, 0.5
# Below this the beginning cannot be told from the end on a busy machine.
_TELLABLE_S = 0.1


def _begins_before_all_is_made(case: Case) -> None:
    with case.stage() as stage, stage.client() as client:
        plan = client.explain(_long_text(case), **case.scenario().wishes)
        request = plan.request(next(plan.segments()), wants_stream=True)
        synthesizer = client._core.synthesizer(plan)  # noqa: SLF001 - nothing public is so near to it
        # The best of three, since a machine may be busy just as it begins.
        found = ""
        for _ in range(3):
            ear = _Ear(synthesizer.exchange(request))
            total_s = ear.hear()
            # One piece that holds everything is no stream, however early it comes.
            need(ear.pieces, "of a long text nothing came")
            need(2 * ear.pieces[0] < sum(ear.pieces), "a long text came in one piece")
            if total_s < _TELLABLE_S or ear.first_s < total_s / 2:
                return
            found = f"of {total_s:.2f} s the first audio took {ear.first_s:.2f} s"
    raise Unmet(found)


class _Ear:
    """Hears an engine at its own pace; a reader between them would join what comes fast."""

    stopped = False

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._begun_s = 0.0
        self.pieces: list[int] = []
        self.first_s = 0.0

    def hear(self) -> float:
        """Have the engine say all, and return the seconds that it took."""
        call = self._exchange.open()
        need(isinstance(call, LocalCall), f"it is local, and calls by {type(call).__name__}")
        assert isinstance(call, LocalCall)
        self._begun_s = time.perf_counter()
        running = call.run(self)
        if running is not None:
            asyncio.run(_awaited(running))
        return time.perf_counter() - self._begun_s

    def audio(self, data: bytes) -> bool:
        for output in self._exchange.receive(LocalOutput(data)):
            if isinstance(output, AudioData) and output.data:
                self.first_s = self.first_s or time.perf_counter() - self._begun_s
                self.pieces.append(len(output.data))
        return True

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def mark(self, mark: Mark) -> None:
        """Take a mark; when it came says nothing of the audio."""


async def _awaited(running: Awaitable[None]) -> None:
    await running


def _long_text(case: Case) -> str:
    return " ".join([case.sentence(), case.sentence(number=1)] * 12)


def _begins_before_the_tape_ends(case: Case) -> None:
    with case.stage(case.tape("speak")) as stage:
        assert stage.player is not None
        borders = derive.count_pieces(case.used[-1])
        need(borders > 2, f"the tape has {borders} chunks: too few to tell")
        stage.player.hold_after(chunks=borders // 2)
        scenario = case.scenario()
        wait_s = WAIT_FOR_FIRST_S if case.is_claimed else _WAIT_IN_VAIN_S
        limits = attrs.evolve(stage.settings()["timeouts"], first_audio_s=wait_s)
        client = stage.client(timeouts=limits)
        with client, client.stream(scenario.text, **scenario.wishes) as stream:
            try:
                first = next(stream)
            finally:
                stage.player.release()
            need(first.data, "the first chunk is empty")
            for _ in stream:
                pass


@streaming(where="core aligns samples; a middleware or a container may tear them")
def gives_whole_samples(case: Case) -> None:
    """Each chunk holds whole samples, and none is empty."""
    heard = case.hear()
    heard.spoken()
    size = source_format(case).frame_bytes
    for chunk in heard.chunks:
        need(len(chunk.data) % size == 0, f"a chunk of {len(chunk.data)} bytes tears a sample")
        need(chunk.data or chunk.marks, "a chunk with nothing in it")


@streaming(where=_EXCHANGE)
def streams_what_it_synthesizes(case: Case) -> None:
    """The stream's chunks, joined, are what synthesize gives."""
    with case.stage(*case.tapes_for("speak")) as stage:
        streamed = stage.hear(case.scenario()).spoken()
        whole = stage.hear(case.scenario(), as_whole=True).spoken()
    need(streamed == whole, f"{len(streamed)} bytes streamed, {len(whole)} as a whole, or others")


@streaming(where="Chunk.start_s")
def chunks_follow_each_other(case: Case) -> None:
    """Each chunk begins where the one before it ended, and the report adds them up."""
    heard = case.hear()
    heard.spoken()
    audio_format, at = source_format(case), 0
    for chunk in heard.chunks:
        begin = audio_format.duration_s(at)
        need(abs(chunk.start_s - begin) < 1e-6, f"a chunk begins at {chunk.start_s}, not {begin}")
        at += len(chunk.data)
    assert heard.report is not None
    seconds = audio_format.duration_s(at)
    need(abs(heard.report.audio_s - seconds) < 1e-6, f"the report says {heard.report.audio_s} s")


@streaming(where="how the exchange ends: Finished")
def ends_once(case: Case) -> None:
    """After its end a stream gives nothing more, and stays at its end."""
    scenario = case.scenario()
    with (
        case.stage(*case.tapes_for("speak")) as stage,
        stage.client() as client,
        client.stream(scenario.text, **scenario.wishes) as stream,
    ):
        chunks: list[Chunk] = list(stream)
        need(chunks, "no chunk came")
        need(list(stream) == [], "something came after the end")
        need(stream.report.end == "complete", f"the report says {stream.report.end}")


def _on_network(case: Case) -> bool:
    return case.is_networked


def _on_http(case: Case) -> bool:
    return case.is_networked and not case.is_on_websocket


@streaming(where="what the exchange keeps between events", applies=_on_http)
def borders_mean_nothing(case: Case) -> None:
    """However the reply is cut into pieces, the audio is the same."""
    expected = case.hear().spoken()
    # Byte by byte where heads and first audio are; all of it would take seconds.
    rest = 1 << 20
    for sizes in ((*[1] * 1500, rest), (*[7] * 700, rest), (1000, 1, 30_000), (rest,)):
        with case.stage(derive.rechunk(case.tape(), sizes)) as stage:
            data = stage.hear(case.scenario()).spoken()
        need(data == expected, f"in pieces of {sizes[:3]} bytes the audio is another")


@streaming(where="whether the exchange waits for the provider's own end", applies=_on_network)
def a_cut_is_no_end(case: Case) -> None:
    """A reply that is cut anywhere is a typed error with a beginning of the audio, never an end."""
    expected = case.hear().spoken()
    for what, faulty in _cut_anywhere(case.tape()):
        with case.stage(faulty) as stage:
            heard = stage.hear(case.scenario())
        if heard.error is None:
            # What is left out may be no more than the blank line behind the provider's end.
            need(heard.data == expected, f"{what}, it ended as if it were whole")
            continue
        need(isinstance(heard.error, VivavoceError), f"{what}: {heard.error!r}")
        need(expected.startswith(heard.data), f"{what}, other audio came")
    _waits_for_the_providers_end(case, expected)


def _cut_anywhere(tape: Tape) -> Iterator[tuple[str, Tape]]:
    if tape.exchanges()[0].is_websocket:
        count = derive.count_pieces(tape)
        for n in sorted({0, 1, count // 3, count // 2, count - 1}):
            yield f"cut after {n} of {count} messages", derive.cut_after_chunk(tape, n)
        for code in (1000, 1006, 1007, 1011):
            yield f"closed with {code}", derive.close_after(tape, count // 2, code)
        return
    size = sum(len(event.data) for event in tape.events if event.k == "chunk")
    for at in sorted({0, 1, size // 3, size // 2, size * 9 // 10, size - 3}):
        yield f"cut after {at} of {size} bytes", derive.cut(tape, at=at)


def ended_early(tape: Tape, pieces: int) -> Tape:
    """Return *tape* with a reply that ends in order, as proxies end it, after some pieces."""
    if tape.exchanges()[0].is_websocket:
        return derive.close_after(tape, pieces, 1000)
    pieces_left = pieces
    for place, event in enumerate(tape.events):
        pieces_left -= event.k == "chunk"
        if not pieces_left:
            end = Event(t=event.t, conn=event.conn, dir="s", k="end")
            events = [*tape.events[: place + 1], end]
            return derive.derived(tape, events, f"ended in order after chunk {pieces}")
    return tape


def _waits_for_the_providers_end(case: Case, expected: bytes) -> None:
    tape = case.tape()
    # A socket stays open: it is waited for in vain.
    limits = Timeouts(between_chunks_s=0.3) if case.is_on_websocket else Timeouts()
    with case.stage(derive.without_end(tape)) as stage:
        heard = stage.hear(case.scenario(), client={"timeouts": limits})
    if heard.data != expected:
        return  # the last piece holds audio, so that nobody can tell a cut from the end
    pieces = derive.count_pieces(tape)
    # Two places, since one of them may tear a sample, which core sees by itself.
    for n in (pieces // 2, pieces // 2 + 1):
        with case.stage(ended_early(tape, n)) as stage:
            error = stage.hear(case.scenario()).error
        what = "without the provider's own end"
        need(isinstance(error, VivavoceError), f"{what} it ended as if it were whole: {error!r}")


# Text


def _refused_unsent(case: Case, said: str, kind: type[Exception] = InvalidValue) -> None:
    with case.stage() as stage:
        heard = stage.hear(attrs.evolve(case.scenario(), text=said))
        need(isinstance(heard.error, kind), f"{said!r} gave {heard.error!r}")
        need(not stage.was_sent, f"{said!r} was sent before it was refused")


@text(where="the plan: no plugin is asked")
def refuses_nothing(case: Case) -> None:
    """An empty text is refused, and nothing is sent."""
    _refused_unsent(case, "")


@text(where="the plan: no plugin is asked")
def refuses_the_unspeakable(case: Case) -> None:
    """A text with nothing to speak is refused, and nothing is sent."""
    for said in (" \n\t", "...", "?!", "\u200b\u200d", "。、"):
        _refused_unsent(case, said)


@text(where="the plan: no plugin is asked")
def refuses_what_cannot_be_sent(case: Case) -> None:
    """A lone surrogate or a NUL is refused, and nothing is sent."""
    for said in ("a\ud800b", "a\x00b"):
        _refused_unsent(case, said)


_CORNERS = (
    "It's 3 o'clock — “quoted”, 50 % & <b>bold</b> {x} \\n.",
    "Price: €5, £6, ¥7; 1/2; 10³; α+β.",
    "Smile 😀 and 👩‍👩‍👧 go.",
    "e\u0301a\u0308 combined.",
    "Line one.\nLine two.\r\nLine three.",
    "A\u2028B\u0085C.",
    "Wordwithoutanyblankthatgoesonandonandonandonandon.",
)


def _said(stage: Stage) -> str:
    return "".join(request.text for request in stage.log.requests)


def _hear_text(case: Case, said: str, **wishes: Any) -> tuple[Heard, Stage]:
    """Say a text that no tape was recorded with; its answer is that of another."""
    tapes = [anything(tape) for tape in case.tapes_for("speak")]
    with case.stage(*tapes) as stage:
        heard = stage.hear(attrs.evolve(case.scenario(), text=said), **wishes)
        check_player(stage)
    return heard, stage


@text(where="how the exchange writes the text into its request")
def takes_corner_texts(case: Case) -> None:
    """Quotes, symbols, emoji, joined letters, line ends and long words are sent as they are."""
    for said in _CORNERS:
        heard, stage = _hear_text(case, said)
        heard.spoken()
        need(_said(stage) == said, f"{said!r} was asked as {_said(stage)!r}")
        if stage.player is not None:
            _is_in_the_request(stage, said)


def _is_in_the_request(stage: Stage, said: str) -> None:
    """Look for the text in what went over the wire, however JSON writes it."""
    assert stage.player is not None
    import json

    def strings(value: object) -> list[str]:
        if isinstance(value, str):
            return [value]
        below: Sequence[object] = ()
        if isinstance(value, dict):
            below = list(value.values())
        elif isinstance(value, list):
            below = value
        return list(itertools.chain.from_iterable(map(strings, below)))

    sent = [
        data
        for seen in stage.player.requests
        for data in (seen.body, *(message.data for message in seen.messages))
        if data
    ]
    for data in sent:
        try:
            found = strings(json.loads(data))
        except ValueError:
            found = [data.decode("utf-8", "replace")]
        if any(said in one for one in found):
            return
    need(condition=False, found=f"{said!r} is in no request")


def _limit(case: Case) -> int | None:
    claim = case.card.capabilities.max_text
    return None if claim.maximum is None else int(claim.maximum)


def _measure(case: Case) -> Callable[[str], int]:
    in_bytes = case.card.capabilities.max_text.unit in ("bytes", "tokens")
    return (lambda said: len(said.encode())) if in_bytes else len


def _text_of(size: int) -> str:
    """Return ASCII sentences of exactly *size* characters."""
    # Long words, since an engine may take as long for each as for a short one.
    words = f"One {'n' * 95}. "
    return (words * (size // len(words) + 1))[: size - 1].rstrip(" .").ljust(size - 1, "n") + "."


@text(where="the card's max_text", applies=lambda case: _limit(case) is not None)
def keeps_its_limit(case: Case) -> None:
    """A text at the limit and one above it are spoken whole, in requests within the limit."""
    limit = _limit(case)
    assert limit is not None
    half = b"" if case.is_networked else _hear_text(case, _text_of(limit // 2))[0].spoken()
    for size in (limit, limit + 1):
        heard, stage = _hear_text(case, _text_of(size))
        heard.spoken()
        need(_said(stage) == _text_of(size), f"of {size} characters some were lost or changed")
        longest = max(map(_measure(case), (request.text for request in stage.log.requests)))
        need(longest <= limit, f"a request measures {longest}, above the limit {limit}")
        need(size <= limit or len(stage.log.requests) > 1, f"{size} went in one request")
        need(len(heard.data) > 1.4 * len(half), f"of {size} characters not all were heard")


@text(where="how the exchange joins what comes")
def joins_requests_without_loss(case: Case) -> None:
    """A text spoken in several requests has the audio of each, whole and in order."""
    once = _hear_text(case, case.sentence())[0].spoken()
    said = " ".join([case.sentence()] * 3)
    heard, stage = _hear_text(case, said, segment_chars=len(case.sentence()) + 1)
    data = heard.spoken()
    count = len(stage.log.requests)
    need(count == 3, f"three sentences went in {count} requests")
    if case.is_networked:
        need(data == once * 3, "the joined audio is not that of the requests")
    else:
        need(len(data) > 2 * len(once), f"three sentences have {len(data)} bytes, one {len(once)}")
        # In one request, or in as few as its length allows.
        whole, _ = _hear_text(case, " ".join([case.sentence()] * 24))
        ratio = len(whole.spoken()) / len(once) / 24
        need(0.7 < ratio < 1.4, f"24 sentences in one text last {ratio:.2f} of 24 by themselves")


@text(where="what the client and the synthesizer keep")
def goes_on_after_a_refusal(case: Case) -> None:
    """After a refused text the same client speaks the next."""
    scenario = case.scenario()
    with case.stage(*case.tapes_for("speak")) as stage, stage.client() as client:
        try:
            client.synthesize("...", **scenario.wishes)
        except InvalidValue:
            pass
        else:
            need(condition=False, found="a text with nothing to speak was spoken")
        need(client.synthesize(scenario.text, **scenario.wishes).data, "nothing was spoken then")
