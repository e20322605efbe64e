"""Numbers in bytes: docs/spec/format.md, "Conventions"."""

from reference.errors import Damaged


class Reader:
    """Takes fields off the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.position:
            raise Damaged("it ends too early")
        self.position += count
        return self.data[self.position - count : self.position]

    def byte(self) -> int:
        return self.take(1)[0]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                if value >= 1 << 64 or byte == 0 and shift > 0:
                    raise Damaged("a number is not written as it should be")
                return value
        raise Damaged("a number is too long")

    def string(self, most: int) -> str:
        size = self.varint()
        if size > most:
            raise Damaged("a name is too long")
        return self.take(size).decode("utf-8", "replace")

    def at_end(self) -> bool:
        return self.position == len(self.data)


def u64(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "little") for value in values)
