"""
Single faults, seeded into the plugins of this repository, and what catches each.

A fault is text of the plugin's source put in place of other text. It is imported from a copy of
the package, in the place of the installed one for as long as it is examined: neither the files
nor the installed modules change.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from attrs import field, frozen

from vivavoce_contract import ProviderContract
from vivavoce_contract.tapes import Match

HOUSE = Path(__file__).resolve().parents[3]

FLASH = "qwen3-tts-flash"
INSTRUCT = "qwen3-tts-instruct-flash"
MODELS = {"tone": "beep", "espeak": "espeak-ng", "qwen": FLASH}
"""The model that is examined, by plugin."""


@frozen
class Fault:
    """
    One thing that is wrong.

    Attributes:
        plugin: In which plugin.
        wrong: What it does, in a few words.
        caught_by: The clauses that must find it.
        edits: Text, and what stands in its place, all in *file*.
        file: In the plugin's package.
        model: The model that is examined.
    """

    plugin: str
    wrong: str
    caught_by: tuple[str, ...]
    edits: tuple[tuple[str, str], ...]
    file: str = "exchange.py"
    model: str = field()

    @model.default
    def _usual(self) -> str:
        return MODELS[self.plugin]

    def __str__(self) -> str:
        return f"{self.plugin}: {self.wrong}"

    def edit(self, folder: Path) -> None:
        """
        Put the fault into the copy of the package in *folder*.

        Raises:
            ValueError: If the text it stands in place of is not there, or more than once: then
                the plugin has changed, and the fault must.
        """
        path = folder / self.file
        source = path.read_text("utf-8")
        for old, new in self.edits:
            if (count := source.count(old)) != 1:
                msg = f"{self}: {old!r} is {count} times in {self.file}. It must be there once."
                raise ValueError(msg)
            source = source.replace(old, new)
        path.write_text(source, "utf-8")


@contextmanager
def imported(plugin: str, fault: Fault | None = None) -> Iterator[ModuleType]:
    """Import a copy of *plugin* with *fault* in it; meanwhile its modules are the copy's."""
    package = f"vivavoce_{plugin}"
    installed = _taken_out(package)
    with TemporaryDirectory(prefix="seeded-") as folder:
        copy = Path(folder, package)
        source = HOUSE / "plugins" / plugin / "src" / package
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if fault is not None:
            fault.edit(copy)
        sys.path.insert(0, folder)
        try:
            module = importlib.import_module(package)
            assert module.__file__ is not None
            assert Path(module.__file__).is_relative_to(folder)
            yield module
        finally:
            sys.path.remove(folder)
            _put_aside(_taken_out(package))
            sys.modules.update(installed)


def _taken_out(package: str) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    return {name: sys.modules.pop(name) for name in names}


def _put_aside(modules: dict[str, ModuleType]) -> None:
    """Unload the speech engine that a copy has loaded for itself."""
    engines = modules.get("vivavoce_espeak._engine")
    if engines is None:
        return
    for thread in threading.enumerate():
        if thread.name == "espeak-spare":
            thread.join()
    engines.engine().close()


def contract_of(plugin: str, module: ModuleType, model: str) -> type[ProviderContract]:
    """Return the contract of the repository's *plugin*, for *module* in its place."""
    said: dict[str, object] = {}
    cassettes = HOUSE / "cassettes" / plugin
    if cassettes.is_dir():
        said = tomllib.loads((cassettes / "contract.toml").read_text("utf-8"))
        said["match"] = Match(**{key: tuple(value) for key, value in said["match"].items()})
        said["cassettes"] = cassettes
    return type("Seeded", (ProviderContract,), {**said, "provider": module, "models": (model,)})


def _tone(wrong: str, caught_by: str, *edits: tuple[str, str], **more: str) -> Fault:
    return Fault("tone", wrong, tuple(caught_by.split()), edits, **more)


def _espeak(wrong: str, caught_by: str, *edits: tuple[str, str], **more: str) -> Fault:
    return Fault("espeak", wrong, tuple(caught_by.split()), edits, **more)


def _qwen(wrong: str, caught_by: str, *edits: tuple[str, str], **more: str) -> Fault:
    return Fault("qwen", wrong, tuple(caught_by.split()), edits, **more)


CARD = "capabilities.py"

