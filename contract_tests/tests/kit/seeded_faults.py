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
        "SYN-03 LIF-03",
        (
            "for word in _WORD.finditer(self._request.text):",
            "for word in list(_WORD.finditer(self._request.text))[:-1]:",
        ),
    ),
    _tone(
        "speaks the words backwards",
        "MRK-02",
        (
            "for word in _WORD.finditer(self._request.text):",
            "for word in reversed(list(_WORD.finditer(self._request.text))):",
        ),
    ),
    _tone(
        "speaks each word twice",
        "MRK-01",
        ("if not sink.audio(beep + rest):", "if not sink.audio((beep + rest) * 2):"),
    ),
    _tone(
        "keeps each beep by the length of its word, whatever prosody is asked next",
        "PRO-01 PRO-02 PRO-03 FMT-02",
        (
            "beep = self._wave(len(word.group()), rate_hz)",
            "beep = _KEPT.setdefault(len(word.group()), self._wave(len(word.group()), rate_hz))",
        ),
        ('_WORD = re.compile(r"\\S+")', '_WORD = re.compile(r"\\S+")\n_KEPT = {}'),
    ),
    _tone(
        "builds all of the audio before it gives any",
        "STR-01",
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
        "LIF-05",
        (
            "            if not sink.audio(beep + rest):\n                return\n",
            "            sink.audio(beep + rest)\n",
        ),
    ),
    _tone(
        "marks a second late",
        "MRK-01",
        ("start_s=at_s,\n", "start_s=at_s + 1.0,\n"),
        ("end_s=end_s,\n", "end_s=end_s + 1.0,\n"),
    ),
    _tone(
        "begins each mark's span a letter late",
        "MRK-02",
        ("text_start=word.start(),", "text_start=word.start() + 1,"),
    ),
    _tone(
        "ends each mark's span behind the blank",
        "MRK-02",
        ("text_end=word.end(),", "text_end=word.end() + 1,"),
    ),
    _tone(
        "says that its marks are estimated",
        "MRK-04",
        ("kind=MarkKind.WORD,\n", 'kind=MarkKind.WORD,\n                    origin="estimated",\n'),
    ),
    _tone(
        "speaks at 24 kHz whatever rate is asked",
        "FMT-02",
        ("rate_hz = self.format.sample_rate_hz", "rate_hz = 24_000"),
    ),
    _tone(
        "speaks slower for a higher rate",
        "PRO-01",
        ("LONGEST_BEEP_S) / prosody.rate_ratio", "LONGEST_BEEP_S) * prosody.rate_ratio"),
    ),
    _tone(
        "speaks lower for a higher pitch",
        "PRO-02",
        ("2 ** (prosody.pitch_semitones / 12)", "2 ** (-prosody.pitch_semitones / 12)"),
    ),
    _tone(
        "ignores the volume",
        "PRO-03",
        ("32_767 * LEVEL * 10 ** (prosody.volume_db / 20)", "32_767 * LEVEL"),
    ),
    _tone(
        "speaks with one voice whichever is asked",
        "VOC-04",
        ("self._request.voice.id if self._request.voice else ", ""),
    ),
    _tone("is silent", "SYN-01", ("LEVEL = 0.25", "LEVEL = 0.0")),
    _tone(
        "gives its samples with their bytes swapped",
        "SYN-01 PRO-03",
        ('sys.byteorder == "big"', 'sys.byteorder == "little"'),
    ),
    _tone(
        "loses what is beyond 5000 characters",
        "TXT-05",
        ("_WORD.finditer(self._request.text)", "_WORD.finditer(self._request.text[:5000])"),
    ),
    _tone(
        "claims sentence marks, and gives none",
        "MRK-05",
        (
            'sentence_marks=no("it knows no sentences", evidence=_CODE)',
            "sentence_marks=yes(evidence=_CODE)",
        ),
        file=CARD,
    ),
    _tone(
        "claims SSML, and beeps the markup",
        "SML-01",
        (
            'ssml=no("it would beep the markup", evidence=_CODE)',
            'ssml=yes("speak", evidence=_CODE)',
        ),
        file=CARD,
    ),
    _tone(
        "claims instructions, and does not follow them",
        "INS-01",
        (
            "instructions=no(evidence=_CODE),\n            rate",
            "instructions=yes(evidence=_CODE),\n            rate",
        ),
        file=CARD,
    ),
    _tone(
        "claims a volume without evidence",
        "DEC-03",
        ('unit="dB", evidence=_CODE', 'unit="dB"'),
        file=CARD,
    ),
    _tone(
        "names a default voice that is not listed",
        "DEC-07",
        ('default_voice="sine"', 'default_voice="square"'),
        file=CARD,
    ),
    _tone(
        "lists a voice for a model that is none",
        "DEC-08",
        ('models=("beep",))', 'models=("beep", "boop"))'),
        file=CARD,
    ),
)

