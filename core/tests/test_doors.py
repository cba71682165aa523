import importlib
import inspect
import subprocess
import sys

import pytest

import vivavoce
from vivavoce import authoring, errors

# Written out, so that adding a public name is a deliberate act seen in review.
USERS_DOOR = [
    "Advice",
    "Alias",
    "AsyncClient",
    "AsyncSession",
    "AsyncSpeechStream",
    "AsyncVoices",
    "Audio",
    "AudioFormat",
    "BookedVoice",
    "BrokenPlugin",
    "Capabilities",
    "CapabilityError",
    "Chunk",
    "Claim",
    "Client",
    "CloneOffer",
    "CloneWishes",
    "ConnectFailed",
    "ConnectionLost",
    "Consent",
    "Container",
    "CredentialError",
    "Decision",
    "DesignOffer",
    "DesignWishes",
    "Encoding",
    "End",
    "EngineFailed",
    "Estimate",
    "Evidence",
    "Finding",
    "FoundModel",
    "Gender",
    "How",
    "Interruption",
    "InvalidValue",
    "Level",
    "Mark",
    "MarkKind",
    "MarkOrigin",
    "MarkupError",
    "MaybeCreated",
    "Middleware",
    "MissingDependency",
    "ModelCard",
    "NewVoice",
    "NoAudio",
    "Option",
    "OutputError",
    "Plan",
    "PluginError",
    "Price",
    "Prosody",
    "ProviderError",
    "ProviderUnavailable",
    "QuotaExceeded",
    "RateLimited",
    "Recording",
    "RecordingRules",
    "Registry",
    "Report",
    "RequestRejected",
    "Retry",
    "Secret",
    "Selector",
    "Session",
    "Settings",
    "SettingsError",
    "SetupError",
    "SpeechStream",
    "StreamStateError",
    "Support",
    "SynthesizerInfo",
    "TextTooLong",
    "TimedOut",
    "Timeouts",
    "TransportError",
    "TruncatedAudio",
    "UnexpectedReply",
    "UnknownLanguage",
    "UnknownModel",
    "UnknownName",
    "UnknownProvider",
    "UnknownVoice",
    "UsageError",
    "Utterance",
    "VivavoceError",
    "Voice",
    "VoiceBook",
    "VoiceCustomizerInfo",
    "VoiceOrigin",
    "VoicePlan",
    "Voices",
    "Wishes",
    "advise",
    "capabilities",
    "find_models",
    "providers",
    "save",
    "say",
]

AUTHORS_DOOR = [
    "INTERFACE",
    "AudioData",
    "AudioFormat",
    "BodyData",
    "BodyEnd",
    "Call",
    "Capabilities",
    "CapabilityError",
    "Chunk",
    "Claim",
    "CloneOffer",
    "CloneRequest",
    "ConnectFailed",
    "ConnectionLost",
    "Consent",
    "Container",
    "CredentialError",
    "DesignOffer",
    "DesignRequest",
    "Done",
    "DuplexExchange",
    "Encoding",
    "EngineFailed",
    "Envelope",
    "Event",
    "Evidence",
    "Exchange",
    "Facts",
    "Failed",
    "Finding",
    "Finished",
    "Gender",
    "HttpCall",
    "InvalidValue",
    "Level",
    "LocalCall",
    "LocalEnd",
    "LocalOutput",
    "LocalSink",
    "MadeVoice",
    "Mark",
    "MarkKind",
    "MarkOrigin",
    "Marks",
    "MarkupError",
    "MaybeCreated",
    "MessageReceived",
    "MissingDependency",
    "ModelCard",
    "NameRule",
    "NextCall",
    "NoAudio",
    "Option",
    "Output",
    "OutputError",
    "PeerClosed",
    "PluginError",
    "Price",
    "Prosody",
    "ProviderConfig",
    "ProviderError",
    "ProviderUnavailable",
    "QuotaExceeded",
    "RateLimited",
    "Recording",
    "RecordingRules",
    "Reply",
    "Report",
    "RequestRejected",
    "ResponseStarted",
    "Secret",
    "SendMessage",
    "SettingsError",
    "SetupError",
    "SocketOpened",
    "SseComment",
    "SseEvent",
    "SseReader",
    "SsmlDocument",
    "StreamStateError",
    "Support",
    "SynthesisRequest",
    "Synthesizer",
    "SynthesizerInfo",
    "Task",
    "TextTooLong",
    "TimedOut",
    "TransportError",
    "TruncatedAudio",
    "TurnEnded",
    "UnexpectedReply",
    "UnknownLanguage",
    "UnknownModel",
    "UnknownName",
    "UnknownProvider",
    "UnknownVoice",
    "UsageError",
    "VivavoceError",
    "Voice",
    "VoiceCustomizer",
    "VoiceCustomizerInfo",
    "VoiceOrigin",
    "VoicePage",
    "WavHeaderReader",
    "WebSocketCall",
    "cut_string",
    "decode_base64",
    "hookimpl",
    "no",
    "read_ssml",
    "retry_after_s",
    "shorten",
    "unknown",
    "yes",
]

