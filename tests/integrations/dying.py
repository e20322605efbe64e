"""For workers, which may import nothing of pytest's."""

import os
import pathlib
import signal

import smll.ray


def die_once(marker):
    """Kills this process, a worker, unless the marker says that one has died."""
    try:
        pathlib.Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class DiesOnce(smll.ray.Compress):
    """Its process is killed over the third batch, the first time that one comes to it."""

    def __init__(self, marker, **options):
        super().__init__(**options)
        self.marker = marker
        self.batches = 0

    def __call__(self, table):
        self.batches += 1
        if self.batches == 3:
            die_once(self.marker)
        return super().__call__(table)


class StopsOnce(smll.ray.Compress):
    """Notes which rows come to it, and ends the run at one of them unless the marker says that a run has ended so."""

    def __init__(self, seen, marker, row, **options):
        super().__init__(**options)
        self.seen = seen
        self.marker = pathlib.Path(marker)
        self.row = row

    def __call__(self, table):
        ids = table["id"].to_pylist()
        if self.row in ids and not self.marker.exists():
            self.marker.touch()
            raise RuntimeError("the run ends here")
        with open(self.seen, "a") as seen:
            seen.writelines(f"{number}\n" for number in ids)
        return super().__call__(table)