TONE = (
    _tone(
        "drops the last word",
        "?",
        (
            "for word in _WORD.finditer(self._request.text):",
            "for word in list(_WORD.finditer(self._request.text))[:-1]:",
        ),
    ),
    _tone(
        "speaks the words backwards",
        "?",
        (
            "for word in _WORD.finditer(self._request.text):",
            "for word in reversed(list(_WORD.finditer(self._request.text))):",
        ),
    ),
    _tone(
        "speaks each word twice",
        "?",
        ("if not sink.audio(beep + rest):", "if not sink.audio((beep + rest) * 2):"),
    ),
    _tone(
        "keeps each beep by the length of its word, whatever prosody is asked next",
        "?",
        ("beep = self._wave(len(word.group()), rate_hz)", "beep = _KEPT.setdefault(len(word.group()), self._wave(len(word.group()), rate_hz))"),
        ('_WORD = re.compile(r"\\S+")', '_WORD = re.compile(r"\\S+")\n_KEPT = {}'),
    ),
    _tone(
        "builds all of the audio before it gives any",
        "?",
        ("        at_s = 0.0\n", "        at_s = 0.0\n        built = b''\n"),
        (
            "            if not sink.audio(beep + rest):\n                return\n",
            "            built += beep + rest\n",
        ),
        (
            "+ self.format.duration_s(len(rest))\n",
            "+ self.format.duration_s(len(rest))\n        sink.audio(built)\n",
        ),
    ),
    _tone(
        "goes on when its reader has left",
        "?",
        (
            "            if not sink.audio(beep + rest):\n                return\n",
            "            sink.audio(beep + rest)\n",
        ),
    ),
    _tone("marks a second late", "?", ("start_s=at_s,\n", "start_s=at_s + 1.0,\n"), ("end_s=end_s,\n", "end_s=end_s + 1.0,\n")),
    _tone("begins each mark's span a letter late", "?", ("text_start=word.start(),", "text_start=word.start() + 1,")),
    _tone("ends each mark's span behind the blank", "?", ("text_end=word.end(),", "text_end=word.end() + 1,")),
    _tone(
        "says that its marks are estimated",
        "?",
        ("kind=MarkKind.WORD,\n", 'kind=MarkKind.WORD,\n                    origin="estimated",\n'),
    ),
    _tone(
        "speaks at 24 kHz whatever rate is asked",
        "?",
        ("rate_hz = self.format.sample_rate_hz", "rate_hz = 24_000"),
    ),
    _tone(
        "speaks slower for a higher rate",
        "?",
        ("LONGEST_BEEP_S) / prosody.rate_ratio", "LONGEST_BEEP_S) * prosody.rate_ratio"),
    ),
    _tone(
        "speaks lower for a higher pitch",
        "?",
        ("2 ** (prosody.pitch_semitones / 12)", "2 ** (-prosody.pitch_semitones / 12)"),
    ),
    _tone(
        "ignores the volume",
        "?",
        ("32_767 * LEVEL * 10 ** (prosody.volume_db / 20)", "32_767 * LEVEL"),
    ),
    _tone(
        "speaks with one voice whichever is asked",
        "?",
        ("self._request.voice.id if self._request.voice else ", ""),
    ),
    _tone("is silent", "?", ("LEVEL = 0.25", "LEVEL = 0.0")),
    _tone(
        "gives its samples with their bytes swapped",
        "?",
        ('sys.byteorder == "big"', 'sys.byteorder == "little"'),
    ),
    _tone(
        "loses what is beyond 5000 characters",
        "?",
        ("_WORD.finditer(self._request.text)", "_WORD.finditer(self._request.text[:5000])"),
    ),
    _tone(
        "claims sentence marks, and gives none",
        "?",
        ('sentence_marks=no("it knows no sentences", evidence=_CODE)', "sentence_marks=yes(evidence=_CODE)"),
        file=CARD,
    ),
    _tone(
        "claims SSML, and beeps the markup",
        "?",
        ('ssml=no("it would beep the markup", evidence=_CODE)', 'ssml=yes("speak", evidence=_CODE)'),
        file=CARD,
    ),
    _tone(
        "claims instructions, and does not follow them",
        "?",
        ("instructions=no(evidence=_CODE),\n            rate", "instructions=yes(evidence=_CODE),\n            rate"),
        file=CARD,
    ),
    _tone("claims a volume without evidence", "?", ('unit="dB", evidence=_CODE', 'unit="dB"'), file=CARD),
    _tone("names a default voice that is not listed", "?", ('default_voice="sine"', 'default_voice="square"'), file=CARD),
    _tone("lists a voice for a model that is none", "?", ('models=("beep",))', 'models=("beep", "boop"))'), file=CARD),
)

