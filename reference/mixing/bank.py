"""Contexts at work: tables of buckets, what they give to the mixer, how they learn. docs/spec/mixing.md, "Buckets"."""

from __future__ import annotations

from dataclasses import dataclass, field

from reference.mixing.contexts import ROWS, History, Row
from reference.mixing.counters import CHAIN_BIAS_STEP, MODEL_BIAS_STEP, NEXT_STATE, SEEN, adapted, adaptive, corrected_bias, history_map
from reference.mixing.hashing import mix_hash
from reference.mixing.logistic import PROB_HALF, STRETCH

INPUTS_EACH = 3
MAP_LIMIT = 255
RUN_LIMIT = 1023
RUNS = 16
# What biases correct: nothing, and they do not learn; the model; the context before.
NOTHING, MODEL, CHAIN = range(3)


class Bucket:
    """What a context knows of the 15 decisions of a nibble."""

    __slots__ = ("bias", "check", "last", "run", "state")
    state: list[int]
    bias: list[int]
    last: int
    run: int

    def __init__(self) -> None:
        self.check = 0  # 0: empty
        self.take(0, None)

    def take(self, check: int, known: Bucket | None) -> None:
        """Becomes another context's."""
        self.check = check
        self.state = list(known.state) if known else [0] * 15
        self.bias = list(known.bias) if known else [0] * 15
        self.last, self.run = (known.last, known.run) if known else (0, 0)

    def __deepcopy__(self, memo: dict[int, object]) -> Bucket:
        copy = Bucket()
        copy.take(self.check, self)
        memo[id(self)] = copy
        return copy

    def append_run(self, byte: int) -> None:
        if self.run > 0 and self.last == byte:
            self.run = min(self.run + 1, 255)
        else:
            self.last, self.run = byte, 1


class Slots:
    """2^bits buckets, perhaps with others behind them. Those that nobody asked for are empty."""

    def __init__(self, bits: int, behind: Slots | None = None) -> None:
        self.shift = 64 - bits
        self.behind = behind
        self.buckets: dict[int, Bucket] = {}

    def find(self, hash: int) -> Bucket:
        first, check = hash >> self.shift, hash & 0xFFFF | 1
        victim, least = first, 1 << 16
        for place in (first, first ^ 1, first ^ 2):
            bucket = self.buckets.get(place)
            if bucket is not None and bucket.check == check:
                return bucket
            seen = SEEN[bucket.state[0]] if bucket is not None else 0
            if seen < least:
                victim, least = place, seen
        taken = self.buckets.get(victim)
        if taken is None:
            taken = self.buckets[victim] = Bucket()
        taken.take(check, self.behind.look(hash) if self.behind else None)
        return taken

    def look(self, hash: int) -> Bucket | None:
        first, check = hash >> self.shift, hash & 0xFFFF | 1
        for place in (first, first ^ 1, first ^ 2):
            bucket = self.buckets.get(place)
            if bucket is not None and bucket.check == check:
                return bucket
        return None


def slot_bits(frame_bytes: int, most: int) -> int:
    return min(max((frame_bytes * 2).bit_length(), 5), most)


@dataclass
class Context:
    row: Row
    salt: int
    slots: Slots
    by_state: list[int] = field(default_factory=history_map)
    by_run: list[int] = field(default_factory=lambda: [adaptive(PROB_HALF, 0)] * (RUNS * 8))


@dataclass
class Cursor:
    """A lane's place in every table."""

    hash: list[int] = field(default_factory=list)
    first: list[Bucket] = field(default_factory=list)  # of the byte's first nibble
    bucket: list[Bucket] = field(default_factory=list)  # of the present nibble
    seen: int = 0  # contexts that know the present decision


class Bank:
    contexts: list[Context]

    def __init__(self, networks: int, frame_bytes: int, learned: Bank | None = None) -> None:
        if learned:
            self.contexts = [
                Context(c.row, c.salt, Slots(slot_bits(frame_bytes, c.row.bits), c.slots), list(c.by_state), list(c.by_run))
                for c in learned.contexts
            ]
        else:
            self.contexts = [
                Context(row, i + 1, Slots(slot_bits(frame_bytes, row.bits))) for i, row in enumerate(ROWS) if row.networks & networks
            ]
        self.base = NOTHING
        self.base_stretch = [0] * len(self.contexts)

    def start_byte(self, cursor: Cursor, history: History) -> None:
        cursor.hash = [mix_hash(c.row.hash(history), c.salt) for c in self.contexts]

    def predict(self, cursor: Cursor, partial: int, base: int, model_stretch: int) -> list[int]:
        """Three inputs of each context."""
        if partial == 1:
            cursor.first = [c.slots.find(h) for c, h in zip(self.contexts, cursor.hash)]
            cursor.bucket = list(cursor.first)
        elif 16 <= partial < 32:
            cursor.bucket = [c.slots.find(mix_hash(h, partial)) for c, h in zip(self.contexts, cursor.hash)]
        bits = partial.bit_length() - 1
        node = node_of(partial, bits)
        self.base = base
        base_stretch = model_stretch if base == MODEL else 0
        cursor.seen = 0
        inputs = []
        for i, context in enumerate(self.contexts):
            bucket = cursor.bucket[i]
            self.base_stretch[i] = base_stretch
            state = bucket.state[node]
            meaning = 0
            if state == 0:
                inputs += (0, 0, 0)
            else:
                cursor.seen += 1
                meaning = STRETCH[context.by_state[state] >> 16]
                first = cursor.first[i]
                expected = next_bit(first, partial, bits)
                trust = 0
                if expected >= 0:
                    trust = STRETCH[context.by_run[min(first.run, RUNS - 1) * 8 + bits] >> 16]
                inputs += (meaning, trust if expected > 0 else -trust, bucket.bias[node])
            if base == CHAIN:
                base_stretch = meaning
        return inputs

    def update(self, cursor: Cursor, partial: int, bit: int) -> None:
        bits = partial.bit_length() - 1
        node = node_of(partial, bits)
        step = MODEL_BIAS_STEP if self.base == MODEL else CHAIN_BIAS_STEP
        for i, context in enumerate(self.contexts):
            bucket, first = cursor.bucket[i], cursor.first[i]
            state = bucket.state[node]
            if state:
                context.by_state[state] = adapted(context.by_state[state], bit, MAP_LIMIT)
            if self.base != NOTHING:
                bucket.bias[node] = corrected_bias(bucket.bias[node], self.base_stretch[i], SEEN[state], bit, step)
            bucket.state[node] = NEXT_STATE[state][bit]
            expected = next_bit(first, partial, bits)
            if expected >= 0:
                run = min(first.run, RUNS - 1) * 8 + bits
                context.by_run[run] = adapted(context.by_run[run], expected == bit, RUN_LIMIT)
            if bits == 7:
                first.append_run((partial << 1 | bit) & 255)


def node_of(partial: int, bits: int) -> int:
    """Which of a nibble's 15 decisions follows the leading bits `partial`, under a leading one."""
    if bits < 4:
        return partial - 1
    one = 1 << (bits - 4)
    return (one | partial & (one - 1)) - 1


def next_bit(bucket: Bucket, partial: int, bits: int) -> int:
    """The bit that the byte which came last has next; -1 where there is none, or the byte begins otherwise."""
    if bucket.run == 0 or (bucket.last | 256) >> (8 - bits) != partial:
        return -1
    return bucket.last >> (7 - bits) & 1
