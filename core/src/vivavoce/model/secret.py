"""A credential that does not show itself."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["Secret"]

_MASK = "Secret('***')"


class Secret:
    """
    A string that ``repr``, ``str``, ``format``, logging, ``pickle`` and tracebacks never show.

    Only :meth:`reveal` gives it out, and only a transport calls that, at the
    moment of sending.

    Args:
        value: The credential; surrounding white space, as copied along from a
            web page, is taken off. Its length and alphabet are not judged.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value.strip()

    def reveal(self) -> str:
        """Return the secret itself. Do not log it, do not keep it in a variable."""
        return self._value

    def prefixed(self, prefix: str) -> Secret:
        """Return a secret of *prefix* and this one, as for ``Bearer`` headers."""
        return Secret(prefix + self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return _MASK

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        msg = "A Secret is not pickled: it would lie readable in the pickle."
        raise TypeError(msg)
