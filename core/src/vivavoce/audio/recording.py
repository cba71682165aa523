"""A recording to clone a voice from, looked at before anything is sent."""

from __future__ import annotations

import hashlib
import io
import ipaddress
import os
import re
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import evolve, frozen

from vivavoce.audio.containers import MEDIA_TYPES
from vivavoce.audio.encode import FileEncoder, encoder_rate
from vivavoce.audio.hearing import (
    FRAME_S,
    LONG_PAUSE_S,
    SILENT_DBFS,
    Sound,
    hear,
    is_address,
    read_source,
)
from vivavoce.errors import InvalidValue
from vivavoce.model.audio import AudioFormat
from vivavoce.model.customizing import Finding, Level, Recording, RecordingRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


__all__ = ["address_recording", "examine_recording", "is_address", "refuse"]

# --- bounds: what is refused or warned of besides the provider's own rules ---

# Read into memory at most: with repairs, or where a provider has no limit; else a few times it.
MOST_BYTES_READ = 200_000_000
MOST_TIMES_READ = 4
# Decoded at most: a recording of ten hours is refused once this much of it is known.
MOST_TIMES_DECODED = 3
MOST_S_WITHOUT_RULE = 600.0

QUIET_DBFS = -36.0
CLIPPED_SHARE = 0.001
STEADY_DB = 1.5
LONG_EDGE_S = 1.0
KEPT_EDGE_S = 0.25
SOUND_SHARE = 0.5

# Telephone quality is the least that is brought to a higher rate.
LEAST_RAISED_HZ = 8_000

# Syllables a second: read aloud slowly to fast, and beyond what a mouth can do. A letter of an
# alphabet is a third of a syllable; a Chinese character, a kana, a hangul block or a digit is one.
# Japanese has the most of them, up to ten; its small kana belong to the one before.
LETTERS_A_SYLLABLE = 3
SPEECH_SYLLABLES = (1.5, 10.0)
POSSIBLE_SYLLABLES = (0.5, 15.0)

_SMALL_KANA = frozenset("ゃゅょャュョぁぃぅぇぉァィゥェォ")
_SYLLABIC = re.compile(r"CJK UNIFIED|CJK COMPAT|HIRAGANA|KATAKANA|HANGUL|BOPOMOFO")
_HINT = "Or pass fix=True to have it done."


def address_recording(url: str, rules: RecordingRules) -> Recording:
    """
    Return a recording that the provider is to fetch itself; nothing is looked at here.

    Raises:
        InvalidValue: If it is no public ``http`` or ``https`` address, or the provider
            fetches none.
    """
    parts = _split_address(url)
    if not rules.takes_url:
        msg = (
            f"The recording is at an address ({parts.scheme}), and this provider fetches none. "
            "Save it to a file, and give its path."
        )
        raise InvalidValue(msg)
    found = [
        Finding(
            about="address",
            level=Level.WARNED,
            message=(
                "The recording was not looked at, since the provider fetches it itself. "
                "Give a file to have it examined first."
            ),
        )
    ]
    if _is_private(parts.hostname or ""):
        found.append(
            Finding(
                about="address",
                level=Level.WARNED,
                message=(
                    "The recording's address is one of this machine or a private network, which "
                    "a provider elsewhere cannot reach. Give a public address or a file."
                ),
            )
        )
    return Recording(
        url=url, sha256=hashlib.sha256(url.encode()).hexdigest(), findings=tuple(found)
    )


def examine_recording(
    source: str | os.PathLike[str] | bytes,
    rules: RecordingRules,
    *,
    transcript: str | None = None,
    fix: bool = False,
) -> Recording:
    """
    Look at all of a recording and compare it with what a provider asks.

    Args:
        source: Path or bytes of the file. An address is for :func:`address_recording`.
        rules: What the provider asks.
        transcript: What is said in it, to be compared with its length; or None.
        fix: Whether to put right what can be: the sample rate (from 8 kHz), the channels,
            silence at both ends, the container, stray bytes. Speech is never cut.

    Returns:
        The recording as it would be sent, with all that was found, refusals first. It is
        for the caller to raise them (:func:`refuse`).

    Raises:
        InvalidValue: If it cannot be read at all: no such file, no plain file, far too
            large, no sound, cut off, damaged.
        MissingDependency: If the extra ``voices`` is absent.
    """
    name, data = read_source(source, *_read_at_most(rules, fix=fix))
    most_s = MOST_S_WITHOUT_RULE if rules.max_s is None else MOST_TIMES_DECODED * rules.max_s
    sound = hear(name, data, most_s)
    found = list(_compared(sound, rules, transcript))
    repairs = {item.repair for item in found if item.repair}
    sha256 = hashlib.sha256(data).hexdigest()
    if not repairs or not _target(rules):
        return _recording(sound, [item.finding for item in found], sha256)
    if not fix:
        return _recording(sound, [_with_hint(item) for item in found], sha256)
    repaired = hear(name, _repair(sound, rules, repairs), most_s)
    left = list(_compared(repaired, rules, transcript))
    done = list(_repaired(sound, repaired, found, left))
    return _recording(repaired, [*done, *(item.finding for item in left)], sha256)