DOORS = [(vivavoce, USERS_DOOR), (authoring, AUTHORS_DOOR)]


@pytest.mark.parametrize(("door", "names"), DOORS)
def test_public_names(door, names):
    """A door's names are exactly those written down here."""
    assert sorted(names) == sorted(door.__all__)


@pytest.mark.parametrize(("door", "names"), DOORS)
def test_every_name_resolves(door, names):
    """Every name of a door can be had, is the same each time, and is in dir()."""
    for name in names:
        assert getattr(door, name) is getattr(door, name)
        assert name in dir(door)


@pytest.mark.parametrize("door", [vivavoce, authoring])
def test_other_names_are_attribute_errors(door):
    """A name that is none is an AttributeError, as anywhere."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = door.nonsense


def test_the_whole_error_tree_is_public():
    """Every error can be caught by a name of either door."""
    assert set(errors.__all__) <= set(vivavoce.__all__)
    assert set(errors.__all__) <= set(authoring.__all__)


@pytest.mark.parametrize("door", [vivavoce, authoring])
def test_everything_public_is_documented(door):
    """Every public class and function, and each public method, has a docstring."""
    missing = []
    for name in door.__all__:
        thing = getattr(door, name)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        if not inspect.getdoc(thing):
            missing.append(name)
        if inspect.isclass(thing) and thing.__module__.startswith("vivavoce"):
            missing += [
                f"{name}.{method}"
                for method, function in inspect.getmembers(thing, inspect.isfunction)
                if not method.startswith("_") and not inspect.getdoc(function)
            ]
    assert missing == []


# What no listing may load: it costs a tenth of a second and is of no use there.
HEAVY = [
    "anyio",
    "asyncio",
    "httpcore2",
    "httpx",
    "httpx2",
    "numpy",
    "pybase64",
    "rich",
    "sentencex",
    "sounddevice",
    "soundfile",
    "soxr",
    "ssl",
    "websockets",
]


def heavy_modules_after(code):
    """Return the heavy modules a fresh interpreter holds after *code*."""
    program = (
        f"{code}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stderr.split()


@pytest.mark.parametrize(
    "code",
    [
        "import vivavoce",
        "import vivavoce.authoring as a; [getattr(a, name) for name in a.__all__]",
        "import vivavoce; vivavoce.providers()",
        "import vivavoce; [i.models for i in vivavoce.providers()]",
        "import vivavoce; [i.voices() for i in vivavoce.providers()]",
        "import vivavoce; vivavoce.find_models(needs=['word_marks'])",
        "import vivavoce; vivavoce.advise('audiobook')",
        (
            "from vivavoce.testing import FakeProvider as F\nfrom vivavoce import *\n"
            "Client('fake', registry=F().registry(), settings=Settings()).explain('Hello.')"
        ),
        (
            "from vivavoce.testing import FakeProvider as F\nfrom vivavoce import *\n"
            "list(Client('fake', registry=F().registry(), settings=Settings()).voices.list())"
        ),
    ],
)
def test_listing_loads_nothing_heavy(code):
    """Importing, listing and explaining load no HTTP, WebSocket or audio library."""
    assert heavy_modules_after(code) == []


def test_the_check_itself_sees_what_is_heavy():
    """The check above does see a heavy library when one is loaded."""
    assert "httpx2" in heavy_modules_after("import httpx2")


def test_doors_and_homes_agree():
    """Each door's list of names is that of the modules it finds them in."""
    for door in (vivavoce, authoring):
        homes = {name for names in door._HOMES.values() for name in names}
        assert set(door.__all__) == homes
        base = "vivavoce"
        for home, names in door._HOMES.items():
            module = importlib.import_module(f"{base}.{home}")
            assert all(hasattr(module, name) for name in names)
