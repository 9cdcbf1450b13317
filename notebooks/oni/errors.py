"""The one error of this package. Its codes are those of the specification's chapter "Errors"."""

from __future__ import annotations


class OniError(ValueError):
    """Something that breaks ONI's rules, or that a reader's schema does not take.

    Attributes:
        code: which rule was broken, such as ``bad-checksum``.
        where: what the rule is about, such as ``tensor "ranges_m"``.
        expected: what the rule asks for.
        got: what came instead.
    """

    def __init__(self, code: str, where: str, expected: str, got: object) -> None:
        self.code = code
        self.where = shortened(where)
        self.expected = expected
        self.got = shortened(str(got))
        super().__init__(f"{code}: {self.where}: expected {expected}, got {self.got}")


def shortened(text: str, n_chars_max: int = 300) -> str:
    """A text from outside, fit for an error: printable ASCII, and not too long."""
    plain = text[: n_chars_max + 1].encode("ascii", "backslashreplace").decode("ascii")
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in plain)
    return plain if len(text) <= n_chars_max else plain[:n_chars_max] + "..."