def refuse(findings: Iterable[Finding]) -> None:
    """
    Raise one error for all refusals among *findings*; without any, do nothing.

    Raises:
        InvalidValue: With the messages of all refusals.
    """
    messages = [finding.message for finding in findings if finding.level is Level.REFUSED]
    if messages:
        raise InvalidValue(" ".join(messages))


@frozen(kw_only=True)
class _Found:
    """
    A finding, and the repair for it where there is one.

    Attributes:
        finding: What was found, for one who gets no repair.
        repair: What to do: ``rewrite``, ``rate``, ``mono``, ``trim`` or ``smaller``; or empty.
        hint: What the repair would do.
        done: What it did.
        after: What is to be said besides once it is done.
    """

    finding: Finding
    repair: str = ""
    hint: str = ""
    done: str = ""
    after: tuple[Finding, ...] = ()


def _read_at_most(rules: RecordingRules, *, fix: bool) -> tuple[int, str]:
    """Return how many bytes are read at most, and why no more."""
    taken = rules.max_bytes
    if taken is None or fix or MOST_TIMES_READ * taken > MOST_BYTES_READ:
        return MOST_BYTES_READ, f"{MOST_BYTES_READ} are read at most"
    return MOST_TIMES_READ * taken, f"{taken} are the most"


# --- addresses ---


def _split_address(url: str) -> Any:
    try:
        parts = urlsplit(url)
        host, has_login = parts.hostname, "@" in parts.netloc
    except ValueError:
        msg = "The recording's address cannot be read. Give one such as https://host/file.wav."
        raise InvalidValue(msg) from None
    scheme = parts.scheme.lower()
    if scheme not in {"http", "https"}:
        msg = (
            f"A recording cannot be fetched by {scheme[:20]!r}, only by http or https. "
            "Give such an address, a path or bytes."
        )
        raise InvalidValue(msg)
    if not host or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        msg = (
            "The recording's address has no host, or characters that must be written as %xx. "
            "Give one such as https://host/file.wav."
        )
        raise InvalidValue(msg)
    if has_login:
        msg = (
            "The recording's address holds a login, which would be sent on. "
            "Give an address that needs none."
        )
        raise InvalidValue(msg)
    return parts


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


# --- comparing ---


def _compared(sound: Sound, rules: RecordingRules, transcript: str | None) -> Iterator[_Found]:
    for check in _CHECKS:
        yield from check(sound, rules)
    if transcript is not None:
        yield from _check_transcript(sound, transcript)


def _check_container(sound: Sound, rules: RecordingRules) -> Iterator[_Found]:
    kind, target = sound.shape.container.upper(), (_target(rules) or rules.containers[0]).upper()
    taken = ", ".join(name.upper() for name in rules.containers)
    if sound.shape.container not in rules.containers:
        yield _refused(
            "container",
            f"{sound.name} is {kind}; taken is {taken}.",
            f"Save it as {target}",
            repair="rewrite",
            done=f"It was {kind}, and is {target} now.",
        )
    if sound.decoded.has_video:
        yield _refused(
            "container",
            f"{sound.name} holds a film, not only sound.",
            f"Save its sound as {target}",
            repair="rewrite",
            done=f"It was a film; its sound is {target} now.",
        )
    if sound.shape.container == "m4a" and sound.decoded.codec not in {"aac", ""}:
        yield _refused(
            "container",
            f"{sound.name} is M4A with {sound.decoded.codec!r} inside; AAC is what it should hold.",
            f"Save it as {target}",
            repair="rewrite",
            done=f"It held {sound.decoded.codec!r}, and is {target} now.",
        )
    faults = [fault for fault in (sound.shape.fault, sound.decoded.fault) if fault]
    if sound.shape.stray_bytes:
        faults.append(f"the last {sound.shape.stray_bytes} bytes are no part of it")
    for fault in faults:
        yield _refused(
            "container",
            f"{sound.name} is {kind}, but {fault}.",
            "Save it again",
            repair="rewrite",
            done=f"The file was not sound ({fault}); it was written anew as {target}.",
        )


