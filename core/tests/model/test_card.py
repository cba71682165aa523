from decimal import Decimal

import pytest

from vivavoce.errors import InvalidValue
from vivavoce.model.card import Option, Price


def test_price_of_units():
    """A price is reckoned exactly, in decimals."""
    price = Price(amount="0.115", currency="USD", per=10_000, unit="characters")
    assert Decimal("0.0046") == price.of(400)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (Option(name="n", meaning="", type=int, minimum=1, maximum=3), 2),
        (Option(name="n", meaning="", type=float, minimum=0), 1),
        (Option(name="n", meaning="", type=bool), True),
        (Option(name="n", meaning="", type=str, values=("a", "b")), "b"),
    ],
)
def test_option_accepts(option, value):
    """A value of the type and in the range is accepted."""
    option.check(value)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        (Option(name="n", meaning="", type=int, minimum=1, maximum=3), 4, "from 1 up to 3"),
        (Option(name="n", meaning="", type=int), True, "a int"),
        (Option(name="n", meaning="", type=bool), 1, "a bool"),
        (Option(name="n", meaning="", type=str, values=("a", "b")), "c", "one of 'a', 'b'"),
        (Option(name="n", meaning="", type=float, minimum=0), -0.5, "from 0"),
    ],
)
def test_option_refuses(option, value, allowed):
    """A value of another type or outside the range is refused with what is allowed."""
    with pytest.raises(InvalidValue, match=f"cannot be .*{allowed}"):
        option.check(value)
