import math

import pytest

from vivavoce.errors import InvalidValue
from vivavoce.model.prosody import Prosody


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_ratio", 175),
        ("rate_ratio", 0),
        ("rate_ratio", math.nan),
        ("pitch_semitones", 25),
        ("volume_db", 100),
        ("volume_db", -math.inf),
        ("rate_ratio", "fast"),
        ("rate_ratio", True),
    ],
)
def test_refuses_other_units(name, value):
    """A value outside the range, as one in another unit is, is refused with the unit named."""
    with pytest.raises(InvalidValue, match=f"{name} is"):
        Prosody(**{name: value})
