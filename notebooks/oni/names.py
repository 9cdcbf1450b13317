"""Names, parts, keys and patterns: the texts that identify something."""

from __future__ import annotations

import re
from dataclasses import dataclass

from oni.errors import OniError

N_KEY_BYTES_MAX = 320

_NAME = re.compile(r"[!-~]{1,64}")
_PART = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_TENSOR_NAME = re.compile(r"[a-z0-9_]{1,64}")


def is_name(text: str) -> bool:
    """Whether a text is 1 to 64 printable ASCII characters without spaces."""
    return _NAME.fullmatch(text) is not None


def is_part(text: str) -> bool:
    """Whether a text can stand in a key: 1 to 64 of ``a-z A-Z 0-9 _ - .``."""
    return _PART.fullmatch(text) is not None


def is_tensor_name(text: str) -> bool:
    """Whether a text is 1 to 64 of ``a-z 0-9 _``."""
    return _TENSOR_NAME.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Whether a text is ``oni/<fleet>/<agent>/<message type>/<stream>``."""
    first, *parts = text.split("/")
    return (
        first == "oni"
        and len(parts) == 4
        and all(is_part(part) for part in parts)
        and len(text) <= N_KEY_BYTES_MAX
    )


def is_pattern(text: str) -> bool:
    """Whether a text is a key in which ``*`` stands for a part and a last ``**`` for any rest."""
    first, *parts = text.split("/")
    ends_open = parts[-1:] == ["**"]
    closed = parts[:-1] if ends_open else parts
    return (
        first == "oni"
        and (len(parts) <= 4 if ends_open else len(parts) == 4)
        and all(part == "*" or is_part(part) for part in closed)
        and len(text) <= N_KEY_BYTES_MAX
    )


@dataclass(frozen=True, slots=True)
class Key:
    """Where a message is published."""

    fleet: str
    agent: str
    message_type: str
    stream: str

    def __post_init__(self) -> None:
        if not is_key(str(self)):
            expected = "oni/<fleet>/<agent>/<message type>/<stream>"
            raise OniError("bad-name", "key", expected, repr(str(self)))

    def __str__(self) -> str:
        return f"oni/{self.fleet}/{self.agent}/{self.message_type}/{self.stream}"

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key in a text.

        Raises:
            OniError: if it is none.
        """
        if not is_key(text):
            expected = "oni/<fleet>/<agent>/<message type>/<stream>"
            raise OniError("bad-name", "key", expected, repr(text))
        return cls(*text.split("/")[1:])
