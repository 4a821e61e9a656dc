"""Reads a .flr file of a shape with numpy alone, and asks it what is inside.

    python docs/examples/read_flr.py FILE.flr [X Y Z]

A second decoder, written from docs/format.md and not from the first: it shows that the format is
what the document says, and it can be copied into any project. It needs neither torch nor fieldlr,
reads shapes whose encoding has no hash and whose frame is the user's, and trusts the file beyond
its checksum.
"""

import sys
import zlib
from math import isqrt, prod
from pathlib import Path

import numpy as np

# Options of full, low-rank, sine-low-rank, hadamard, kronecker, monarch, blast, kernel-low-rank,
# sparse-low-rank, seeded-low-rank, seeded-sine-low-rank, seeded-frame and hashed.
RANK, BLOCKS, SINE = ["varint"], ["varint", "varint"], ["varint", "decimal"]
LINEARS = [[], RANK, SINE, RANK, RANK, BLOCKS, BLOCKS, RANK, SINE, RANK, SINE, RANK, RANK]
SINES = (2, 10)
FIXED_OUTPUTS = (4, 5, 6, 8, 11, 12)  # those whose outputs are not sorted
FIXED_INPUTS = (*FIXED_OUTPUTS, 9, 10)  # those whose inputs are not sorted
# identity; frequency: how many, with the input; random-fourier: how many, spread in radians; those
# with a table: levels, channels, nodes of the coarsest and of the finest level.
TABLE = ["varint"] * 4
ENCODINGS = {0: [], 1: TABLE[:2], 4: ["varint", "decimal"]} | dict.fromkeys((3, 5, 6, 7), TABLE)
# Of those with a table: the terms of a level, each a product of tables over these axes.
TERMS = {
    3: [["xyz"]],  # dense-grid
    5: [["x", "y", "z"]],  # cp
    6: [["xy", "z"], ["xz", "y"], ["yz", "x"]],  # vm
    7: [["x", "y", "z"]],  # tucker: every channel times every other
}
# relu; sine: omega_0; gaussian: sigma; finer: omega_0.
ACTIVATIONS = {0: [], 1: ["decimal"], 2: ["decimal"], 3: ["decimal"]}
UNIFORM, WRITTEN, TOTAL_BITS, ONE, MOST = 224, 225, 24, 1 << 16, 24 << 16


class Bytes:
    def __init__(self, data):
        self.data, self.place = data, 0

    def take(self, count):
        self.place += count
        return self.data[self.place - count : self.place]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        value, shift = 0, 0
        while (byte := self.byte()) >= 128:
            value, shift = value | (byte & 127) << shift, shift + 7
        return value | byte << shift

    def signed(self):
        value = self.varint()
        return -(value + 1 >> 1) if value % 2 else value >> 1

    def decimal(self):
        digits = self.signed()
        return float(f"{digits}e{self.signed()}") if digits else 0.0

    def options(self, names):
        return [getattr(self, name)() for name in names]


