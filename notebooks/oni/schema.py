"""Schemas: what a message type's tensors must be, who may read whom, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from oni import canonical, files, names, rules
from oni.dtypes import Dtype
from oni.errors import OniError
from oni.header import Header, SchemaId
from oni.message import Message
from oni.tensors import DIMENSION_MAX, N_DIMENSIONS_MAX

_FACETS = (
    "dtype",
    "dims",
    "unit",
    "frame",
    "minItems",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "rule",
    "lines",
)
N_TENSORS_MAX = 64
_MODEL_HASHES = ("absent", "optional", "required")


@dataclass(frozen=True, slots=True)
class TensorRule:
    """What a schema says of one tensor.

    Attributes:
        dims: one entry a dimension: a length, or a name that has one length in each message.
        unit: of the numbers, for people; empty where there is none.
        rule: the name of a further rule (`x-rule`), or empty.
        lines_dim: the dimension that the number of lines of text counts (`x-lines`), or empty.
    """

    name: str
    is_required: bool
    dtype: Dtype
    dims: tuple[int | str, ...]
    unit: str
    n_items_min: int
    minimum: int | None
    above: int | None
    maximum: int | None
    rule: str
    lines_dim: str


@dataclass(frozen=True)
class Schema:
    """One message type's schema.

    Attributes:
        document: the schema file's content; `text` is its canonical JSON.
        model_hash: `absent`, `optional` or `required`.
    """

    id: SchemaId
    document: dict[str, Any]
    text: bytes
    model_hash: str
    tensors: Mapping[str, TensorRule]

    @classmethod
    def parse(cls, text: bytes) -> Schema:
        """The schema in a file's text.

        Raises:
            OniError: if it is not a schema as the specification describes it.
        """
        document = canonical.parse(text)
        try:
            return cls._of(document)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            if isinstance(error, OniError):
                raise
            got = f"{type(error).__name__}: {error}"
            raise _bad_document("what an ONI schema has", got) from error

    @classmethod
    def parse_canonical(cls, text: bytes) -> Schema:
        """The schema in a document that came over a network, which must be canonical.

        Raises:
            OniError: if it is not.
        """
        schema = cls.parse(text)
        if schema.text != text:
            raise _bad_document("canonical JSON", "another form of it")
        return schema

    @classmethod
    def _of(cls, document: Any) -> Schema:
        text = canonical.canonical(document)
        version = document["x-version"]
        numbers = version["major"], version["minor"]
        if not all(type(number) is int and 0 <= number < 2**32 for number in numbers):
            raise _bad_document("a version of two numbers", version)
        title = document["title"]
        if not isinstance(title, str) or not names.is_part(title):
            raise _bad_document("a title that can stand in a key", title)
        model_hash = document["x-model-hash"]
        if model_hash not in _MODEL_HASHES:
            raise _bad_document(f"x-model-hash to be one of {_MODEL_HASHES}", model_hash)
        tensors = document["properties"]["tensors"]
        required = set(tensors["required"])
        found = {
            name: _tensor_rule(name, name in required, row)
            for name, row in tensors["properties"].items()
        }
        if len(found) > N_TENSORS_MAX:
            raise _bad_document(f"at most {N_TENSORS_MAX} tensors", len(found))
        if missing := required - found.keys():
            raise _bad_document("each required tensor to be described", sorted(missing))
        schema_id = SchemaId(title, *numbers, canonical.short_hash(text))
        return cls(schema_id, document, text, model_hash, found)

    def check(self, message: Message) -> None:
        """Whether a reader with this schema may use a message.

        Raises:
            OniError: naming both schemas and the first tensor that differs, or the first rule
                that the content breaks.
        """
        self.check_header(message.header, message.tensors)
        self._check_model_hash(message.header)
        lengths: dict[str, int] = {}
        known = [
            (rule, message.tensors[rule.name])
            for rule in self.tensors.values()
            if rule.name in message.tensors
        ]
        for rule, array in known:
            _check_dims(rule, array, lengths)
            _check_numbers(rule, array)
        for rule, array in known:
            if rule.rule:
                rules.check(rule.rule, array, lengths.get(rule.lines_dim))
        own = _built_in().get(self.id.name)
        if own is not None and own.id == self.id:
            rules.check_type(self.id.name, message.tensors)

    def check_header(self, header: Header, tensors: Mapping[str, np.ndarray]) -> None:
        """Whether a header, and the form of the tensors that it lists, fit this schema.

        Raises:
            OniError: naming both schemas, and the tensor that differs.
        """
        got = header.schema
        if got.name != self.id.name:
            raise self._refusal("other-schema", got)
        if got.major != self.id.major:
            raise self._refusal("other-major", got)
        if got.minor == self.id.minor and got.hash != self.id.hash:
            raise self._refusal("other-hash", got)
        if found := self.form_differences(tensors):
            raise OniError("other-tensor", "schema", f"{self.id}", f"{got}: {found[0]}")

    def form_differences(self, tensors: Mapping[str, np.ndarray]) -> list[str]:
        """How tensors differ in presence, dtype, rank and fixed dimensions, by name."""
        rows = [(name, self.tensors[name], tensors.get(name)) for name in sorted(self.tensors)]
        return [
            f'tensor "{name}": {difference}'
            for name, rule, array in rows
            if (difference := _form_difference(rule, array))
        ]

    def _refusal(self, code: str, got: SchemaId) -> OniError:
        return OniError(code, "schema", f"{self.id}", got)

    def _check_model_hash(self, header: Header) -> None:
        where = f"{self.id.name}: model_hash"
        if self.model_hash == "required" and not header.model_hash:
            raise OniError("model-hash", where, "32 bytes", "none")
        if self.model_hash == "absent" and header.model_hash:
            raise OniError("model-hash", where, "none", "32 bytes")


def differences(ours: Schema, theirs: Schema) -> list[str]:
    """What keeps a reader of `ours` from reading messages of `theirs`; empty if nothing does.

    Descriptions never count, and what only `theirs` lists is what a minor version may add.
    """
    found = []
    if ours.model_hash != theirs.model_hash:
        found.append(f"expected x-model-hash {ours.model_hash}, got {theirs.model_hash}")
    for name in sorted(ours.tensors.keys() | theirs.tensors.keys()):
        found += [f'tensor "{name}": {row}' for row in _tensor_differences(ours, theirs, name)]
    return found


def built_in() -> dict[str, Schema]:
    """The schemas that come with this package, by message type."""
    return dict(_built_in())


@cache
def _built_in() -> dict[str, Schema]:
    schemas = [Schema.parse(path.read_bytes()) for path in files.schema_files()]
    return {schema.id.name: schema for schema in schemas}


def _tensor_differences(ours: Schema, theirs: Schema, name: str) -> list[str]:
    mine, other = ours.tensors.get(name), theirs.tensors.get(name)
    if mine is None:
        return []
    if other is None:
        return ["expected one that is required, got none"] if mine.is_required else []
    if mine.is_required and not other.is_required:
        return ["expected one that is required, got one that is optional"]
    left, right = _described(ours, name), _described(theirs, name)
    if left == right:
        return []
    facets = [(facet, _facet(left, facet), _facet(right, facet)) for facet in _FACETS]
    found = [f"expected {facet} {a}, got {b}" for facet, a, b in facets if a != b]
    return found or ["expected the same description of its data, got another"]


def _described(schema: Schema, name: str) -> Any:
    """What a schema says of a tensor, without texts for people."""
    return _without_descriptions(schema.document["properties"]["tensors"]["properties"][name])


def _without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_descriptions(v) for k, v in value.items() if k != "description"}
    if isinstance(value, list):
        return [_without_descriptions(v) for v in value]
    return value


def _facet(row: Any, facet: str) -> str:
    data = row["properties"]["data"]
    value = {
        "dtype": row["properties"]["dtype"]["const"],
        "dims": row["x-dims"],
        "unit": row.get("x-unit"),
        "frame": row.get("x-frame"),
        "minItems": data.get("minItems"),
        "rule": row.get("x-rule"),
        "lines": row.get("x-lines"),
    }.get(facet, data.get("items", {}).get(facet))
    if value is None:
        return "none"
    return value if isinstance(value, str) else canonical.canonical(value).decode()


def _bad_document(expected: str, got: object) -> OniError:
    return OniError("bad-schema-document", "schema", expected, got)


def _tensor_rule(name: str, is_required: bool, row: Any) -> TensorRule:
    data = row["properties"]["data"]
    items = data.get("items", {})
    dims = tuple(row["x-dims"])
    if not names.is_tensor_name(name):
        raise _bad_document("tensors' names of a-z 0-9 _", name)
    if len(dims) > N_DIMENSIONS_MAX or not all(_is_dim(dim) for dim in dims):
        raise _bad_document(f"x-dims of {name} to be lengths and names", dims)
    numbers = [data.get("minItems", 0)]
    numbers += [items.get(limit, 0) for limit in ("minimum", "exclusiveMinimum", "maximum")]
    if not all(type(number) is int for number in numbers):
        raise _bad_document(f"limits of {name} to be numbers", numbers)
    texts = [row.get(member, "") for member in ("x-unit", "x-rule", "x-lines")]
    if not all(isinstance(value, str) for value in texts):
        raise _bad_document(f"x-unit, x-rule, x-lines of {name} to be texts", texts)
    if texts[1] and texts[1] not in rules.RULES:
        raise _bad_document(f"x-rule of {name} to be a known one", texts[1])
    return TensorRule(
        name=name,
        is_required=is_required,
        dtype=Dtype[row["properties"]["dtype"]["const"].upper()],
        dims=dims,
        unit=texts[0],
        n_items_min=numbers[0],
        minimum=items.get("minimum"),
        above=items.get("exclusiveMinimum"),
        maximum=items.get("maximum"),
        rule=texts[1],
        lines_dim=texts[2],
    )


def _is_dim(dim: object) -> bool:
    if isinstance(dim, str):
        return names.is_tensor_name(dim)
    return type(dim) is int and 0 <= dim <= DIMENSION_MAX


def _form_difference(rule: TensorRule, array: np.ndarray | None) -> str:
    """How a tensor's dtype, rank and fixed dimensions differ from a rule; empty if they do not."""
    if array is None:
        return "expected one that is required, got none" if rule.is_required else ""
    dtype = Dtype.of_numpy(array.dtype)
    if dtype != rule.dtype:
        return f"expected dtype {rule.dtype.text}, got {dtype.text}"
    fits = len(array.shape) == len(rule.dims) and all(
        wanted == length
        for wanted, length in zip(rule.dims, array.shape, strict=True)
        if isinstance(wanted, int)
    )
    return "" if fits else f"expected dims {list(rule.dims)}, got {list(array.shape)}"