ESPEAK = (
    _espeak(
        "drops the last piece of the audio",
        "MRK-01",
        ("        self._samples = 0\n", "        self._samples = 0\n        self._held = b''\n"),
        (
            "        return self._sink.audio(data)",
            "        data, self._held = self._held, data\n        return self._sink.audio(data)",
        ),
    ),
    _espeak(
        "gives each piece of the audio twice",
        "MRK-01",
        ("return self._sink.audio(data)", "return self._sink.audio(data * 2)"),
    ),
    _espeak(
        "tears a sample in each piece of the audio",
        "SYN-01 STR-02",
        (
            "return self._sink.audio(data)",
            "return self._sink.audio(data if self._samples > 5_000 else data[1:])",
        ),
    ),
    _espeak(
        "builds all of the audio before it gives any",
        "STR-01",
        ("        self._samples = 0\n", "        self._samples = 0\n        self._built = b''\n"),
        (
            "        return self._sink.audio(data)",
            "        self._built += data\n        return True",
        ),
        (
            'the speech is over."""\n',
            'the speech is over."""\n        self._sink.audio(self._built)\n',
        ),
    ),
    _espeak(
        "counts samples in the class, so that a request begins where the last one ended",
        "MRK-03",
        ("        self._samples = 0\n", ""),
        ("    def audio(self, data", "    _samples = 0\n\n    def audio(self, data"),
        ("self._samples += len(data) // 2", "MarkMaker._samples += len(data) // 2"),
    ),
    _espeak(
        "goes on when its reader has left",
        "LIF-05",
        ("stopped=lambda: sink.stopped", "stopped=lambda: False"),
        (
            "        return self._sink.audio(data)",
            "        self._sink.audio(data)\n        return True",
        ),
    ),
    _espeak(
        "speaks English with every voice",
        "VOC-04",
        ("    base = request.voice.id if request.voice is not None else ", "    base = "),
    ),
    _espeak(
        "names a language by the engine's code, which is no tag",
        "DEC-08",
        ('"zh-yue": "yue"', '"zh-yue": "zh_yue"'),
        file="_languages.py",
    ),
    _espeak(
        "speaks slower for a higher rate",
        "PRO-01",
        ("wpm_for_ratio(prosody.rate_ratio)", "wpm_for_ratio(1 / prosody.rate_ratio)"),
    ),
    _espeak(
        "speaks lower for a higher pitch",
        "PRO-02",
        (
            "pitch_for_semitones(prosody.pitch_semitones)",
            "pitch_for_semitones(-prosody.pitch_semitones)",
        ),
    ),
    _espeak(
        "ignores the volume",
        "PRO-03",
        ("volume_for_db(prosody.volume_db)", "volume_for_db(0.0)"),
    ),
    _espeak(
        "reads the markup of SSML aloud", "SML-01 MRK-07", ("ssml=self._request.ssml", "ssml=False")
    ),
    _espeak(
        "loses what is beyond 100 characters",
        "TXT-06",
        (
            "engine().speak(\n                self._request.text,",
            "engine().speak(\n                self._request.text[:100],",
        ),
    ),
    _espeak("gives bookmarks without their names", "MRK-07", ('event.name or ""', '""')),
    _espeak(
        "reckons the times of marks by another sample rate",
        "MRK-01 MRK-05",
        ("self._rate_hz = sample_rate_hz", "self._rate_hz = 16_000"),
    ),
    _espeak(
        "begins each mark's span a letter late",
        "MRK-02",
        ("text_start=event.text_position,", "text_start=event.text_position + 1,"),
        (
            "text_end=max(text_end, event.text_position)",
            "text_end=max(text_end, event.text_position + 1)",
        ),
    ),
    _espeak(
        "marks a sentence once more at its end",
        "MRK-05",
        (
            "        self._close_sentence(self._samples, len(self._text))",
            (
                "        self._close_sentence(self._samples, len(self._text))\n"
                "        again = Event('sentence', self._samples, 0, 0)\n"
                "        self._mark(MarkKind.SENTENCE, again, self._samples, 0)"
            ),
        ),
    ),
    _espeak(
        "claims a sample rate that it does not speak at",
        "FMT-02",
        ("sample_rates_hz=yes(22_050,", "sample_rates_hz=yes(22_050, 16_000,"),
        file=CARD,
    ),
    _espeak(
        "claims phoneme marks, and gives none",
        "MRK-06",
        (
            'phoneme_marks=no("the engine has them, this plugin does not read them")',
            "phoneme_marks=yes(evidence=_CODE)",
        ),
        file=CARD,
    ),
    _espeak(
        "leaves open whether it clones voices",
        "DEC-02",
        ("            clone=no(evidence=_CODE),\n", ""),
        file=CARD,
    ),
)

