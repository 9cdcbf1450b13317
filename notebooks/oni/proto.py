"""Protobuf classes made at run time from `header.proto`: nothing generated, no compiler needed.

It reads the part of the language that ONI's files use: `enum` and `message` at the top, fields of
the scalar types below or of a declared type, `repeated` or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

_FieldType = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _FieldType.TYPE_STRING,
    "bytes": _FieldType.TYPE_BYTES,
    "uint32": _FieldType.TYPE_UINT32,
    "uint64": _FieldType.TYPE_UINT64,
    "int32": _FieldType.TYPE_INT32,
    "int64": _FieldType.TYPE_INT64,
    "sfixed64": _FieldType.TYPE_SFIXED64,
    "fixed64": _FieldType.TYPE_FIXED64,
    "double": _FieldType.TYPE_DOUBLE,
    "float": _FieldType.TYPE_FLOAT,
    "bool": _FieldType.TYPE_BOOL,
}
_TOKEN = re.compile(r'\s*(?://[^\n]*|("[^"\n]*"|[A-Za-z_][A-Za-z0-9_.]*|[0-9]+|[{}=;]))')


def message_classes(proto_text: str) -> dict[str, type[message.Message]]:
    """A protobuf class for each message of a `.proto` file, by its name without the package.

    Raises:
        ValueError: if the text uses what this small reader does not know.
    """
    file = file_descriptor(proto_text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = [row.name for row in file.message_type]
    found = {name: pool.FindMessageTypeByName(f"{file.package}.{name}") for name in names}
    return {name: message_factory.GetMessageClass(row) for name, row in found.items()}


def file_descriptor(proto_text: str) -> descriptor_pb2.FileDescriptorProto:
    """What a `.proto` file declares.

    Raises:
        ValueError: if the text uses what this small reader does not know.
    """
    tokens = _tokens(proto_text)
    file = descriptor_pb2.FileDescriptorProto(name="oni_header.proto")
    for word in tokens:
        if word == "syntax":
            _expect(tokens, "=")
            file.syntax = next(tokens).strip('"')
            _expect(tokens, ";")
        elif word == "package":
            file.package = next(tokens)
            _expect(tokens, ";")
        elif word == "enum":
            _read_enum(tokens, file.enum_type.add(name=next(tokens)))
        elif word == "message":
            _read_message(tokens, file.message_type.add(name=next(tokens)))
        else:
            raise ValueError(f"header.proto: expected an enum or a message, got {word!r}")
    _resolve_types(file)
    return file


def _tokens(text: str) -> Iterator[str]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"header.proto: cannot read {text[position : position + 20]!r}")
        position = match.end()
        if match[1]:
            yield match[1]


def _expect(tokens: Iterator[str], wanted: str) -> None:
    got = next(tokens, "the end")
    if got != wanted:
        raise ValueError(f"header.proto: expected {wanted!r}, got {got!r}")


def _read_enum(tokens: Iterator[str], enum: descriptor_pb2.EnumDescriptorProto) -> None:
    _expect(tokens, "{")
    for word in tokens:
        if word == "}":
            return
        _expect(tokens, "=")
        enum.value.add(name=word, number=int(next(tokens)))
        _expect(tokens, ";")


def _read_message(tokens: Iterator[str], row: descriptor_pb2.DescriptorProto) -> None:
    _expect(tokens, "{")
    for word in tokens:
        if word == "}":
            return
        label = _FieldType.LABEL_OPTIONAL
        if word == "repeated":
            label, word = _FieldType.LABEL_REPEATED, next(tokens)
        field = row.field.add(name=next(tokens), label=label)
        if word in _SCALARS:
            field.type = _SCALARS[word]
        else:
            field.type_name = word
        _expect(tokens, "=")
        field.number = int(next(tokens))
        _expect(tokens, ";")


def _resolve_types(file: descriptor_pb2.FileDescriptorProto) -> None:
    enums = {row.name for row in file.enum_type}
    messages = {row.name for row in file.message_type}
    for row in file.message_type:
        for field in row.field:
            if not field.type_name:
                continue
            if field.type_name not in enums | messages:
                raise ValueError(f"header.proto: expected a declared type, got {field.type_name}")
            is_enum = field.type_name in enums
            field.type = _FieldType.TYPE_ENUM if is_enum else _FieldType.TYPE_MESSAGE
            field.type_name = f".{file.package}.{field.type_name}"