def _check_dims(rule: TensorRule, array: np.ndarray, lengths: dict[str, int]) -> None:
    for name, length in zip(rule.dims, array.shape, strict=True):
        if isinstance(name, str) and lengths.setdefault(name, length) != length:
            where = f'tensor "{rule.name}", dimension {name}'
            expected = f"{lengths[name]} as elsewhere"
            raise OniError("dimension-mismatch", where, expected, length)


def _check_numbers(rule: TensorRule, array: np.ndarray) -> None:
    where = f'tensor "{rule.name}"'
    if array.size < rule.n_items_min:
        expected = f"at least {rule.n_items_min} numbers"
        raise OniError("empty-tensor", where, expected, array.size)
    if not array.size:
        return
    if rule.dtype.is_float and not np.isfinite(array).all():
        got = array[~np.isfinite(array)].flat[0]
        raise OniError("not-finite", where, "finite numbers", got)
    low, high = array.min(), array.max()
    if rule.minimum is not None and low < rule.minimum:
        raise OniError("out-of-range", where, f"at least {rule.minimum}", low)
    if rule.above is not None and low <= rule.above:
        raise OniError("out-of-range", where, f"numbers above {rule.above}", low)
    if rule.maximum is not None and high > rule.maximum:
        raise OniError("out-of-range", where, f"at most {rule.maximum}", high)
