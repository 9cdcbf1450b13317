"""Damage as tests do it to bytes."""

from __future__ import annotations

import random


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A copy with a few bytes changed, cut out, doubled or put in."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(changed) + 1)
        kind = rng.randrange(5)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1 and place < len(changed):
            changed[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del changed[place : place + rng.randrange(1, 9)]
        elif kind == 3:
            changed[place:place] = rng.randbytes(rng.randrange(1, 9))
        else:
            changed[place:place] = changed[place : place + rng.randrange(1, 17)]
    return bytes(changed)