def _check_bits(sound: Sound, rules: RecordingRules) -> Iterator[_Found]:
    bits, codec = sound.shape.bits, sound.shape.codec
    if bits is None or not rules.wav_bits or (bits in rules.wav_bits and codec == "PCM"):
        return
    taken = " or ".join(map(str, rules.wav_bits))
    yield _refused(
        "bits",
        f"{sound.name} is a WAV with {bits} bits of {codec}; taken are {taken} bits of PCM.",
        f"Save it with {taken} bits",
        repair="rewrite" if 16 in rules.wav_bits else "",
        done=f"It had {bits} bits of {codec} and has 16 of PCM now.",
    )


def _check_rate(sound: Sound, rules: RecordingRules) -> Iterator[_Found]:
    least = rules.min_sample_rate_hz
    if least is None or sound.rate_hz >= least:
        return
    can_raise = sound.rate_hz >= LEAST_RAISED_HZ
    yield _refused(
        "sample_rate",
        f"{sound.name} has a sample rate of {sound.rate_hz} Hz; {least} Hz are asked at least.",
        f"Record again at {least} Hz or more",
        repair="rate" if can_raise else "",
        done=f"The sample rate was {sound.rate_hz} Hz and is {least} Hz now.",
        after=(
            Finding(
                about="sample_rate",
                level=Level.WARNED,
                message=(
                    f"A higher sample rate gains no quality: what {sound.rate_hz} Hz cannot hold, "
                    f"above {sound.rate_hz // 2} Hz, is still missing, and the voice will sound "
                    f"so. Record again at {least} Hz or more if you can."
                ),
            ),
        ),
        hint=f"fix=True would bring it to {least} Hz, without any gain in quality.",
    )


def _check_channels(sound: Sound, rules: RecordingRules) -> Iterator[_Found]:
    most = rules.max_channels
    if most is None or sound.channels <= most:
        return
    yield _refused(
        "channels",
        f"{sound.name} has {sound.channels} channels; {most} is the most.",
        "Save it in mono" if most == 1 else f"Save it with {most}",
        repair="mono",
        done=f"It had {sound.channels} channels and has 1 now.",
    )


def _check_duration(sound: Sound, rules: RecordingRules) -> Iterator[_Found]:
    seconds, least, most = sound.duration_s, rules.min_s, rules.max_s
    advised = rules.advised_s
    said = f"{sound.name} lasts {seconds:.1f} s"
    if least is not None and seconds < least:
        yield _refused("duration", f"{said}; {least:g} s are asked at least.", "Record more")
    elif most is not None and seconds > most:
        trimmed = _trimmed_s(sound)
        yield _refused(
            "duration",
            f"{said}; {most:g} s are the most.",
            "Cut it where a sentence ends; speech is not cut here",
            repair="trim" if trimmed <= most else "",
            done=f"It lasted {seconds:.1f} s with silence at its ends, and {trimmed:.1f} s now.",
        )
    elif advised is not None and not advised[0] <= seconds <= advised[1]:
        low, high = advised
        what = "Record more" if seconds < low else "A part of it will do"
        yield _noted("duration", f"{said}; {low:g} to {high:g} s are advised. {what}.")


def _check_size(sound: Sound, rules: RecordingRules) -> Iterator[_Found]:
    most, size = rules.max_bytes, len(sound.data)
    if most is None or size <= most:
        return
    target = _target(rules).upper()
    yield _refused(
        "size",
        f"{sound.name} has {size} bytes; {most} are the most.",
        "Give a shorter recording, or save it in mono",
        repair="smaller",
        done=f"It had {size} bytes, too many, and was written anew as {target}.",
    )


