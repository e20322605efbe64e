"""For workers, which may import nothing of pytest's."""

import os
import pathlib
import signal


def die_once(marker):
    """Kills this process, a worker, unless the marker says that one has died."""
    try:
        pathlib.Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