ESPEAK = (
    _espeak(
        "drops the last piece of the audio",
        "?",
        ("        self._samples = 0\n", "        self._samples = 0\n        self._held = b''\n"),
        (
            "        return self._sink.audio(data)",
            "        data, self._held = self._held, data\n        return self._sink.audio(data)",
        ),
    ),
    _espeak(
        "gives each piece of the audio twice",
        "?",
        ("return self._sink.audio(data)", "return self._sink.audio(data * 2)"),
    ),
    _espeak(
        "tears a sample in each piece of the audio",
        "?",
        ("return self._sink.audio(data)", "return self._sink.audio(data if self._samples > 5_000 else data[1:])"),
    ),
    _espeak(
        "builds all of the audio before it gives any",
        "?",
        ("        self._samples = 0\n", "        self._samples = 0\n        self._built = b''\n"),
        ("        return self._sink.audio(data)", "        self._built += data\n        return True"),
        ("the speech is over.\"\"\"\n", "the speech is over.\"\"\"\n        self._sink.audio(self._built)\n"),
    ),
    _espeak(
        "counts samples in the class, so that a request begins where the last one ended",
        "?",
        ("        self._samples = 0\n", ""),
        ("    def audio(self, data", "    _samples = 0\n\n    def audio(self, data"),
        ("self._samples += len(data) // 2", "MarkMaker._samples += len(data) // 2"),
    ),
    _espeak(
        "goes on when its reader has left",
        "?",
        ("stopped=lambda: sink.stopped", "stopped=lambda: False"),
        ("        return self._sink.audio(data)", "        self._sink.audio(data)\n        return True"),
    ),
    _espeak(
        "speaks English with every voice",
        "?",
        ("    base = request.voice.id if request.voice is not None else ", "    base = "),
    ),
    _espeak(
        "names a language by the engine's code, which is no tag",
        "?",
        ('"zh-yue": "yue"', '"zh-yue": "zh_yue"'),
        file="_languages.py",
    ),
    _espeak(
        "speaks slower for a higher rate",
        "?",
        ("wpm_for_ratio(prosody.rate_ratio)", "wpm_for_ratio(1 / prosody.rate_ratio)"),
    ),
    _espeak(
        "speaks lower for a higher pitch",
        "?",
        ("pitch_for_semitones(prosody.pitch_semitones)", "pitch_for_semitones(-prosody.pitch_semitones)"),
    ),
    _espeak(
        "ignores the volume",
        "?",
        ("volume_for_db(prosody.volume_db)", "volume_for_db(0.0)"),
    ),
    _espeak("reads the markup of SSML aloud", "?", ("ssml=self._request.ssml", "ssml=False")),
    _espeak(
        "loses what is beyond 100 characters",
        "?",
        ("engine().speak(\n                self._request.text,", "engine().speak(\n                self._request.text[:100],"),
    ),
    _espeak("gives bookmarks without their names", "?", ('event.name or ""', '""')),
    _espeak("reckons the times of marks by another sample rate", "?", ("self._rate_hz = sample_rate_hz", "self._rate_hz = 16_000")),
    _espeak("begins each mark's span a letter late", "?", ("text_start=event.text_position,", "text_start=event.text_position + 1,"),("text_end=max(text_end, event.text_position)", "text_end=max(text_end, event.text_position + 1)")),
    _espeak(
        "marks a sentence once more at its end",
        "?",
        ("        self._close_sentence(self._samples, len(self._text))", "        self._close_sentence(self._samples, len(self._text))\n        self._mark(MarkKind.SENTENCE, Event('sentence', self._samples, 0, 0), self._samples, 0)"),
    ),
    _espeak("claims a sample rate that it does not speak at", "?", ("sample_rates_hz=yes(22_050,", "sample_rates_hz=yes(22_050, 16_000,"), file=CARD),
    _espeak(
        "claims phoneme marks, and gives none",
        "?",
        ('phoneme_marks=no("the engine has them, this plugin does not read them")', "phoneme_marks=yes(evidence=_CODE)"),
        file=CARD,
    ),
    _espeak("leaves open whether it clones voices", "?", ("            clone=no(evidence=_CODE),\n", ""), file=CARD),
)

