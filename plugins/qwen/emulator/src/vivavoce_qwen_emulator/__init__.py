"""
A loopback service that speaks Qwen-TTS's wire with a real voice, for tests with no key.

On the command line it is ``vivavoce-qwen-emulator serve``; in tests it is
:func:`vivavoce_qwen_emulator.testing.running_emulator`. Voices are those of eSpeak NG:
clear, deterministic, and unlike the real ones in everything but their names.

One request goes through these modules, in this order::

    app       which address was asked, and in which order the rest is done
    journal   what was received, with the key masked
    faults    what is to go wrong with it, if anything
    checks    what the service would refuse, and how
    limits    whether there were too many requests this minute
    speech    text to samples
    replies   samples to JSON, or to server-sent events
    signing   the address of the finished audio
    script    the answer as bytes, waits and cuts, and the sending of it

A request to make, list or delete voices goes from app, journal, faults and limits to these::

    customization  what is asked of which model, and what is answered
    recordings     what a recording is refused for
    voices         where voices are kept, which speech asks too

A realtime session goes from app, journal, faults and checks to these::

    realtime  what the client says, and what is spoken meanwhile
    sessions  what the client may set, and how its text is grouped
    events    what the service says, as JSON

Values here are dataclasses of the standard library rather than attrs': nothing but what is
declared in pyproject.toml is imported.
"""

from __future__ import annotations

from vivavoce_qwen_emulator.settings import Settings

__all__ = ["Settings"]
