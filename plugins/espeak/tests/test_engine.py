"""The binding of the engine: audio while it runs, true positions, and nothing shared by calls."""

from __future__ import annotations

import array
import itertools
import locale
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vivavoce_espeak._engine as engine_module
from vivavoce_espeak._engine import (
    RATE_RATIO_MAX,
    RATE_RATIO_MIN,
    SEMITONES_MAX,
    SEMITONES_MIN,
    VOLUME_DB_MAX,
    VOLUME_DB_MIN,
    Engine,
    EngineError,
    EngineVoice,
    Event,
    engine,
    pitch_for_semitones,
    volume_for_db,
    wpm_for_ratio,
)

VOICE = "gmw/en-US"
SENTENCE = "The quick brown fox jumps over the lazy dog. "
BUFFER_SAMPLES = 4412  # 200 ms, rounded up


class Speech:
    """What one call gave."""

    def __init__(self, text: str, instance: Engine | None = None, **options: object) -> None:
        self.text = text
        self.chunks: list[bytes] = []
        self.events: list[Event] = []
        options = {"voice": VOICE, **options}
        self.is_finished = (instance or engine()).speak(
            text,
            on_audio=self._take,
            on_event=self.events.append,
            **options,  # type: ignore[arg-type]
        )

    def _take(self, chunk: bytes) -> bool:
        self.chunks.append(chunk)
        return True

    @property
    def audio(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def samples(self) -> int:
        return len(self.audio) // 2

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]

    @property
    def words(self) -> list[str]:
        return [
            self.text[event.text_position : event.text_position + event.length]
            for event in self.of("word")
        ]

    @property
    def rms(self) -> float:
        values = array.array("h", self.audio)
        if sys.byteorder == "big":
            values.byteswap()
        return math.sqrt(sum(value * value for value in values) / max(1, len(values)))


