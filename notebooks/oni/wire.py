"""What protobuf libraries let pass and ONI does not: known fields of a wrong wire type.

Google's libraries take such a field for an unknown one and skip it, others refuse it. ONI refuses,
so that all readers agree on what a message says.
"""

from __future__ import annotations

from google.protobuf import descriptor

_Field = descriptor.FieldDescriptor
_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_WIRE_TYPES = {
    _Field.TYPE_STRING: _BYTES,
    _Field.TYPE_BYTES: _BYTES,
    _Field.TYPE_MESSAGE: _BYTES,
    _Field.TYPE_DOUBLE: _FIXED64,
    _Field.TYPE_FIXED64: _FIXED64,
    _Field.TYPE_SFIXED64: _FIXED64,
    _Field.TYPE_FLOAT: _FIXED32,
}
_DEPTH_MAX = 32


def check_wire_types(data: memoryview, message: descriptor.Descriptor) -> None:
    """Walks a message's fields, and the messages in them.

    Raises:
        ValueError: if a known field has another wire type than its own, or the bytes end too soon.
    """
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        field = message.fields_by_number.get(tag >> 3)
        if field is not None:
            _check_field(field, tag & 7)
        start = position
        position = _skip(data, position, tag, _DEPTH_MAX)
        if field is not None and field.message_type is not None:
            _, start = _varint(data, start)
            check_wire_types(data[start:position], field.message_type)


def _check_field(field: descriptor.FieldDescriptor, wire_type: int) -> None:
    own = _WIRE_TYPES.get(field.type, _VARINT)
    may_be_packed = field.is_repeated and own != _BYTES
    if wire_type != own and not (may_be_packed and wire_type == _BYTES):
        raise ValueError(f"field {field.name}: expected wire type {own}, got {wire_type}")


def _skip(data: memoryview, position: int, tag: int, depth_left: int) -> int:
    """Where the field that begins here ends."""
    wire_type = tag & 7
    if wire_type == _VARINT:
        return _varint(data, position)[1]
    if wire_type == _BYTES:
        length, position = _varint(data, position)
        end = position + length
    elif wire_type in (_FIXED64, _FIXED32):
        end = position + (8 if wire_type == _FIXED64 else 4)
    elif wire_type == _GROUP and depth_left:
        return _skip_group(data, position, tag >> 3, depth_left - 1)
    else:
        raise ValueError(f"expected a wire type, got {wire_type}")
    if end > len(data):
        raise ValueError(f"expected {end} bytes, got {len(data)}")
    return end


def _skip_group(data: memoryview, position: int, number: int, depth_left: int) -> int:
    while True:
        tag, position = _varint(data, position)
        if tag & 7 == _GROUP_END:
            if tag >> 3 != number:
                raise ValueError(f"expected the end of group {number}, got {tag >> 3}")
            return position
        position = _skip(data, position, tag, depth_left)


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("expected a number, got the end")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("expected a number of at most 10 bytes, got more")
