import pytest

from vivavoce.errors import UnknownLanguage
from vivavoce.pipeline.languages import match_language

OFFERED = ("zh", "en-GB", "yue", "zh-CN-sichuan", "sr")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("zh", ("zh", True)),
        ("zh-CN", ("zh", True)),
        ("ZH", ("zh", True)),
        ("en-GB", ("en-GB", True)),
        ("en-AU", ("en-GB", False)),
        ("yue", ("yue", True)),
        # Another script is a neighbour: it is spoken alike.
        ("zh-TW", ("zh", False)),
        ("zh-Hant", ("zh", False)),
        ("sr-Latn", ("sr", False)),
        # Varieties that nobody registered are found where they are offered, and only there.
        ("zh-CN-sichuan", ("zh-CN-sichuan", True)),
        ("zh-cn-Sichuan", ("zh-CN-sichuan", True)),
        ("zh-CN-tianjin", None),
        ("de", None),
    ],
)
def test_what_answers_a_wish(wanted, found):
    """A tag is answered by itself, by its like, by a neighbour that is told, or not at all."""
    assert match_language(wanted, OFFERED) == found


def test_the_nearest_neighbour():
    """Of several neighbours the nearest answers, not the first."""
    assert match_language("en-AU", ("en-US", "en-GB")) == ("en-GB", False)


@pytest.mark.parametrize("tag", ["xx", "qq-QQ", "xx-CN-sichuan", "???", "not a tag"])
def test_what_is_no_language(tag):
    """A tag that is not registered, but for its variety, is refused."""
    with pytest.raises(UnknownLanguage, match="no registered BCP-47"):
        match_language(tag, OFFERED)