def _check_level(sound: Sound, _rules: RecordingRules) -> Iterator[_Found]:
    measured = sound.measured
    levels = f"speech at {measured.speech_dbfs:.0f} dBFS, peak at {measured.peak_dbfs:.0f} dBFS"
    if measured.speech_dbfs < SILENT_DBFS:
        yield _refused(
            "level",
            f"{sound.name} is silent or nearly so ({levels}); speech has "
            f"{SILENT_DBFS:.0f} dBFS at the very least, {QUIET_DBFS:.0f} or more as a rule.",
            "Check the microphone and record again",
        )
        return
    if measured.speech_dbfs < QUIET_DBFS:
        yield _noted(
            "level",
            f"{sound.name} is very quiet ({levels}; {QUIET_DBFS:.0f} or more is usual). "
            "Record nearer to the microphone.",
        )
    if measured.clipped_share > CLIPPED_SHARE:
        yield _noted(
            "clipping",
            f"{sound.name} is clipped: {100 * measured.clipped_share:.1f}% of its samples are cut "
            f"off at full scale, {100 * CLIPPED_SHARE:g}% or less is clean. "
            "Record again with less gain.",
        )


def _check_sound(sound: Sound, rules: RecordingRules) -> Iterator[_Found]:
    measured = sound.measured
    if measured.speech_dbfs < SILENT_DBFS:
        return
    if measured.swing_db < STEADY_DB:
        yield _noted(
            "speech",
            f"{sound.name} sounds steady, like a tone or noise: its level varies by "
            f"{measured.swing_db:.1f} dB, speech by {STEADY_DB:g} or more. Listen to it.",
        )
    share = measured.sounding_s / max(measured.end_s - measured.begin_s, FRAME_S)
    if share < SOUND_SHARE:
        yield _noted(
            "speech",
            f"{sound.name} holds sound for {100 * share:.0f}% of the time between its first and "
            f"last; {100 * SOUND_SHARE:.0f}% or more is usual for speech. Shorten the pauses.",
        )
    if rules.min_s is not None and measured.sounding_s < rules.min_s <= sound.duration_s:
        yield _noted(
            "speech",
            f"{sound.name} holds {measured.sounding_s:.1f} s of sound in {sound.duration_s:.1f} s; "
            f"{rules.min_s:g} s are asked at least. Record more speech.",
        )


def _check_silence(sound: Sound, _rules: RecordingRules) -> Iterator[_Found]:
    measured = sound.measured
    if measured.speech_dbfs < SILENT_DBFS:
        return
    before, after = measured.begin_s, sound.duration_s - measured.end_s
    if max(before, after) > LONG_EDGE_S:
        silence = f"{before:.1f} s of silence before the speech and {after:.1f} s after it"
        kept = f"{sound.duration_s - _trimmed_s(sound):.1f} s of it were cut."
        yield _Found(
            finding=Finding(
                about="silence",
                level=Level.WARNED,
                message=f"{sound.name} has {silence}; {LONG_EDGE_S:g} s or less is better. Cut it.",
            ),
            repair="trim",
            hint=_HINT,
            done=f"It had {silence}; {kept}",
        )
    if measured.long_pauses:
        pauses = "a pause" if measured.long_pauses == 1 else f"{measured.long_pauses} pauses"
        yield _noted(
            "pauses",
            f"{sound.name} has {pauses} of more than {LONG_PAUSE_S:g} s inside, the longest of "
            f"{measured.longest_pause_s:.1f} s. Cut them out, or record again without.",
        )


def _check_transcript(sound: Sound, transcript: str) -> Iterator[_Found]:
    syllables, is_syllabic = _syllables(transcript)
    if not syllables:
        yield _refused(
            "transcript",
            "The transcript holds no letters.",
            "Give the words that are spoken, or leave it out",
        )
        return
    seconds = max(sound.measured.sounding_s, FRAME_S)
    if sound.measured.speech_dbfs < SILENT_DBFS:
        return
    per_second = syllables / seconds
    unit, factor = ("characters", 1) if is_syllabic else ("letters", LETTERS_A_SYLLABLE)
    low, high = (factor * bound for bound in SPEECH_SYLLABLES)
    said = (
        f"The transcript has {factor * syllables:.0f} {unit} for {seconds:.1f} s of sound, "
        f"{factor * per_second:.1f} a second; speech has {low:g} to {high:g}."
    )
    what = "Give the words that are spoken in this recording, all of them and no others"
    least, most = POSSIBLE_SYLLABLES
    if not least <= per_second <= most:
        yield _refused("transcript", said, what)
    elif not SPEECH_SYLLABLES[0] <= per_second <= SPEECH_SYLLABLES[1]:
        yield _noted("transcript", f"{said} {what}.")


