"""Files that are whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twin import errors

_count = itertools.count()


def replace_file(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Let `write(temporary path)` make a file, then move it to `path` in one step; what was there stays whole until then.

    Raises
    ------
    StorageError
        Where the folder is missing, full or cannot be written.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.getpid()}-{next(_count)}.partial"
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except errors.TwinError:
        raise
    except OSError as e:
        raise errors.StorageError(f"{path} cannot be written: {e.strerror or e}. What was there before is unchanged. "
                                  "Choose another folder, or free space and check its permissions.") from e
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def write_json(path: str | Path, value: Any) -> Path:
    """Write strict JSON in one step: what is not finite is written as null.

    Raises
    ------
    StorageError
        Where the file cannot be written; an older one stays whole.
    """
    text = json.dumps(_plain(value), indent=1, allow_nan=False)
    return replace_file(path, lambda temporary: temporary.write_text(text))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_folder(path: str | Path) -> Path:
    """The folder, made where it is missing, after a test that it can be written.

    Raises
    ------
    StorageError
        Where it cannot be made or written.
    """
    path = Path(path)
    probe = path / f".{os.getpid()}-{next(_count)}.partial"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as e:
        raise errors.StorageError(f"The output folder {path} cannot be written: {e.strerror or e}. Nothing was changed. "
                                  "Choose another folder or check its permissions.") from e
    return path