QWEN = (
    _qwen(
        "drops the last piece of the audio",
        "SYN-04",
        (
            "        self._is_finished = False\n",
            "        self._is_finished = False\n        self._late = b''\n",
        ),
        (
            (
                "        if data:\n"
                "            outputs.append(AudioData(data))\n"
                "\n"
                "    def _end(self, outputs"
            ),
            (
                "        data, self._late = self._late, data or self._late\n"
                "        if data and data != self._late:\n"
                "            outputs.append(AudioData(data))\n"
                "\n"
                "    def _end(self, outputs"
            ),
        ),
    ),
    _qwen(
        "swaps the first two pieces of the audio",
        "SYN-04",
        (
            "        self._is_finished = False\n",
            "        self._is_finished = False\n        self._first: bytes | None = None\n",
        ),
        (
            (
                "        if data:\n"
                "            outputs.append(AudioData(data))\n"
                "\n"
                "    def _end(self, outputs"
            ),
            (
                "        if data and self._first is None:\n"
                "            self._first = data\n"
                "            return\n"
                "        if data:\n"
                "            outputs.append(AudioData(data + (self._first or b'')))\n"
                "            self._first = b''\n"
                "\n"
                "    def _end(self, outputs"
            ),
        ),
    ),
    _qwen(
        "gives each piece of the audio twice",
        "SYN-04",
        (
            (
                "        if data:\n"
                "            outputs.append(AudioData(data))\n"
                "\n"
                "    def _end(self, outputs"
            ),
            (
                "        if data:\n"
                "            outputs.append(AudioData(data * 2))\n"
                "\n"
                "    def _end(self, outputs"
            ),
        ),
    ),
    _qwen(
        "builds all of the audio before it gives any",
        "STR-01",
        (
            "        self._is_finished = False\n",
            "        self._is_finished = False\n        self._built = b''\n",
        ),
        (
            (
                "        if data:\n"
                "            outputs.append(AudioData(data))\n"
                "\n"
                "    def _end(self, outputs"
            ),
            "        self._built += data\n\n    def _end(self, outputs",
        ),
        (
            "        self._is_finished = True\n",
            "        self._is_finished = True\n        outputs.append(AudioData(self._built))\n",
        ),
    ),
    _qwen(
        "sends empty instructions to a model that takes none",
        "SYN-01 TXT-07",
        (
            '        "language_type": language_type(request.language),\n',
            (
                '        "language_type": language_type(request.language),\n'
                '        "instructions": "",\n'
            ),
        ),
    ),
    _qwen(
        "claims instructions for a model that takes none, and forwards them",
        "INS-01",
        (
            '            if row.instructions\n            else no("Models',
            '            if not row.is_realtime\n            else no("Models',
        ),
        file=CARD,
    ),
    _qwen(
        "never sends instructions",
        "INS-01",
        ("if request.instructions is not None:", "if False:"),
        model=INSTRUCT,
    ),
    _qwen(
        "shortens instructions",
        "INS-01",
        (
            'inputs["instructions"] = request.instructions',
            'inputs["instructions"] = request.instructions[:10]',
        ),
        model=INSTRUCT,
    ),
    _qwen(
        "passes over an event that tells an error",
        "ERR-01",
        (
            (
                '        if is_error or message.get("code"):\n'
                "            raise error_of_event(message, self._status or 200, self._headers)\n"
            ),
            '        if is_error or message.get("code"):\n            return\n',
        ),
    ),
    _qwen(
        "takes an event that tells an error for the end",
        "ERR-01",
        (
            (
                '        if is_error or message.get("code"):\n'
                "            raise error_of_event(message, self._status or 200, self._headers)\n"
            ),
            (
                '        if is_error or message.get("code"):\n'
                "            self._end(outputs)\n"
                "            return\n"
            ),
        ),
    ),
    _qwen(
        "loses the audio that came in one piece with an error",
        "ERR-06",
        ("outputs.append(Failed(error))", "return [Failed(error)]"),
    ),
    _qwen(
        "passes over a piece that cannot be decoded",
        "ERR-04",
        (
            "            self._audio(decode_base64(cut[0]), outputs)\n            return\n",
            (
                "            try:\n"
                "                self._audio(decode_base64(cut[0]), outputs)\n"
                "            except VivavoceError:\n"
                "                pass\n"
                "            return\n"
            ),
        ),
        (
            "        message, text = _cut_message(event.data, cut)\n",
            (
                "        try:\n"
                "            message, text = _cut_message(event.data, cut)\n"
                "        except VivavoceError:\n"
                "            return\n"
            ),
        ),
    ),
    _qwen(
        "keeps the reader of a reply in the class, where the next request overwrites it",
        "LIF-03",
        ("self._events = _Events(", "QwenExchange._events = _Events("),
        ("        self._events: _Events | None = None\n", ""),
        (
            '    def open(self) -> HttpCall:\n        """Ask the service to speak',
            (
                "    _events = None\n"
                "\n"
                "    def open(self) -> HttpCall:\n"
                '        """Ask the service to speak'
            ),
        ),
    ),
    _qwen(
        "keeps what it reads in the class, so that replies mix",
        "LIF-03",
        ("        self._reader = SseReader()\n", ""),
        (
            '    """Reads a reply that comes as events."""\n',
            '    """Reads a reply that comes as events."""\n\n    _reader = SseReader()\n',
        ),
    ),
    _qwen(
        "takes an orderly end of the body for that of the speech",
        "STR-07",
        (
            "return self._outputs(self._reader.finish())",
            (
                "outputs = list(self._outputs(self._reader.finish()))\n"
                "        if not self._is_finished:\n"
                "            self._end(outputs)\n"
                "        return outputs"
            ),
        ),
    ),
    _qwen(
        "does not hear that the reply is finished",
        "SYN-01 STR-05",
        ('output.get("finish_reason") == "stop"', 'output.get("finish_reason") == "end"'),
    ),
    _qwen(
        "takes an early 'null' for the end",
        "SYN-04 ERR-04",
        ('output.get("finish_reason") == "stop"', 'output.get("finish_reason")'),
    ),
    _qwen(
        "asks for Chinese in the words of another language",
        "VOC-01",
        ('"ko": "Korean"', '"ko": "Japanese"'),
        file="data/models.json",
    ),
    _qwen(
        "asks for a Chinese variety as if no language were named",
        "VOC-01",
        ('return "zh" if primary in _OTHER_CHINESE else primary', "return primary"),
        file="tables.py",
    ),
    _qwen(
        "sends the language as its tag",
        "VOC-01",
        ("language_type(request.language),", "request.language or 'Auto',"),
    ),
    _qwen(
        "sends one voice whichever is asked",
        "VOC-04",
        ('"voice": request.voice.id', '"voice": "Cherry"'),
    ),
    _qwen(
        "sends the voice in small letters",
        "SYN-01 VOC-04",
        ('"voice": request.voice.id', '"voice": request.voice.id.lower()'),
    ),
    _qwen(
        "sends the text in small letters",
        "SYN-01 TXT-04",
        ('"text": request.text', '"text": request.text.lower()'),
    ),
    _qwen(
        "sends the text with its line ends and blanks made one",
        "TXT-04",
        ('"text": request.text', '"text": " ".join(request.text.split())'),
    ),
    _qwen(
        "escapes the text for a web page",
        "TXT-04",
        ('"text": request.text', '"text": request.text.replace("&", "&amp;").replace("<", "&lt;")'),
    ),
    _qwen(
        "sends a number by chance with each request",
        "PAR-04",
        (
            '        "language_type": language_type(request.language),\n',
            (
                '        "language_type": language_type(request.language),\n'
                '        "seed": __import__("random").random(),\n'
            ),
        ),
    ),
    _qwen(
        "adds up usage that is told as a total",
        "REP-02",
        (
            "        outputs.append(_facts_of(message, audio))\n",
            (
                "        facts = _facts_of(message, audio)\n"
                "        for unit, amount in facts.usage.items():\n"
                "            self._sum[unit] = self._sum.get(unit, 0.0) + amount\n"
                "        outputs.append(Facts(request_id=facts.request_id, usage=self._sum))\n"
            ),
        ),
        (
            "        self._is_finished = False\n",
            "        self._is_finished = False\n        self._sum: dict[str, float] = {}\n",
        ),
    ),
    _qwen("does not tell usage", "REP-01", ('usage=usage_of(message.get("usage"))', "usage={}")),
    _qwen(
        "counts Han characters once, which are billed twice",
        "REP-02",
        ("return len(text) + sum(map(len, _HAN.findall(text)))", "return len(text)"),
        file="tables.py",
    ),
    _qwen(
        "counts bytes for characters",
        "REP-02",
        ("return len(text) + sum(map(len, _HAN.findall(text)))", "return 2 * len(text)"),
        file="tables.py",
    ),
    _qwen(
        "does not tell the request's id",
        "REP-03",
        ("request_id=request_id if is_text(request_id) else None", "request_id=None"),
    ),
    _qwen(
        "drops the request's id of an error",
        "ERR-01",
        (
            '    return (\n        _text(message.get("request_id"))\n        or headers.get',
            "    return (\n        headers.get",
        ),
        file="errors.py",
    ),
    _qwen(
        "logs the key",
        "SEC-01 SEC-02",
        (
            "        headers = headers_of(self._key)\n",
            (
                "        import logging\n"
                "\n"
                '        logging.getLogger(__name__).debug("asked with %s", self._key.reveal())\n'
                "        headers = headers_of(self._key)\n"
            ),
        ),
    ),
    _qwen(
        "writes the key into the address",
        "SEC-03",
        (
            "HttpCall(url=self._url, headers",
            'HttpCall(url=f"{self._url}?key={self._key.reveal()}", headers',
        ),
    ),
    _qwen(
        "writes the key into the body",
        "SEC-03",
        (
            "self._content = _body(request)",
            'self._content = _body(request)[:-1] + b\',"key":"%s"}\' % key.reveal().encode()',
        ),
    ),
    _qwen(
        "shows the key in an error",
        "SEC-02",
        (
            "        raise error_of_body(self._status, self._headers, bytes(self._text))",
            (
                "        error = error_of_body(self._status, self._headers, bytes(self._text))\n"
                '        raise error from ValueError(f"asked with {self._key.reveal()}")'
            ),
        ),
    ),
    _qwen(
        "shows the key in the repr of its synthesizer",
        "SEC-01",
        (
            "    def exchange(self, request: SynthesisRequest)",
            (
                "    def __repr__(self) -> str:\n"
                "        key = self.config.credential\n"
                "        return f'QwenSynthesizer({key.reveal() if key else None})'\n"
                "\n"
                "    def exchange(self, request: SynthesisRequest)"
            ),
        ),
    ),
    _qwen(
        "sends the key to the address of the audio",
        "SEC-03",
        (
            "max_body_bytes=WAV_MAX_BYTES)",
            'max_body_bytes=WAV_MAX_BYTES, headers={"authorization": self._key})',
        ),
        (
            "_Download(url, asked=self._url, audio_format=self.format)",
            (
                "_Download(url, asked=self._url, audio_format=self.format)\n"
                "                self._download._key = self._key.prefixed('Bearer ')"
            ),
        ),
    ),
    _qwen(
        "goes elsewhere than it is told",
        "LIF-09",
        ('return config.base_url.rstrip("/")', 'return "http://127.0.0.1:9"'),
        file="calls.py",
    ),
    _qwen(
        "does not ask for events",
        "SYN-01",
        ('headers |= {"x-dashscope-sse": "enable", "x-accel-buffering": "no"}', "pass"),
    ),
    _qwen(
        "knows no other way",
        "SYN-04",
        ('wants_events=request.options.get("transport") != "http"', "wants_events=True"),
    ),
    _qwen(
        "takes the header of a WAV for samples",
        "SYN-04",
        (
            (
                "        samples = self._wav.feed(data)\n"
                "        return (AudioData(samples),) if samples else ()"
            ),
            "        self._wav.feed(data)\n        return (AudioData(data),)",
        ),
    ),
    _qwen(
        "claims another sample rate than comes",
        "SYN-04",
        (
            '"formats": ["pcm", "wav"],\n      "sample_rates_hz": [24000]',
            '"formats": ["pcm", "wav"],\n      "sample_rates_hz": [16000]',
        ),
        file="data/models.json",
    ),
    _qwen(
        "takes a refusal for too many requests for a used-up account",
        "ERR-01",
        ('"Throttling": _throttled', '"Throttling": _quota'),
        file="errors.py",
    ),
    _qwen(
        "takes a wrong key for a wrong request",
        "ERR-01",
        ('"InvalidApiKey": _credential', '"InvalidApiKey": _rejected'),
        file="errors.py",
    ),
    _qwen(
        "says that asking again does not help",
        "ERR-01 ERR-02 ERR-07",
        (
            "    if isinstance(error, RateLimited | ProviderUnavailable):\n",
            (
                "    error.retryable = False\n"
                "    if isinstance(error, RateLimited | ProviderUnavailable):\n"
            ),
        ),
        file="errors.py",
    ),
    _qwen(
        "takes status 429 without a word for a wrong request",
        "ERR-02",
        ("if status == 429:", "if status == 430:"),
        file="errors.py",
    ),
    _qwen(
        "does not hear how long to wait",
        "ERR-02",
        ("error.retry_after_s = retry_after_s(headers)", "pass"),
        file="errors.py",
    ),
    _qwen(
        "quotes a body whole",
        "ERR-10",
        (
            'else shorten(clean(body.decode("utf-8", "replace")).encode())',
            'else clean(body.decode("utf-8", "replace"))',
        ),
        ("_MESSAGE_MAX_CHARACTERS = 500", "_MESSAGE_MAX_CHARACTERS = 500_000"),
        file="errors.py",
    ),
    _qwen(
        "names a default voice that is not listed",
        "DEC-07",
        ('DEFAULT_VOICE = "Cherry"', 'DEFAULT_VOICE = "Cheryl"'),
        file=CARD,
    ),
    _qwen(
        "claims instructions without evidence",
        "DEC-03",
        (
            'note="Written in Chinese or English.", evidence=read',
            'note="Written in Chinese or English."',
        ),
        file=CARD,
        model=INSTRUCT,
    ),
    _qwen(
        "has a price in a region that is not the model's",
        "DEC-10 REP-01",
        ("region=row.region,", 'region="eu-central-1",'),
        file=CARD,
    ),
    _qwen(
        "has a voice speak with models that are none",
        "DEC-08",
        ("models=row.models,", 'models=(*row.models, "qwen4-tts"),'),
        file=CARD,
    ),
    _qwen(
        "has voices speak with another model",
        "DEC-07",
        ("models=row.models,", 'models=("qwen-tts",),'),
        file=CARD,
    ),
    _qwen(
        "claims word marks, and gives none",
        "MRK-01",
        ("word_marks=no(timeless, evidence=read)", "word_marks=yes(evidence=read)"),
        file=CARD,
    ),
    _qwen(
        "claims SSML, and sends it as text",
        "SML-01",
        ("ssml=no(evidence=read)", 'ssml=yes("speak", evidence=read)'),
        file=CARD,
    ),
    _qwen(
        "offers itself as the default although it needs a key",
        "DEC-12",
        ("settings={", "default_rank=50,\n            settings={"),
        file="__init__.py",
    ),
    _qwen(
        "recognises no voice of one's own",
        "OWN-01 SYN-01",
        (
            "    if origin is None:\n        return None\n    return Voice(",
            "    if origin is not None:\n        return None\n    return Voice(",
        ),
        file=CARD,
        model="qwen3-tts-vc-2026-01-22",
    ),
    _qwen(
        "takes a designed voice for a cloned one",
        "OWN-01 OWN-02",
        (
            'CLONED: "qwen-tts-vc-",\n    VoiceOrigin.DESIGNED: "qwen-tts-vd-"',
            'CLONED: "qwen-tts-vd-",\n    VoiceOrigin.DESIGNED: "qwen-tts-vc-"',
        ),
        file=CARD,
        model="qwen3-tts-vc-2026-01-22",
    ),
)