def table(law, written, distances):
    """Parts of 2^24 for each symbol, by law or from the bytes of a written table."""
    if law == WRITTEN:
        weights = [0 if byte == 0 else (8 + byte % 8) << byte // 8 for byte in written]
    elif law == UNIFORM:
        weights = [1] * len(distances)
    else:
        power, scale = divmod(law, 32)
        far = max(1, max(distances))
        xs = [(d * (64, 76, 91, 108)[scale % 4] << scale // 4 + 9) // far for d in distances]
        exponents = [min(raised(x, power), MOST) for x in xs]
        weights = [(2 * ONE - e % ONE << 8) >> e // ONE for e in exponents]
    parts = [1 + w * (2**TOTAL_BITS - len(weights)) // sum(weights) for w in weights]
    parts[weights.index(max(weights))] += 2**TOTAL_BITS - sum(parts)
    return parts


def raised(x, power):
    """x^p in units of 2^-16 for p = 1/2, 1, 3/2, 2, 3, 4, 6."""
    if power == 0:
        return isqrt(x << 16)
    x = min(x, MOST)
    square = min(x * x >> 16, MOST)
    cube = min(square * x >> 16, MOST)
    return (x, x * isqrt(x << 16) >> 16, square, cube, square**2 >> 16, cube**2 >> 16)[power - 1]


class Coder:
    """Takes symbols off a stack of 32-bit words."""

    def __init__(self, data):
        self.words = np.frombuffer(data + bytes(-len(data) % 4), "<u4").tolist()
        self.state = self.words.pop() if self.words else 0
        self.fill()

    def fill(self):
        if self.state < 2**32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    def symbols(self, count, parts):
        ends = np.cumsum(parts)
        for _ in range(count):
            place = self.state % 2**TOTAL_BITS
            symbol = int(np.searchsorted(ends, place, "right"))
            start = int(ends[symbol]) - parts[symbol]
            self.state = (self.state >> TOTAL_BITS) * parts[symbol] + place - start
            self.fill()
            yield symbol


def read_model(file, monotone):
    start, max_abs = file.signed() if monotone else 0, file.varint()
    low = max(0, max_abs.bit_length() - 7)
    lowest = 0 if monotone else -max_abs >> low
    highs = range(lowest, (max_abs >> low) + 1)
    law = file.byte() if max_abs else UNIFORM
    written = file.take(len(highs)) if law == WRITTEN else b""
    parts = table(law, written, [abs(2 * high + (low > 0)) for high in highs]) if max_abs else None
    return start, low, lowest, parts, monotone


def read_numbers(coder, model, count, fresh):
    """The whole numbers of a tensor's part; monotone ones restart where `fresh` says so."""
    start, low, lowest, parts, monotone = model
    values = np.zeros(count, int)
    if parts is not None:
        values = lowest + np.array([*coder.symbols(count, parts)], int) << low
    if low:
        values += np.array([*coder.symbols(count, [2 ** (TOTAL_BITS - low)] * 2**low)], int)
    for i in range(count if monotone else 0):
        values[i] += start if fresh[i] else values[i - 1]
    return values


def two_edges(count):
    first = isqrt(count - 1) + 1
    return first, -(-count // first)


def stored_shapes(linear, options, m, n):
    """Shapes of what is stored of W (m, n); one that is W's own where that is no smaller."""
    k, b = (*options, 1, 1)[:2]
    shapes = [(m, k), (n, k)]
    if linear in (3, 7):
        shapes *= 2
    elif linear == 4:
        (m1, m2), (n1, n2) = two_edges(m), two_edges(n)
        shapes = [(k, m1, n1), (k, m2, n2)]
    elif linear == 5:
        shapes = [(m, b, k), (n, b, k)]
    elif linear == 6:
        shapes.insert(1, (min(b, m), min(b, n), k))
    elif linear == 8:
        shapes.append((max(1, int(b * m * n)),))
    elif linear in (9, 10):
        shapes = [(m, k)]
    elif linear == 11:
        shapes = [(k,), (m,)]
    elif linear == 12:
        shapes = [(k * (m + n),)]
    return [(m, n)] if linear == 0 or sum(map(prod, shapes)) >= m * n else shapes


def words(stream, count):
    """Seeded whole numbers below 2^32."""

    def mixed(x):
        x = (x ^ x >> 16) * np.uint32(0x7FEB352D)
        x = (x ^ x >> 15) * np.uint32(0x846CA68B)
        return x ^ x >> 16

    return mixed(np.arange(count, dtype="u4") * np.uint32(0x9E3779B9) + mixed(np.uint32([stream])))


def uniform(stream, shape, std=1.0):
    """Seeded numbers of this standard deviation."""
    odd = 2 * (words(stream, prod(shape)) >> 16).astype(int) - 65535
    return (np.float32(odd) * np.float32(std * 3**0.5 / 65536)).reshape(shape)


def weight(linear, options, stored, m, n):
    """W (m, n) of those that have no sine."""
    rows, columns = np.arange(m), np.arange(n)
    if linear in (1, 9):
        u, v = stored if linear == 1 else (*stored, uniform(2, (n, options[0])))
        return u @ v.T
    if linear == 3:
        return (stored[0] @ stored[1].T) * (stored[2] @ stored[3].T)
    if linear == 4:
        return sum(map(np.kron, *stored))[:m, :n]
    if linear == 5:
        u, v = stored
        p, q = rows % u.shape[1], columns * u.shape[1] // n
        return np.einsum("ijs,jis->ij", u[:, q], v[:, p])
    if linear == 6:
        u, s, v = stored
        coupling = s[rows * s.shape[0] // m][:, columns * s.shape[1] // n]
        return np.einsum("ir,ijr,jr->ij", u, coupling, v)
    if linear == 7:
        near, far = (np.linalg.norm(stored[i][:, None] - stored[i + 1], axis=2) for i in (0, 2))
        return near - far
    if linear == 8:
        u, v, values = stored
        w = (u @ v.T).ravel()
        w[np.sort(np.argsort(words(1, m * n))[: len(values)])] += values
        return w.reshape(m, n)
    if linear == 11:
        d, b = stored
        return b[:, None] * ((uniform(4, (m, len(d))) * d) @ uniform(3, (n, len(d))).T)
    shared = np.empty(m * n, int)
    shared[np.argsort(words(5, m * n))] = np.arange(m * n) % len(stored[0])
    signs = 1 - 2 * (words(6, m * n) >> 31).astype(int)
    return np.float32(signs * stored[0][shared]).reshape(m, n)


def resolutions(count, _, first, last):
    """Nodes along an edge, level by level."""
    if count == 1:
        return [last]
    return [round(first * (last / first) ** (i / (count - 1))) for i in range(count)]


def summed(differences):
    """The values of nodes (..., channels) that are coded as differences from those before them."""
    *edges, channels = differences.shape
    padded = np.zeros([*(edge + 1 for edge in edges), channels], int)
    for node in np.ndindex(*edges):
        before = [tuple(i + (k != a) for k, i in enumerate(node)) for a in range(len(edges))]
        known = [padded[place] for place, index in zip(before, node, strict=True) if index > 0]
        mean = (2 * sum(known) + len(known)) // (2 * len(known)) if known else 0
        padded[tuple(i + 1 for i in node)] = differences[node] + mean
    return padded[(slice(1, None),) * len(edges)]


def interpolated(table, axes, unit):
    """Features (M, channels) of a table over the named axes at points (M, 3) of the cube."""
    nodes = len(table)
    position = (np.clip(unit, -1, 1) + 1)[:, ["xyz".index(a) for a in axes]] * 0.5 * (nodes - 1)
    cell = np.minimum(position.astype(int), nodes - 2)
    part, total = position - cell, 0
    for corner in np.ndindex(*[2] * len(axes)):
        share = np.prod(np.where(corner, part, 1 - part), 1)
        # The first axis is the fastest in the table: its last.
        total = total + share[:, None] * table[tuple((cell + corner).T[::-1])]
    return total


class Shape:
    """A shape as its file has it: `layers` of (weight or factors, bias), and `inside`."""

    def __init__(self, data):
        version = data[3] if data[:3] == b"FLR" else 0
        if version not in (1, 2) or zlib.crc32(data[:-4]).to_bytes(4, "little") != data[-4:]:
            raise SystemExit("this is no .flr file of version 1 or 2, or it is broken")
        file = Bytes(data[4:-4])
        first, tables, last = file.byte(), file.byte(), None
        last, width, depth = file.byte(), file.varint(), file.varint()
        self.skips = [file.varint() for _ in range(last >> 4)]
        self.linear, self.encoding, self.activation = tables & 15, tables >> 4, last & 15
        if first & 3 == 0 or first & 0b11001100 or self.encoding not in ENCODINGS:
            raise SystemExit("this reader knows shapes in a box, without a frame or a hash")
        if (version == 2) != (self.encoding in TERMS):
            raise SystemExit("this reader knows tables of version 2 alone")
        if self.linear >= len(LINEARS) or self.activation not in ACTIVATIONS:
            names = f"linear {self.linear} or activation {self.activation}"
            raise SystemExit(f"this reader does not know {names}: it reads the first ones alone")
        self.linear_options = file.options(LINEARS[self.linear])
        self.encoding_options = file.options(ENCODINGS[self.encoding])
        self.activation_options = file.options(ACTIVATIONS[self.activation])
        form = first >> 4 & 3
        if form == 0:
            box = [0.0, 0.0, 0.0, *(float(file.varint()) for _ in range(3))]
        else:
            box = np.frombuffer(file.take(24 * form), ("<f4", "<f8")[form - 1]).tolist()
        self.low, self.high = np.array(box[:3]), np.array(box[3:])
        self.grid, self.content_hash = file.varint(), file.take(4).hex()
        self.read_layers(file, width, depth)

    def read_layers(self, file, width, depth):
        count, more, *_ = self.encoding_options or (0, 1)
        inputs = 2 * count if self.encoding == 4 else 3 * (2 * count + more)
        tables = self.read_table_models(file) if self.encoding in TERMS else []
        if self.encoding in TERMS:
            inputs = count * len(TERMS[self.encoding]) * more ** (3 if self.encoding == 7 else 1)
        sizes = [
            (width, inputs),
            *((width, width + inputs * (i in self.skips)) for i in range(1, depth + 1)),
        ]
        sizes += [(1, width + inputs * (depth + 1 in self.skips))]
        inner = [self.linear * (0 < i <= depth) for i in range(depth + 2)]
        stored = [
            stored_shapes(k, self.linear_options, *mn) for k, mn in zip(inner, sizes, strict=True)
        ]
        # Of every layer: whether it is of the backbone, and not dense.
        own = [k > 0 and shapes != [mn] for k, shapes, mn in zip(inner, stored, sizes, strict=True)]
        outputs = [one and self.linear in FIXED_OUTPUTS for one in own]
        inputs = [one and self.linear in FIXED_INPUTS for one in own] + [True]
        plan = []  # of every layer, of every tensor: (step, [(columns, model)], shape)
        for index, shapes in enumerate(stored):
            # Units are sorted if neither their layer nor the next one fixes their places.
            is_sorted = not outputs[index] and not inputs[index + 1]
            plan.append([])
            for place, shape in enumerate([*shapes, (sizes[index][0], 1)]):
                byte, is_key, is_bias = file.byte(), place == 0, place == len(shapes)
                columns = prod(shape[1:])
                split = [1, columns - 1] if is_key and is_sorted and columns > 1 else [columns]
                rising = [is_sorted and (is_key or is_bias), False]
                models = [(c, read_model(file, r)) for c, r in zip(split, rising, strict=False)]
                plan[-1].append(((8 + byte % 8) * 2.0 ** (byte // 8 - 27), models, shape))
        coder, self.layers = Coder(file.take(len(file.data) - file.place)), []
        self.tables = []
        for step, model, shape in tables:
            whole = summed(read_numbers(coder, model, prod(shape), []).reshape(shape))
            self.tables.append(np.float32(whole * step))
        for layer in plan:
            tensors, fresh = [], [True] + [False] * width
            for step, models, shape in layer:
                parts = [read_numbers(coder, m, shape[0] * c, fresh) for c, m in models]
                whole = np.concatenate([part.reshape(shape[0], -1) for part in parts], 1)
                tensors.append(np.float32(whole * step).reshape(shape))
                if not tensors[1:]:  # the first tensor, whose first column is the key
                    fresh = [True, *(np.diff(whole[:, 0]) != 0)]
            self.layers.append((tensors[:-1], tensors[-1][:, 0]))

    def read_table_models(self, file):
        """(step, model, shape) of every part of the table."""
        models, channels = [], self.encoding_options[1]
        for nodes in resolutions(*self.encoding_options):
            for axes in (axes for term in TERMS[self.encoding] for axes in term):
                byte = file.byte()
                step = (8 + byte % 8) * 2.0 ** (byte // 8 - 27)
                shape = (*[nodes] * len(axes), channels)
                models.append((step, read_model(file, False), shape))
        return models

    def products(self, unit):
        """The features of tables at points (M, 3) of the cube."""
        tables, features = iter(self.tables), []
        for _ in range(self.encoding_options[0]):
            for term in TERMS[self.encoding]:
                factors = [interpolated(next(tables), axes, unit) for axes in term]
                if self.encoding == 7:
                    x, y, z = factors
                    features.append(np.einsum("ni,nj,nk->nijk", x, y, z).reshape(len(x), -1))
                else:
                    features.append(prod(factors))
        return np.concatenate(features, 1)

    def weight(self, stored, m, n):
        if stored[0].shape == (m, n):
            return stored[0]
        if self.linear not in SINES:
            return weight(self.linear, self.linear_options, stored, m, n)
        rank, omega = self.linear_options
        u, v = stored if self.linear == 2 else (*stored, uniform(2, (n, rank), 1 / (3 * n) ** 0.5))
        if omega <= 0:  # a spread of the phase, or the first rule for it
            omega = 3 * n**0.5 * (-omega or 1 + 7 / rank)
        gain = {0: (n / 6) ** 0.5, 2: n**0.5}.get(self.activation)
        gain = gain or (n / 6) ** 0.5 * self.activation_options[0]
        return np.sin(omega * (u @ v.T)) / gain

    def logits(self, points):
        """The logits (M,) of being inside at points (M, 3)."""
        unit = (points - self.low) * 2 / (self.high - self.low) - 1
        x = unit
        if self.encoding == 1:
            count, with_input = self.encoding_options
            waves = [f(2.0**i * unit) for i in range(count) for f in (np.sin, np.cos)]
            x = np.concatenate([unit] * with_input + waves, 1)
        elif self.encoding == 4:
            count, radians = self.encoding_options
            pairs = words(7, 6 * count).reshape(-1, 2).astype(int)
            sums = np.float32(((pairs >> 16) + (pairs & 65535)).sum(1) - 131070)
            phases = unit @ (sums * np.float32(radians * 3**0.5 / 65536)).reshape(count, 3).T
            x = np.concatenate([np.sin(phases), np.cos(phases)], 1)
        elif self.encoding in TERMS:
            x = self.products(unit)
        h = x
        for index, (stored, bias) in enumerate(self.layers):
            h = np.concatenate([h, x], 1) if index in self.skips else h
            h = h @ self.weight(stored, len(bias), h.shape[1]).T + bias
            if index < len(self.layers) - 1:
                h = self.activate(h)
        return h[:, 0]

    def activate(self, z):
        if self.activation == 0:
            return np.maximum(z, 0)
        (number,) = self.activation_options
        if self.activation == 2:
            return np.exp(-(z**2) / (2 * number**2))
        return np.sin(number * (z if self.activation == 1 else (1 + abs(z)) * z))

    def inside(self, points):
        within = ((points >= self.low) & (points <= self.high)).all(1)
        return (self.logits(points) > 0) & within


def main():
    shape = Shape(Path(sys.argv[1]).read_bytes())
    print("box", shape.low, shape.high, "layers", [[t.shape for t in s] for s, _ in shape.layers])
    if len(sys.argv) == 5:
        print("inside:", bool(shape.inside(np.array([sys.argv[2:]], float))[0]))


if __name__ == "__main__":
    main()
