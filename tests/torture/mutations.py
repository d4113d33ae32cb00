"""Valid content made hostile: bytes, JSON and tables changed the way disks, editors and attackers change them."""

import json
from typing import Any

import numpy as np

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    10**30,
    1e308,
    -0.5,
    float("nan"),
    float("inf"),
    "",
    "nan",
    "../../../etc/passwd",
    "a" * 5000,
    "\x00",
    "\u202e\ud83d",
    [],
    {},
    [[]],
    {"": {}},
)


def mutate_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes: flipped, cut, doubled, zeroed, or turned into the largest number."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if not data:
            return bytes(data)
        # Headers are where numbers mean something.
        reach = len(data) if rng.random() < 0.4 else min(len(data), 512)
        at, size = int(rng.integers(reach)), int(rng.integers(1, 9))
        kind = rng.integers(6)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at:at] = data[at : at + size * 4]
        elif kind == 3:
            data[at : at + size] = bytes(len(data[at : at + size]))
        elif kind == 4:
            data[at : at + size] = b"\xff" * len(data[at : at + size])
        else:
            data[at : at + size] = rng.bytes(len(data[at : at + size]))
    return bytes(data)


def mutate_json(value: Any, rng: np.random.Generator) -> Any:
    """Change one place of a JSON value: another value or type, a lost or an unknown key, a deep nest."""
    places = list(_places(value))
    if not places:
        return HOSTILE[int(rng.integers(len(HOSTILE)))]
    parent, key = places[int(rng.integers(len(places)))]
    kind = rng.integers(8)
    if kind == 0 and isinstance(parent, dict):
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent["unknown"] = HOSTILE[int(rng.integers(len(HOSTILE)))]
    elif kind == 2:
        nest: Any = parent[key]
        for _ in range(300):
            nest = [nest]
        parent[key] = nest
    elif kind == 3 and isinstance(parent[key], list):
        parent[key] = parent[key] * 3
    else:
        parent[key] = HOSTILE[int(rng.integers(len(HOSTILE)))]
    return value


def _places(value: Any) -> Any:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def mutate_json_text(text: str, rng: np.random.Generator) -> bytes:
    """Change a JSON text in its meaning, in its bytes, or nest it too deeply to be read."""
    choice = rng.random()
    if choice < 0.75:
        return json.dumps(mutate_json(json.loads(text), rng)).encode()
    if choice < 0.8:
        return b"[" * 100_000
    return mutate_bytes(text.encode(), rng)


def mutate_table(text: str, rng: np.random.Generator) -> bytes:
    """Change a cell of a CSV table, lose or double a row, or change its bytes."""
    rows = [row.split(",") for row in text.splitlines()]
    row = rows[int(rng.integers(len(rows)))]
    kind = rng.integers(5)
    if kind == 0:
        rows.remove(row)
    elif kind == 1:
        row.append("7")
    elif kind == 2:
        return mutate_bytes(text.encode(), rng)
    else:
        row[int(rng.integers(len(row)))] = str(HOSTILE[int(rng.integers(len(HOSTILE)))])
    return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")