CUSTOMIZING = "customizing.py"
CLONER = "qwen3-tts-vc-2026-01-22"
DESIGNER = "qwen3-tts-vd-2026-01-26"

QWEN_VOICES = (
    _qwen(
        "offers to clone for a model that speaks with no such voices",
        "VOI-01",
        ('"target_models": ["qwen3-tts-vc-', '"target_models": ["qwen3-tts-flash", "qwen3-tts-vc-'),
        file="data/management.json",
    ),
    _qwen(
        "names a customizer that is not there",
        "VOI-02",
        ("customizing:QwenVoiceCustomizer", "customizing:VoiceMaker"),
        file="offers.py",
    ),
    _qwen(
        "takes an empty name for a voice",
        "VOI-03",
        ("[A-Za-z0-9_]{{1,{most}}}", "[A-Za-z0-9_]{{0,{most}}}"),
        file="offers.py",
    ),
    _qwen(
        "prices voices by the character",
        "VOI-04",
        ('"unit": "voices", "CNY": "0.01"', '"unit": "characters", "CNY": "0.01"'),
        file="data/management.json",
    ),
    _qwen(
        "asks for longer recordings than it takes",
        "VOI-05",
        ('"audio_s_minimum": 3', '"audio_s_minimum": 300'),
        file="data/management.json",
    ),
    _qwen(
        "does not bind a new voice to its model",
        "VOI-06",
        ("name=voice_id, models=models)", "name=voice_id, models=())"),
        file=CUSTOMIZING,
        model=CLONER,
    ),
    _qwen(
        "asks for previews at its usual rate whichever is asked",
        "VOI-07",
        ('"sample_rate": request.format.sample_rate_hz', '"sample_rate": 24_000'),
        file=CUSTOMIZING,
        model=DESIGNER,
    ),
    _qwen(
        "takes the first page of a list for the last",
        "VOI-08",
        ("return None if is_last or count == 0 or", "return None if True or"),
        file=CUSTOMIZING,
    ),
    _qwen(
        "takes a voice that is not there for a failure",
        "VOI-09 VOI-10",
        ("return None if self._is_of_no_voice(reply) else super", "return super"),
        ("return False if self._is_of_no_voice(reply) else super", "return super"),
        file=CUSTOMIZING,
    ),
    _qwen(
        "says of a voice it deleted that there was none",
        "VOI-10 VOI-16",
        (
            "may be absent or empty.\n        return True",
            "may be absent or empty.\n        return False",
        ),
        file=CUSTOMIZING,
    ),
    _qwen(
        "speaks with a voice by the beginning of its id",
        "VOI-11",
        ('"voice": request.voice.id', '"voice": request.voice.id[:40]'),
        model=CLONER,
    ),
    _qwen(
        "takes a recording at too low a rate for a service that is busy",
        "VOI-13",
        ('_rejected_with("Record at 24000 Hz or more.")', "_unavailable"),
        file="errors.py",
    ),
    _qwen(
        "asks for a voice again where the service fails",
        "VOI-14",
        (
            '    wanted = "a new voice"\n',
            (
                '    wanted = "a new voice"\n'
                "\n"
                "    def refused(self, reply):\n"
                '        if reply.status >= 500 and not hasattr(self, "_again"):\n'
                "            self._again = True\n"
                "            return NextCall(self._call)\n"
                "        return super().refused(reply)\n"
            ),
        ),
        file=CUSTOMIZING,
    ),
    _qwen(
        "takes an answer without a voice for a refusal",
        "VOI-14",
        (
            "            raise self._unreadable(reply)\n        warnings =",
            '            raise InvalidValue("There is no voice.")\n        warnings =',
        ),
        file=CUSTOMIZING,
    ),
    _qwen(
        "does not know a voice by its name",
        "VOI-15",
        ('f"{prefix}{name}-voice-".casefold()', 'f"{prefix}{name}-voice-".upper()'),
        file=CUSTOMIZING,
    ),
    _qwen(
        "quotes the recording that a refusal repeats",
        "VOI-17",
        ('return _BASE64.sub("***", message)', "return message"),
        file=CUSTOMIZING,
    ),
    _qwen(
        "does not tell that a voice was made in a simpler way",
        "VOI-18",
        ('output.get("fallback_mode") is not True', 'output.get("fallback") is not True'),
        file=CUSTOMIZING,
    ),
    _qwen(
        "does not tell the id of the request that made a voice",
        "VOI-19",
        ("request_id=self._clean(request_id_of(message, reply.headers))", 'request_id=""'),
        file=CUSTOMIZING,
    ),
    _qwen(
        "puts a number by chance into each call about voices",
        "VOI-20",
        (
            '{"model": row.name, "input": inputs}',
            '{"model": row.name, "input": inputs, "nonce": __import__("random").random()}',
        ),
        file=CUSTOMIZING,
    ),
)

