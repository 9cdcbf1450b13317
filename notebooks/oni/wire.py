"""What protobuf libraries let pass and ONI does not: wrong wire types and groups.

Google's libraries take a field of a wrong wire type for an unknown one and skip it, others refuse
it. ONI refuses, so that all readers agree on what a message says.
"""

from __future__ import annotations

from google.protobuf import descriptor

_Field = descriptor.FieldDescriptor
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {
    _Field.TYPE_STRING: _BYTES,
    _Field.TYPE_BYTES: _BYTES,
    _Field.TYPE_MESSAGE: _BYTES,
    _Field.TYPE_DOUBLE: _FIXED64,
    _Field.TYPE_FIXED64: _FIXED64,
    _Field.TYPE_SFIXED64: _FIXED64,
    _Field.TYPE_FLOAT: _FIXED32,
}


def check_wire_types(data: memoryview, message: descriptor.Descriptor) -> None:
    """Walks a message's fields, and the messages in them.

    Raises:
        ValueError: if a known field has another wire type than its own, there is a group, a number
            of more than 64 bits, or the bytes end too soon.
    """
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        field = message.fields_by_number.get(tag >> 3)
        if field is not None:
            _check_field(field, tag & 7)
        start = position
        position = _skip(data, position, tag & 7)
        if field is not None and field.message_type is not None:
            _, start = _varint(data, start)
            check_wire_types(data[start:position], field.message_type)


def _check_field(field: descriptor.FieldDescriptor, wire_type: int) -> None:
    own = _WIRE_TYPES.get(field.type, _VARINT)
    may_be_packed = field.is_repeated and own != _BYTES
    if wire_type != own and not (may_be_packed and wire_type == _BYTES):
        raise ValueError(f"field {field.name}: expected wire type {own}, got {wire_type}")


def _skip(data: memoryview, position: int, wire_type: int) -> int:
    """Where the field whose content begins here ends."""
    if wire_type == _VARINT:
        return _varint(data, position)[1]
    if wire_type == _BYTES:
        length, position = _varint(data, position)
        end = position + length
    elif wire_type in (_FIXED64, _FIXED32):
        end = position + (8 if wire_type == _FIXED64 else 4)
    else:
        raise ValueError(f"expected wire type 0, 1, 2 or 5, got {wire_type}")
    if end > len(data):
        raise ValueError(f"expected {end} bytes, got {len(data)}")
    return end


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("expected a number, got the end")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                raise ValueError("expected a number of at most 64 bits, got more")
            return value, position
    raise ValueError("expected a number of at most 10 bytes, got more")