def _syllables(text: str) -> tuple[float, bool]:
    """Return about how many syllables *text* has, and whether most characters are one each."""
    whole, letters = 0, 0
    for character in text:
        if character in _SMALL_KANA:
            continue
        category = unicodedata.category(character)
        if category[0] == "N" or (
            category == "Lo" and _SYLLABIC.match(unicodedata.name(character, ""))
        ):
            whole += 1
        elif category[0] == "L":
            letters += 1
    return whole + letters / LETTERS_A_SYLLABLE, whole > letters


_CHECKS = (
    _check_container,
    _check_bits,
    _check_rate,
    _check_channels,
    _check_duration,
    _check_size,
    _check_level,
    _check_sound,
    _check_silence,
)


def _refused(
    about: str,
    found: str,
    what: str,
    *,
    repair: str = "",
    hint: str = _HINT,
    done: str = "",
    after: tuple[Finding, ...] = (),
) -> _Found:
    finding = Finding(about=about, level=Level.REFUSED, message=f"{found} {what}.")
    return _Found(finding=finding, repair=repair, hint=hint, done=done, after=after)


def _noted(about: str, message: str) -> _Found:
    return _Found(finding=Finding(about=about, level=Level.WARNED, message=message))


# --- repairing ---


def _target(rules: RecordingRules) -> str:
    """Return the container a repaired recording is written in; empty if none can be."""
    return next((name for name in rules.containers if name != "m4a"), "")


def _with_hint(item: _Found) -> Finding:
    if not item.repair:
        return item.finding
    return evolve(item.finding, message=f"{item.finding.message} {item.hint}")


def _repaired(
    before: Sound, after: Sound, found: Iterable[_Found], left: Iterable[_Found]
) -> Iterator[Finding]:
    """Yield what was put right, leaving out what is still found."""
    remaining = {(item.finding.about, item.finding.level) for item in left}
    was, now = before.shape.container, after.shape.container
    is_told = False
    for item in found:
        if item.repair and (item.finding.about, item.finding.level) not in remaining:
            is_told = is_told or item.finding.about == "container"
            yield evolve(item.finding, level=Level.REPAIRED, message=item.done)
            yield from item.after
    if was != now and not is_told:
        message = f"It was {was.upper()}, and is {now.upper()} after the repair."
        yield Finding(about="container", level=Level.REPAIRED, message=message)


def _trimmed_s(sound: Sound) -> float:
    begin, end = _kept_part(sound)
    return (end - begin) / sound.rate_hz


def _kept_part(sound: Sound) -> tuple[int, int]:
    edge = KEPT_EDGE_S
    begin = max(0.0, sound.measured.begin_s - edge)
    end = min(sound.duration_s, sound.measured.end_s + edge)
    return round(begin * sound.rate_hz), round(end * sound.rate_hz)


def _repair(sound: Sound, rules: RecordingRules, repairs: set[str]) -> bytes:
    """Return the recording written anew, with all *repairs* made."""
    begin, end = _kept_part(sound) if "trim" in repairs else (0, len(sound.samples))
    rate_hz = sound.rate_hz
    least = rules.min_sample_rate_hz
    if "rate" in repairs and least is not None:
        rate_hz = least
    fits = rules.max_channels is None or sound.channels <= rules.max_channels
    is_mono = sound.channels > 2 or not fits or bool(repairs & {"mono", "smaller"})
    samples = sound.mono[begin:end] if is_mono else sound.samples[begin:end]
    channels = 1 if is_mono else sound.channels
    bytes_expected = 2 * channels * len(samples) * rate_hz // sound.rate_hz
    if least is not None and rules.max_bytes is not None and bytes_expected > rules.max_bytes:
        rate_hz = min(rate_hz, least)
    source = AudioFormat(sample_rate_hz=sound.rate_hz, channels=channels)
    wanted = AudioFormat.named(_target(rules), sample_rate_hz=rate_hz, channels=channels)
    target = evolve(wanted, sample_rate_hz=encoder_rate(wanted.encoding, rate_hz))
    written = io.BytesIO()
    encoder = FileEncoder(written, source, target)
    encoder.feed(samples.astype("<i2").tobytes())
    encoder.finish()
    return written.getvalue()


def _recording(sound: Sound, findings: list[Finding], sha256: str) -> Recording:
    order = list(Level)
    return Recording(
        data=sound.data,
        media_type=MEDIA_TYPES[sound.shape.container],
        sample_rate_hz=sound.rate_hz,
        channels=sound.channels,
        duration_s=sound.duration_s,
        sha256=sha256,
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.level))),
    )