FAULTS = (*TONE, *ESPEAK, *QWEN, *QWEN_VOICES)


# The page

PAGE = HOUSE / "docs" / "reference" / "seeded-faults.md"

_TEXT = """\
# Seeded faults

Does the contract kit find what it is for? {count} faults, one at a time, are put into the source of
the plugins of this repository, and each must be found by every clause named here, which the plugin
keeps without it. Written by `tools/seeded_faults_page.py` from
`contract_tests/tests/kit/seeded_faults.py`; `test_seeded_faults.py` beside that examines each, and
fails when this page is stale.

| plugin | faults |
|---|---|
{counts}

{tables}
## What no clause can see

- That an engine in this process says the right words: nothing tells the kit how they should sound.
  Pieces of its audio that change places within a word are heard by people alone.
- That a price or a limit is the service's own: the kit knows the card alone.
- Faults that core puts right: an end without audio is an error whatever a plugin says, what is not
  claimed is refused before a plugin is asked, and a key in an error's text is covered. The clauses
  examine that all the same.

## The clauses named

| clause | promise |
|---|---|
{clauses}
"""


def render() -> str:
    """Return the page."""
    from vivavoce_contract.clauses import CLAUSES

    named = {one for fault in FAULTS for one in fault.caught_by}
    counts = {plugin: sum(fault.plugin == plugin for fault in FAULTS) for plugin in MODELS}
    return _TEXT.format(
        count=len(FAULTS),
        counts="\n".join(f"| `{plugin}` | {count} |" for plugin, count in counts.items()),
        tables="\n".join(map(_table, MODELS)),
        clauses="\n".join(
            f"| {clause.id} | {clause.sentence} |" for clause in CLAUSES if clause.id in named
        ),
    )


def _table(plugin: str) -> str:
    rows = [
        f"| {fault.wrong} | {', '.join(fault.caught_by)} |"
        for fault in FAULTS
        if fault.plugin == plugin
    ]
    return "\n".join([f"## `{plugin}`\n", "| what is wrong | caught by |", "|---|---|", *rows, ""])