@pytest.fixture(params=[True, False], ids=["private", "shared"])
def either(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine in each of its two modes."""
    instance = engine() if request.param else Engine(private=False)
    assert instance.is_private is request.param
    yield instance
    if instance._shared is not None:
        instance._shared.close()


# ---- streaming and stopping


def test_audio_arrives_while_the_engine_runs(either: Engine) -> None:
    """Audio comes in chunks of at most 200 ms, the first before later words are known."""
    order: list[str] = []

    def take(chunk: bytes) -> bool:
        order.append("audio")
        return len(chunk) <= 2 * BUFFER_SAMPLES

    either.speak(
        SENTENCE * 40,
        voice=VOICE,
        on_audio=take,
        on_event=lambda event: order.append(event.kind),
    )
    assert order.count("audio") > 500
    assert order.index("audio") < 5
    assert "word" in order[order.index("audio") + 500 :]


def test_refusing_audio_stops_within_one_buffer(either: Engine) -> None:
    """After on_audio returns False no further audio comes, and speak returns False."""
    seen: list[bytes] = []

    def take(chunk: bytes) -> bool:
        seen.append(chunk)
        return len(seen) < 3

    assert not either.speak(SENTENCE * 50, voice=VOICE, on_audio=take)
    assert len(seen) == 3


def test_stopped_is_asked_before_each_buffer(either: Engine) -> None:
    """Once stopped() is true no further audio comes, and speak returns False."""
    seen: list[bytes] = []

    def take(chunk: bytes) -> bool:
        seen.append(chunk)
        return True

    assert not either.speak(
        SENTENCE * 50, voice=VOICE, on_audio=take, stopped=lambda: len(seen) >= 2
    )
    assert len(seen) == 2


def test_a_call_stopped_before_it_starts_gives_nothing(either: Engine) -> None:
    """If stopped() is true from the start, speak returns False without audio or events."""
    speech = Speech(SENTENCE, either, stopped=lambda: True)
    assert (speech.is_finished, speech.chunks, speech.events) == (False, [], [])


def test_a_waiting_call_can_be_stopped() -> None:
    """A call that waits for the shared engine polls stopped() and gives up."""
    instance = Engine(private=False)
    polls = iter([False, True])
    with instance._lock:
        speech = Speech(SENTENCE, instance, stopped=lambda: next(polls))
    assert not speech.is_finished
    assert next(polls, None) is None
    assert Speech("Hello.", instance).is_finished
    assert instance._shared is not None
    instance._shared.close()


@pytest.mark.parametrize("where", ["on_audio", "on_event", "stopped"])
def test_an_exception_in_a_callable_comes_out_of_speak(either: Engine, where: str) -> None:
    """What a callable raises stops the engine, leaves speak unchanged, and spoils no later call."""
    calls = {"on_audio": 0, "on_event": 0, "stopped": 0}
    error = KeyboardInterrupt("mine")

    def call(name: str, answer: bool) -> bool:
        calls[name] += 1
        if name == where and calls[name] == 2:
            raise error
        return answer

    with pytest.raises(KeyboardInterrupt) as caught:
        either.speak(
            SENTENCE * 40,
            voice=VOICE,
            on_audio=lambda _: call("on_audio", True),
            on_event=lambda _: (call("on_event", True), None)[1],
            stopped=lambda: call("stopped", False),
        )
    assert caught.value is error
    assert calls[where] == 2
    assert calls["on_audio"] <= 2
    assert Speech("Hello there.", either).words == ["Hello", "there"]


# ---- nothing is shared between calls


@pytest.mark.parametrize("voice", [VOICE, "gmw/en-US+whisper", "gmw/en-US+klatt", "sit/cmn"])
def test_the_same_call_gives_the_same_bytes(voice: str) -> None:
    """Equal calls give equal bytes and events, whatever was spoken between them."""
    first = Speech(SENTENCE * 3, voice=voice)
    Speech("Something else, in between.", voice="roa/es", rate_wpm=300)
    second = Speech(SENTENCE * 3, voice=voice)
    assert first.audio == second.audio
    assert first.events == second.events


def test_the_random_noise_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breath noise comes from a fixed seed, not from the time of day."""
    whisper = f"{VOICE}+whisper"
    usual = Speech("Hello.", voice=whisper)
    monkeypatch.setattr(
        engine_module._Instance, "reseed", lambda self: self.lib.espeak_ng_SetRandSeed(99)
    )
    assert Speech("Hello.", voice=whisper).audio != usual.audio
    assert Speech("Hello.", voice=whisper).audio == Speech("Hello.", voice=whisper).audio


def test_a_whole_text_lasts_as_long_as_its_sentences() -> None:
    """A text spoken sentence by sentence lasts as long as in one call, within 20 ms a sentence."""
    sentences = ["Hello world, this is one sentence. ", "And here comes another one! ", "Is it? "]
    apart = sum(Speech(sentence).samples for sentence in sentences)
    assert abs(apart - Speech("".join(sentences)).samples) < 441 * len(sentences)


@pytest.mark.parametrize(
    "options",
    [
        {"rate_wpm": 400},
        {"pitch": 99},
        {"pitch_range": 0},
        {"volume": 20},
        {"voice": "gmw/de+f3"},
        {"ssml": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_parameters_do_not_leak_into_the_next_call(
    either: Engine, options: dict[str, object]
) -> None:
    """Rate, pitch, range, volume, voice and SSML mode of one call leave the next as it was."""
    text = "<b>Hello</b> world, how are you?"
    before = Speech(text, either)
    between = Speech(text, either, **options)
    after = Speech(text, either)
    assert between.audio != before.audio
    assert after.words == before.words
    assert after.samples == pytest.approx(before.samples, abs=0 if either.is_private else 882)
    assert after.rms == pytest.approx(before.rms, rel=0 if either.is_private else 0.1)
    if either._shared is not None:
        ask = either._shared.lib.espeak_GetParameter
        assert [ask(parameter, 1) for parameter in (1, 2, 3, 4)] == [175, 100, 50, 50]


def test_threads_never_mix(either: Engine) -> None:
    """Texts spoken at once by many threads each give their own audio and their own words."""
    texts = [f"Text number {n}. " + SENTENCE * n for n in range(1, 9)]
    alone = [Speech(text, either) for text in texts]
    together: dict[int, Speech] = {}
    start = threading.Barrier(len(texts))

    def run(n: int) -> None:
        start.wait()
        together[n] = Speech(texts[n], either)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, expected in enumerate(alone):
        assert together[n].words == expected.words
        slack = 0 if either.is_private else 441 * (n + 2)
        assert abs(together[n].samples - expected.samples) <= slack


def _speak_into(connection: multiprocessing.connection.Connection) -> None:
    connection.send(Speech(SENTENCE).audio)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_speaks() -> None:
    """A process forked after the engine was used gives the same bytes as its parent."""
    expected = Speech(SENTENCE).audio
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_speak_into, args=(sender,))
    process.start()
    sender.close()
    assert receiver.poll(30)
    assert receiver.recv() == expected
    process.join()
    assert process.exitcode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("private", [True, False], ids=["private", "shared"])
def test_a_process_forked_in_the_middle_of_a_word_speaks(
    private: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process forked while the engine runs and every lock is held speaks all the same."""
    expected = Speech(SENTENCE).audio
    instance = Engine(private=private)
    monkeypatch.setattr(engine_module._process, "_engines", {os.getpid(): instance})
    reader, writer = os.pipe()

    def fork(_: bytes) -> bool:
        lock = engine_module._process.lock
        lock.acquire()
        child = os.fork()
        if child == 0:  # which leaves the lock as it was copied
            signal.alarm(30)
            try:
                os.write(writer, b"same" if Speech(SENTENCE).audio == expected else b"different")
            finally:
                os._exit(0)
        lock.release()
        os.waitpid(child, 0)
        return False

    instance.speak(SENTENCE, voice=VOICE, on_audio=fork)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        assert answers.read() == b"same"


def test_the_engine_is_loaded_once() -> None:
    """engine() gives the same object to every thread of a process."""
    found: list[Engine] = []
    threads = [threading.Thread(target=lambda: found.append(engine())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a call, stopped or failed ones included, the temporary directory is empty."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Speech(SENTENCE)
    Speech(SENTENCE, stopped=lambda: True)
    with pytest.raises(ZeroDivisionError):
        engine().speak(SENTENCE, voice=VOICE, on_audio=lambda _: bool(1 // 0))
    for thread in threading.enumerate():
        if thread.name == "espeak-spare":
            thread.join()
    assert list(tmp_path.iterdir()) == []


def test_without_a_temporary_directory_one_library_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no copy can be made the engine speaks all the same, with one library under a lock."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    instance = Engine()
    assert not instance.is_private
    assert Speech("Hello.", instance).rms > 100
    assert instance._shared is not None
    instance._shared.close()


def test_the_locale_stays_utf8() -> None:
    """Loading the engine leaves a character set that can encode any text."""
    engine()
    assert locale.getlocale(locale.LC_CTYPE)[1] in {"UTF-8", "utf-8"}


# ---- positions


@pytest.mark.parametrize(
    ("voice", "text", "words"),
    [
        (VOICE, "Hello world, this is one.", ["Hello", "world", "this", "is", "one"]),
        (VOICE, "Two  spaces.  And   more.", ["Two", "spaces", "And", "more"]),
        (VOICE, "one.  two. three.", ["one", "two", "three"]),
        (VOICE, "½ cup, 3+4=7", ["½", "cup", "3", "+", "4", "=", "7"]),
        (VOICE, "123 4.5 10,000,000 men", ["123", "4.5", "10,000,000", "men"]),
        (VOICE, "I don't, foo-bar U.S.A. now", ["I", "don't", "foo-bar", "U.S.A", "now"]),
        (VOICE, "one 😀 two 👩‍👩‍👧 six", ["one", "😀", "two", "👩‍👩‍👧", "six"]),
        (VOICE, "a " + "x" * 300 + " b", ["a", "x" * 300, "b"]),
        (VOICE, "Cafe\u0301 na\u00efve here", ["Cafe\u0301", "na\u00efve", "here"]),
        (VOICE, "wo\u00adrd here", ["wo\u00adrd", "here"]),
        ("roa/fr", "L'eau, qu'est-ce ?", ["L'eau", "qu'est-ce"]),
        ("gmw/de", "Über die Straße.", ["Über", "die", "Straße"]),
        ("sem/ar", "مرحبا بالعالم.", ["مرحبا", "بالعالم"]),
        ("inc/hi", "नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("jpx/ja", "こんにちは、世界。", ["こんにちは", "世界"]),
        ("sit/cmn", "你好。世界。", ["你好", "世", "界"]),
    ],
)
def test_words_are_found_where_they_are_written(voice: str, text: str, words: list[str]) -> None:
    """Positions and lengths count code points and cut out the written word, whatever the script."""
    assert Speech(text, voice=voice).words == words


def test_ssml_positions_count_the_markup() -> None:
    """With SSML, positions index the text as given, and an entity is one word."""
    text = '<speak>Hello <mark name="a&amp;b"/>world &amp; <s>you</s> <s>two</s></speak>'
    speech = Speech(text, ssml=True)
    assert speech.words == ["Hello", "world", "&amp;", "you", "two"]
    (mark,) = speech.of("mark")
    assert mark.name == "a&b"
    assert text[mark.text_position - 1 : mark.text_position + 5] == ">world"
    assert 0 < mark.start_sample < speech.samples


@pytest.mark.parametrize(
    ("text", "told", "words"),
    [
        # start sample, position from 0, length, as the engine tells them
        ("½ cup", [(0, 0, 1), (20, 1, 1), (30, 2, 3)], [(0, "½"), (30, "cup")]),
        ("fox. fox", [(0, 0, 3), (10, 4, 1)], [(0, "fox"), (10, "fox")]),
        ("23 x", [(0, 0, 2), (20, 1, 2), (30, 3, 1)], [(0, "23"), (30, "x")]),
        ("short", [(0, 0, 5), (10, 99, 3)], [(0, "short")]),
        ("short", [(0, -1, 3)], [(0, "short")]),
        ("end ", [(0, 0, 99), (10, 3, 1)], [(0, "end")]),
    ],
)  # fmt: skip
def test_what_the_engine_tells_is_turned_into_written_words(
    text: str, told: list[tuple[int, int, int]], words: list[tuple[int, str]]
) -> None:
    """Each written word starts with its first spoken part, and no position leaves the text."""
    tracker = engine_module._WordTracker(text, ssml=False)
    events = [*(tracker.word(*event) for event in told), tracker.flush()]
    assert [
        (event.start_sample, text[event.text_position : event.text_position + event.length])
        for event in events
        if event is not None
    ] == words
    assert (tracker.clamp(-1), tracker.clamp(99)) == (0, len(text))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["fox", "water", "Café", "yellow", "Zürich", "boat"]), min_size=1),
    st.lists(st.sampled_from([" ", "  ", ", ", ". ", ".\n", "\t", "! ", "; "]), min_size=1),
)
def test_each_word_is_reported_once_in_place(words: list[str], gaps: list[str]) -> None:
    """Each plain word gives one event that cuts out just that word; samples never fall."""
    text = "".join(word + gaps[n % len(gaps)] for n, word in enumerate(words))
    speech = Speech(text)
    assert speech.words == words
    samples = [event.start_sample for event in speech.events]
    assert samples == sorted(samples)
    assert samples[0] >= 0
    assert samples[-1] <= speech.samples


PIECES = (
    *("of a", "to be", "in the", "don't", "U.S.A.", "x" * 40, "½", "12,000", "5.50", "10:30", "€"),
    *(
        " ",
        "  ",
        "\n",
        ". ",
        ", ",
        "-",
        "(",
        '"',
        "...",
        "😀",
        "👩‍👩‍👧",
        "\u0301",
        "\u00ad",
        "\u200b",
    ),
    *(
        "<s>",
        "</s>",
        "<",
        ">",
        "&",
        ";",
        "&amp;",
        "&#65;",
        "<mark name='x'/>",
        "的",
        "世界",
        "สวัสดี",
    ),
)
any_character = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | any_character).map("".join))
def test_any_text_gives_events_inside_it(text: str) -> None:
    """Whatever the text, each event lies inside it and no word is blank or torn by a space."""
    for ssml in (False, True):
        speech = Speech(text, ssml=ssml)
        assert speech.is_finished
        for event in speech.events:
            assert 0 <= event.text_position <= event.text_position + event.length <= len(text)
        for word in speech.words:
            assert len(word.split()) == 1
            assert word == word.strip()


def test_positions_stay_right_in_a_long_text() -> None:
    """In a text of 20 000 characters the last words are found as exactly as the first."""
    text = SENTENCE * 450
    assert Speech(text, rate_wpm=700).words == text.replace(".", "").split()


def test_each_clause_ends_after_its_words() -> None:
    """Clause ends come after the clause's words and give the last word an end."""
    speech = Speech("Hello world, here we are. Bye.")
    ends = speech.of("end")
    assert len(ends) == 3
    assert [event.kind for event in speech.events][-1] == "end"
    assert ends[-1].start_sample <= speech.samples
    assert len(speech.of("sentence")) == 2


# ---- text that means more to the engine than its letters


@pytest.mark.parametrize("code", [*range(1, 9), 11, 12, *range(14, 32), *range(127, 160)])
def test_a_control_character_is_a_space(code: int) -> None:
    """A control character, the engine's own command sign included, sounds like a space."""
    assert Speech(f"Hello {chr(code)}50S there").audio == Speech("Hello  50S there").audio


def test_nul_is_refused() -> None:
    """A NUL, which would end the text for the engine, raises ValueError before any audio."""
    with pytest.raises(ValueError, match="NUL at position 5"):
        Speech("Hello\0there")


def test_a_lone_surrogate_is_refused() -> None:
    """A lone surrogate, which has no UTF-8, raises ValueError that gives its place."""
    with pytest.raises(ValueError, match="lone surrogate at position 3"):
        Speech("abc\ud800")


def test_phonemes_in_brackets_are_plain_text() -> None:
    """Double brackets do not switch to the engine's phoneme input."""
    assert len(Speech("[[h@l'oU]]").words) > 1


def test_markup_in_plain_text_is_spoken() -> None:
    """Without SSML, tags and entities are characters to be spoken."""
    text = "Hello &amp; <break time='9s'/> you"
    spoken, markup = Speech(text), Speech(f"<speak>{text}</speak>", ssml=True)
    assert {"&", "amp", "break"} <= set(spoken.words)
    assert markup.words == ["Hello", "&amp;", "you"]


def test_audio_elements_open_no_file(tmp_path: Path) -> None:
    """An SSML audio element plays nothing, even if its file exists; its content is spoken."""
    import wave

    path = tmp_path / "beep.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(b"\x00\x40" * 44100)
    with_file = Speech(f"<speak><audio src='{path}'>Hello</audio></speak>", ssml=True)
    without = Speech(f"<speak><audio src='{path}x'>Hello</audio></speak>", ssml=True)
    assert with_file.words == ["Hello"]
    assert with_file.audio == without.audio


@pytest.mark.parametrize("text", ["", " ", "\n", "--", "...!?"])
def test_a_text_without_words_ends_well(text: str) -> None:
    """Without anything to say there is at most a pause, and no word."""
    speech = Speech(text)
    assert speech.is_finished
    assert speech.words == []
    assert speech.rms == 0
    assert speech.samples < 11025


@pytest.mark.parametrize(
    "text", ["<speak>Hello <b>you", "Hello", "<speak>a &x; <", "</speak>", "<"]
)
def test_wrong_markup_is_survived(text: str) -> None:
    """SSML that is not well-formed is spoken as far as the engine can, without an error."""
    assert Speech(text, ssml=True).is_finished


# ---- voices and parameters


def _sample_text(identifier: str) -> str:
    scripts = {"art/piqd": "\uf8e1\uf8d0\uf8d6", "gmw/en-Shaw": "𐑣𐑩𐑤𐑴"}
    return scripts.get(identifier, "1 2 3 mama")


@pytest.mark.parametrize("voice", engine().voices(), ids=lambda voice: voice.identifier)
def test_every_listed_voice_speaks(voice: EngineVoice) -> None:
    """Each voice the engine lists gives sound."""
    assert Speech(_sample_text(voice.identifier), voice=voice.identifier).rms > 100


@pytest.mark.parametrize("variant", engine().variants(), ids=lambda voice: voice.identifier)
def test_every_listed_variant_speaks(variant: EngineVoice) -> None:
    """Each variant the engine lists gives sound when added to a voice."""
    name = variant.identifier.removeprefix("!v/")
    assert Speech("Hello", voice=f"{VOICE}+{name}").rms > 100


def test_variants_change_the_sound() -> None:
    """Variants sound different from their voice and from each other."""
    plain = Speech("Hello").audio
    sounds = {
        Speech("Hello", voice=f"{VOICE}+{variant.identifier[3:]}").audio
        for variant in engine().variants()
    }
    # One variant ("fast") differs at high rates only.
    assert len(sounds - {plain}) > 90


def test_voices_and_variants_are_listed() -> None:
    """The list has names, identifiers, languages with priorities, and genders."""
    voices = {voice.identifier: voice for voice in engine().voices()}
    assert len(voices) > 100
    assert "gmq/fo" not in voices, "its dictionary is missing, so it cannot speak"
    assert voices[VOICE].name == "English (America)"
    assert ("en-us", 2) in voices[VOICE].languages
    genders = {variant.identifier: variant.gender for variant in engine().variants()}
    assert genders["!v/f3"] == "female"
    assert genders["!v/m3"] == "male"


@pytest.mark.parametrize(
    ("voice", "name"),
    [
        ("en-us", "gmw/en-US"),
        ("EN-GB", "gmw/en"),
        ("fr-fr", "roa/fr"),
        ("zh", "sit/cmn"),
        ("yue", "sit/yue"),
        ("gmw/de+f3", "gmw/de+f3"),
    ],
)
def test_a_language_code_chooses_its_best_voice(voice: str, name: str) -> None:
    """A voice is named by identifier or by language code, either with a variant."""
    assert engine().resolve_voice(voice) == name


@pytest.mark.parametrize("voice", ["", "xx", "gmw/en-US+nobody", "gmw/en-US+", "../../etc/passwd"])
def test_an_unknown_voice_is_refused(voice: str) -> None:
    """A voice or variant that is not listed raises EngineError instead of speaking with another."""
    with pytest.raises(EngineError, match="speech engine has no"):
        Speech("Hello", voice=voice)


@pytest.mark.parametrize(
    "options",
    [{"rate_wpm": 79}, {"rate_wpm": 701}, {"pitch": 100}, {"pitch_range": -1}, {"volume": 201}],
    ids=str,
)
def test_numbers_out_of_range_are_refused(options: dict[str, object]) -> None:
    """A parameter outside its range raises ValueError that names it, its value and the range."""
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name} is {value}. Choose "):
        Speech("Hello", None, **options)


LONG = "The quick brown fox jumps over the lazy dog. She sells sea shells, and they were all away."


@pytest.mark.parametrize("ratio", [RATE_RATIO_MIN, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, RATE_RATIO_MAX])
def test_a_rate_ratio_shortens_the_speech_by_it(ratio: float) -> None:
    """Speech at a rate ratio lasts the plain duration divided by the ratio, within a tenth."""
    plain = Speech(LONG).samples
    assert plain / Speech(LONG, rate_wpm=wpm_for_ratio(ratio)).samples == pytest.approx(
        ratio, rel=0.1
    )


@pytest.mark.parametrize("db", [VOLUME_DB_MIN, -12.0, -6.0, 0.0, 3.0, VOLUME_DB_MAX])
def test_a_volume_in_decibels_changes_the_level_by_it(db: float) -> None:
    """Speech at a volume has the plain level plus that many dB, within 1.5 dB."""
    measured = 20 * math.log10(Speech(LONG, volume=volume_for_db(db)).rms / Speech(LONG).rms)
    assert measured == pytest.approx(db, abs=1.5)


def test_the_parameter_mappings_rise_and_meet_the_normal_values() -> None:
    """More rate, pitch or volume never gives a smaller parameter, and neutral gives the normal."""
    assert (wpm_for_ratio(1.0), pitch_for_semitones(0.0), volume_for_db(0.0)) == (175, 50, 100)
    for function, low, high, least, most in (
        (wpm_for_ratio, RATE_RATIO_MIN, RATE_RATIO_MAX, 80, 700),
        (pitch_for_semitones, SEMITONES_MIN, SEMITONES_MAX, 0, 99),
        (volume_for_db, VOLUME_DB_MIN, VOLUME_DB_MAX, 0, 200),
    ):
        values = [function(low + (high - low) * step / 200) for step in range(-10, 211)]
        assert values == sorted(values)
        assert least <= values[0] < values[-1] <= most


def test_pitch_moves_the_voice() -> None:
    """Higher semitones give a higher voice: the sound crosses zero upwards more often."""

    def crossings(semitones: float) -> int:
        speech = Speech("Aaaah mmm ohhh", pitch=pitch_for_semitones(semitones), pitch_range=0)
        values = array.array("h", speech.audio)
        # Smoothed, so that the fundamental counts rather than the formants.
        width = 60
        smooth = [sum(values[n : n + width]) for n in range(0, len(values) - width, 10)]
        return sum(a < 0 <= b for a, b in itertools.pairwise(smooth))

    assert crossings(SEMITONES_MIN) < crossings(0.0) < crossings(SEMITONES_MAX)
