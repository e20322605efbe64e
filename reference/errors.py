"""What may be wrong with an archive."""


class Damaged(Exception):
    """The bytes are none that an encoder writes."""


class WrongModel(Exception):
    """The archive needs another model or dictionary, or one that was not given."""
