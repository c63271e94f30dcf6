"""Files that are whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from twin import errors


def replace_file(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Let `write(temporary path)` make a file, then move it to `path` in one step; what was there before stays whole until then.

    Raises
    ------
    StorageError
        Where the folder is missing, full or cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except errors.TwinError:
        raise
    except OSError as e:
        reason = e.strerror or str(e)
        raise errors.StorageError(f"{path} cannot be written: {reason}. What was there before is unchanged. "
                                  "Choose another folder, or free space and check its permissions.") from e
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    return path


def make_folder(path: str | Path) -> Path:
    """The folder, made where it is missing, after a test that it can be written.

    Raises
    ------
    StorageError
        Where it cannot be made or written.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as e:
        raise errors.StorageError(f"The output folder {path} cannot be written: {e.strerror or e}. Nothing was changed. "
                                  "Choose another folder or check its permissions.") from e
    return path