QWEN = (
    _qwen(
        "drops the last piece of the audio",
        "?",
        ("        self._is_finished = False\n", "        self._is_finished = False\n        self._late = b''\n"),
        ("        if data:\n            outputs.append(AudioData(data))\n\n    def _end(self, outputs", "        data, self._late = self._late, data or self._late\n        if data and data != self._late:\n            outputs.append(AudioData(data))\n\n    def _end(self, outputs"),
    ),
    _qwen(
        "swaps the first two pieces of the audio",
        "?",
        ("        self._is_finished = False\n", "        self._is_finished = False\n        self._first: bytes | None = None\n"),
        ("        if data:\n            outputs.append(AudioData(data))\n\n    def _end(self, outputs", "        if data and self._first is None:\n            self._first = data\n            return\n        if data:\n            outputs.append(AudioData(data + (self._first or b'')))\n            self._first = b''\n\n    def _end(self, outputs"),
    ),
    _qwen(
        "gives each piece of the audio twice",
        "?",
        ("        if data:\n            outputs.append(AudioData(data))\n\n    def _end(self, outputs", "        if data:\n            outputs.append(AudioData(data * 2))\n\n    def _end(self, outputs"),
    ),
    _qwen(
        "builds all of the audio before it gives any",
        "?",
        ("        self._is_finished = False\n", "        self._is_finished = False\n        self._built = b''\n"),
        ("        if data:\n            outputs.append(AudioData(data))\n\n    def _end(self, outputs", "        self._built += data\n\n    def _end(self, outputs"),
        ("        self._is_finished = True\n", "        self._is_finished = True\n        outputs.append(AudioData(self._built))\n"),
    ),
    _qwen(
        "sends empty instructions to a model that takes none",
        "?",
        ('        "language_type": language_type(request.language),\n', '        "language_type": language_type(request.language),\n        "instructions": "",\n'),
    ),
    _qwen(
        "claims instructions for a model that takes none, and forwards them",
        "?",
        ("            if row.instructions\n            else no(\"Models", "            if not row.is_realtime\n            else no(\"Models"),
        file=CARD,
    ),
    _qwen("never sends instructions", "?", ("if request.instructions is not None:", "if False:"), model=INSTRUCT),
    _qwen(
        "shortens instructions",
        "?",
        ('inputs["instructions"] = request.instructions', 'inputs["instructions"] = request.instructions[:10]'),
        model=INSTRUCT,
    ),
    _qwen(
        "passes over an event that tells an error",
        "?",
        ('        if is_error or message.get("code"):\n            raise error_of_event(message, self._status, self._headers)\n', '        if is_error or message.get("code"):\n            return\n'),
    ),
    _qwen(
        "takes an event that tells an error for the end",
        "?",
        ('        if is_error or message.get("code"):\n            raise error_of_event(message, self._status, self._headers)\n', '        if is_error or message.get("code"):\n            self._end(outputs)\n            return\n'),
    ),
    _qwen(
        "loses the audio that came in one piece with an error",
        "?",
        ("outputs.append(Failed(error))", "return [Failed(error)]"),
    ),
    _qwen(
        "passes over a piece that cannot be decoded",
        "?",
        ("            self._audio(decode_base64(cut[0]), outputs)\n            return\n", "            try:\n                self._audio(decode_base64(cut[0]), outputs)\n            except VivavoceError:\n                pass\n            return\n"),
("        message, text = _cut_message(event.data, cut)\n", "        try:\n            message, text = _cut_message(event.data, cut)\n        except VivavoceError:\n            return\n"),
    ),
    _qwen(
        "keeps the reader of a reply in the class, where the next request overwrites it",
        "?",
        ("self._events = _Events(", "QwenExchange._events = _Events("),
        ("        self._events: _Events | None = None\n", ""),
        ("    def open(self) -> HttpCall:\n        \"\"\"Ask the service to speak", "    _events = None\n\n    def open(self) -> HttpCall:\n        \"\"\"Ask the service to speak"),
    ),
    _qwen(
        "keeps what it reads in the class, so that replies mix",
        "?",
        ("        self._reader = SseReader()\n", ""),
        ('    """Reads a reply that comes as events."""\n', '    """Reads a reply that comes as events."""\n\n    _reader = SseReader()\n'),
    ),
    _qwen(
        "takes an orderly end of the body for that of the speech",
        "?",
        ("return self._outputs(self._reader.finish())", "outputs = list(self._outputs(self._reader.finish()))\n        if not self._is_finished:\n            self._end(outputs)\n        return outputs"),
    ),
    _qwen("does not hear that the reply is finished", "?", ('output.get("finish_reason") == "stop"', 'output.get("finish_reason") == "end"')),
    _qwen("takes an early 'null' for the end", "?", ('output.get("finish_reason") == "stop"', 'output.get("finish_reason")')),
    _qwen("asks for Chinese in the words of another language", "?", ('"ko": "Korean"', '"ko": "Japanese"'), file="data/models.json"),
    _qwen("asks for a Chinese variety as if no language were named", "?", ('return LANGUAGE_TYPES["zh"]', "return AUTO"), file="tables.py"),
    _qwen("sends the language as its tag", "?", ("language_type(request.language),", "request.language or 'Auto',")),
    _qwen("sends one voice whichever is asked", "?", ('"voice": request.voice.id', '"voice": "Cherry"')),
    _qwen("sends the voice in small letters", "?", ('"voice": request.voice.id', '"voice": request.voice.id.lower()')),
    _qwen("sends the text in small letters", "?", ('"text": request.text', '"text": request.text.lower()')),
    _qwen("sends the text with its line ends and blanks made one", "?", ('"text": request.text', '"text": " ".join(request.text.split())')),
    _qwen("escapes the text for a web page", "?", ('"text": request.text', '"text": request.text.replace("&", "&amp;").replace("<", "&lt;")')),
    _qwen(
        "sends a number by chance with each request",
        "?",
        ('        "language_type": language_type(request.language),\n', '        "language_type": language_type(request.language),\n        "seed": __import__("random").random(),\n'),
    ),
    _qwen(
        "adds up usage that is told as a total",
        "?",
        ("        outputs.append(_facts_of(message, audio))\n", "        facts = _facts_of(message, audio)\n        self._sum = {k: self._sum.get(k, 0.0) + v for k, v in facts.usage.items()}\n        outputs.append(Facts(request_id=facts.request_id, usage=self._sum, other=facts.other))\n"),
        ("        self._is_finished = False\n", "        self._is_finished = False\n        self._sum: dict[str, float] = {}\n"),
    ),
    _qwen("does not tell usage", "?", ('usage=usage_of(message.get("usage"))', "usage={}")),
    _qwen("counts Han characters once, which are billed twice", "?", ("return len(text) + sum(map(len, _HAN.findall(text)))", "return len(text)"), file="tables.py"),
    _qwen("counts bytes for characters", "?", ("return len(text) + sum(map(len, _HAN.findall(text)))", "return 2 * len(text)"), file="tables.py"),
    _qwen("does not tell the request's id", "?", ("request_id=request_id if _is_text(request_id) else None", "request_id=None")),
    _qwen("drops the request's id of an error", "?", ("    return (\n        _text(message.get(\"request_id\"))\n        or headers.get", "    return (\n        headers.get"), file="errors.py"),
    _qwen(
        "logs the key",
        "?",
        ('        headers: dict[str, str | Secret] = {\n', '        import logging\n\n        logging.getLogger(__name__).debug("asked with %s", self._key.reveal())\n        headers: dict[str, str | Secret] = {\n'),
    ),
    _qwen("writes the key into the address", "?", ("HttpCall(url=self._url, headers", 'HttpCall(url=f"{self._url}?key={self._key.reveal()}", headers')),
    _qwen("writes the key into the body", "?", ("self._content = _body(request)", 'self._content = _body(request)[:-1] + b\',"key":"%s"}\' % key.reveal().encode()')),
    _qwen(
        "shows the key in an error",
        "?",
        ("        raise error_of_body(self._status, self._headers, bytes(self._text))", '        error = error_of_body(self._status, self._headers, bytes(self._text))\n        raise error from ValueError(f"asked with {self._key.reveal()}")'),
    ),
    _qwen("shows the key in the repr of its synthesizer", "?", ("    def exchange(self, request: SynthesisRequest)", "    def __repr__(self) -> str:\n        return f\"QwenSynthesizer({(self.config.credential or Secret('')).reveal()})\"\n\n    def exchange(self, request: SynthesisRequest)")),
    _qwen("sends the key to the address of the audio", "?", ('return HttpCall(method="GET", url=self._url, max_body_bytes=WAV_MAX_BYTES)', 'return HttpCall(method="GET", url=self._url, headers={"authorization": self._key}, max_body_bytes=WAV_MAX_BYTES)'),
        ("_Download(url, asked=self._url, audio_format=self.format)", "_Download(url, asked=self._url, audio_format=self.format)\n                self._download._key = self._key.prefixed('Bearer ')"),
    ),
    _qwen("goes elsewhere than it is told", "?", ('return config.base_url.rstrip("/")', 'return "http://127.0.0.1:9"')),
    _qwen("does not ask for events", "?", ('headers |= {"x-dashscope-sse": "enable", "x-accel-buffering": "no"}', "pass")),
    _qwen("knows no other way", "?", ('wants_events=request.options.get("transport") != "http"', "wants_events=True")),
    _qwen("takes the header of a WAV for samples", "?", ("        samples = self._wav.feed(data)\n        return (AudioData(samples),) if samples else ()", "        self._wav.feed(data)\n        return (AudioData(data),)")),
    _qwen("claims another sample rate than comes", "?", ('"formats": ["pcm", "wav"],\n      "sample_rates_hz": [24000]', '"formats": ["pcm", "wav"],\n      "sample_rates_hz": [16000]'), file="data/models.json"),
    _qwen("takes a refusal for too many requests for a used-up account", "?", ('"Throttling": _throttled', '"Throttling": _quota'), file="errors.py"),
    _qwen("takes a wrong key for a wrong request", "?", ('"InvalidApiKey": _credential', '"InvalidApiKey": _rejected'), file="errors.py"),
    _qwen("says that asking again does not help", "?", ("    return ProviderUnavailable(said, code=refusal.code or None, status=refusal.status)", "    error = ProviderUnavailable(said, code=refusal.code or None, status=refusal.status)\n    error.retryable = False\n    return error"), file="errors.py"),
    _qwen("takes status 429 without a word for a wrong request", "?", ("if status == 429:", "if status == 430:"), file="errors.py"),
    _qwen("does not hear how long to wait", "?", ("error.retry_after_s = retry_after_s(headers)", "pass"), file="errors.py"),
    _qwen("quotes a body whole", "?", ('said = "" if message == {} else shorten(body)', 'said = "" if message == {} else body.decode("utf-8", "replace")'), ("_MESSAGE_MAX_CHARACTERS = 500", "_MESSAGE_MAX_CHARACTERS = 500_000"), file="errors.py"),
    _qwen("names a default voice that is not listed", "?", ('DEFAULT_VOICE = "Cherry"', 'DEFAULT_VOICE = "Cheryl"'), file=CARD),
    _qwen("claims instructions without evidence", "?", ('note="Written in Chinese or English.", evidence=read', 'note="Written in Chinese or English."'), file=CARD, model=INSTRUCT),
    _qwen("has a price in a region that is not the model's", "?", ("region=price.region,", 'region="eu-central-1",'), file=CARD),
    _qwen("has a voice speak with models that are none", "?", ("models=row.models,", 'models=(*row.models, "qwen4-tts"),'), file=CARD),
    _qwen("has voices speak with another model", "?", ("models=row.models,", 'models=("qwen-tts",),'), file=CARD),
    _qwen("claims word marks, and gives none", "?", ("word_marks=no(timeless, evidence=read)", "word_marks=yes(evidence=read)"), file=CARD),
    _qwen("claims SSML, and sends it as text", "?", ("ssml=no(evidence=read)", 'ssml=yes("speak", evidence=read)'), file=CARD),
    _qwen("claims a limit that is not the service's", "?", ("yes(maximum=row.max_text, unit", "yes(maximum=10 * row.max_text, unit"), file=CARD),
    _qwen("offers itself as the default although it needs a key", "?", ('settings={', 'default_rank=50,\n            settings={'), file="__init__.py"),
    _qwen("recognises no voice of one's own", "?", ("if kind not in _ORIGINS:", "if kind in _ORIGINS:"), file=CARD, model="qwen3-tts-vc-2026-01-22"),
    _qwen("takes a designed voice for a cloned one", "?", ('_ID_PREFIXES = {"qwen-tts-vc-": "cloned", "qwen-tts-vd-": "designed"}', '_ID_PREFIXES = {"qwen-tts-vc-": "designed", "qwen-tts-vd-": "cloned"}'), file=CARD, model="qwen3-tts-vc-2026-01-22"),
)

FAULTS = (*TONE, *ESPEAK, *QWEN)
