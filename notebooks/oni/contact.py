"""First contact: may a reader with its own schema read what a publisher sends under another?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from oni.errors import OniError
from oni.header import SchemaId
from oni.schema import Schema, differences


def is_settled(ours: SchemaId, got: SchemaId) -> bool:
    """Whether headers alone say that a message may be read: both sides hold the same schema."""
    return ours == got


def accept(
    ours: Schema,
    got: SchemaId,
    answers: Iterable[Schema],
    tensors: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Decides over a stream whose headers bear `got`, with what its publisher answered.

    Answers are believed for what their own hash says, never for what they are called. Where there
    is none, the first message's tensors may say what differs.

    Raises:
        OniError: naming both schemas, and the first thing that differs.
    """
    answers = list(answers)
    theirs = next((answer for answer in answers if answer.id == got), None)
    if theirs is None:
        said = ", ".join(str(answer.id) for answer in answers)
        difference = f"answered with {said}" if said else "no answer"
        seen = ours.form_differences(tensors) if tensors is not None else []
        difference = "; ".join([*seen[:1], difference])
    else:
        difference = next(iter(differences(ours, theirs)), "no tensor differs, the document does")
    if got.name != ours.id.name:
        raise _refusal("other-schema", ours, got, difference)
    if got.major != ours.id.major:
        raise _refusal("other-major", ours, got, difference)
    if got.minor == ours.id.minor and got.hash != ours.id.hash:
        raise _refusal("other-hash", ours, got, difference)
    if theirs is None:
        raise _refusal("unknown-schema", ours, got, difference)
    if theirs.id != ours.id and differences(ours, theirs):
        raise _refusal("other-tensor", ours, got, difference)


def _refusal(code: str, ours: Schema, got: SchemaId, difference: str) -> OniError:
    return OniError(code, "schema", f"{ours.id}", f"{got}: {difference}")
