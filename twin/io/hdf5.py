"""HDF5 files of runs: written whole or not at all; reading executes nothing, follows no link and has bounded sizes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twin import errors
from twin.data import Data, Run
from twin.files import replace_file
from twin.series import BAD, Series

FORMAT = "twinworks-data"
SCHEMA = 1
MAX_SAMPLES = 200_000_000  # of one file: 3.4 GB in memory
MAX_GROUPS = 1_000_000
_TYPES = {"times": "float64", "values": "float64", "quality": "uint8"}


def write_runs(path: str | Path, data: Data) -> Path:
    """Write runs as one HDF5 file; an older file is replaced in one step.

    Raises
    ------
    StorageError
        Where the file cannot be written; what was there before is unchanged.
    """
    def write(temporary: Path) -> None:
        import h5py

        import twin

        with h5py.File(temporary, "w") as file:
            file.attrs.update(format=FORMAT, schema=SCHEMA, library=twin.__version__, runs=len(data))
            for k, run in enumerate(data):
                group = file.create_group(f"runs/{k:06d}")
                group.attrs.update(name=run.name, start=run.start.isoformat() if run.start else "",
                                   time_unit=run.time_unit, series=len(run.series))
                for j, s in enumerate(run.series):
                    _write_series(group.create_group(f"{j:06d}"), s)

    return replace_file(path, write)


def read_runs(path: str | Path, *, recover: bool = False) -> Data:
    """Read runs from an HDF5 file of Twinworks.

    Parameters
    ----------
    path
        A file of `twin.write` or of a `twin.RunWriter`.
    recover
        True: where the file is not there but its recording was interrupted, or parts of it are damaged, read what is
        left, and warn how many rows were lost.

    Raises
    ------
    StorageError
        Where the file is missing, truncated, damaged, foreign, or of a newer version.
    """
    path = Path(path)
    if recover:
        from twin.io.recorder import interrupted, recover_run

        if not path.exists() and interrupted(path):
            found = recover_run(path)
            if found.lost:
                warnings.warn(found.message, stacklevel=2)
            return Data([found.run])
    lost = [0]
    with opened(path) as file:
        _check_format(file, path)
        data = Data(_read_run(group, path, lost if recover else None) for group in _groups(file, "runs", path))
    if lost[0]:
        warnings.warn(f"{path}: {lost[0]} rows in damaged parts were lost; they are left out. Restore the file from a "
                      "copy if there is one.", stacklevel=2)
    return data


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file, open for reading; whatever goes wrong inside becomes a StorageError that names it.

    Raises
    ------
    StorageError
        For a missing, truncated, damaged or foreign file.
    """
    import h5py

    try:
        with path.open("rb") as raw:
            head = raw.read(8)
    except (OSError, ValueError) as e:
        raise errors.StorageError(f"{path} cannot be read: {getattr(e, 'strerror', None) or e}. Check the path.") from e
    if head != b"\x89HDF\r\n\x1a\n":
        what = "is empty" if not head else "is no HDF5 file"
        raise errors.StorageError(f"{path} {what}. Expected a file of twin.write. Check the path, or copy the file "
                                  "again.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except errors.TwinError:
        raise
    except MemoryError:
        raise errors.StorageError(f"{path} does not fit into memory. Read it on a larger machine.") from None
    except Exception as e:  # a damaged file makes h5py raise nearly anything
        if "truncated" in str(e):
            raise errors.StorageError(f"{path} is truncated: {str(e).strip()[:160]}. Copy the file again.") from e
        raise errors.StorageError(f"{path} is damaged: {str(e).strip()[:160]}. Copy the file again, or read what is "
                                  "left with recover=True.") from e


def _check_format(file: Any, path: Path) -> None:
    form = file.attrs.get("format")
    if not isinstance(form, str) or form != FORMAT:
        raise errors.StorageError(f"{path} was not written by twin.write (format {str(form)[:40]!r}). Expected "
                                  f"'{FORMAT}'. Read it with h5py or pandas, and pass the DataFrame to twin.read.")
    schema = file.attrs.get("schema")
    if not hasattr(schema, "__index__") or not 1 <= int(schema) <= SCHEMA:
        raise errors.StorageError(f"{path} has schema {schema}. Expected 1 to {SCHEMA}. Update Twinworks to read it.")


def _write_series(group: Any, s: Series) -> None:
    group.attrs.update(name=s.name, unit=s.unit, hold=s.hold)
    for name, kind in _TYPES.items():
        array = getattr(s, name).astype(kind)
        options = {"compression": "gzip", "compression_opts": 1, "shuffle": True,
                   "fletcher32": True} if len(array) else {}
        group.create_dataset(name, data=array, **options)


def _groups(file: Any, name: str, path: Path) -> Iterator[Any]:
    """The stated number of child groups, in order; only real members of this file."""
    import h5py

    count = int(file.attrs.get("runs" if name else "series", -1))
    if not 0 <= count <= MAX_GROUPS:
        raise errors.StorageError(f"{path} states {count} parts. Expected 0 to {MAX_GROUPS}. It is damaged: copy it "
                                  "again.")
    for k in range(count):
        key = f"{name}/{k:06d}" if name else f"{k:06d}"
        link = file.get(key, getlink=True)
        member = file.get(key) if isinstance(link, h5py.HardLink) else None
        if not isinstance(member, h5py.Group):
            raise errors.StorageError(f"{path} lacks part '{key}' of {file.name}. It is damaged or was changed. "
                                      "Copy it again.")
        yield member


def _read_run(group: Any, path: Path, lost: list[int] | None) -> Run:
    from twin.io.times import start_of

    try:
        series = tuple(_read_series(g, path, lost) for g in _groups(group, "", path))
        start = _text(group, "start", path)
        return Run(_text(group, "name", path), start_of(start, str(path)) if start else None, series,
                   _text(group, "time_unit", path))
    except (errors.DataError, errors.UnitError) as e:
        raise errors.StorageError(f"{path} holds an inconsistent run: {e} It was changed: copy it again.") from e


def _read_series(group: Any, path: Path, lost: list[int] | None) -> Series:
    import numpy as np

    sets = {name: _dataset(group, name, kind, path) for name, kind in _TYPES.items()}
    if len({d.shape for d in sets.values()}) != 1:
        raise errors.StorageError(f"{path}: the columns of {group.name} differ in length. It is damaged: copy it "
                                  "again.")
    if lost is None:
        arrays = {name: d[()] for name, d in sets.items()}
    else:
        n = next(iter(sets.values())).shape[0]
        whole = np.ones(n, dtype=bool)
        arrays = {name: _by_chunks(d, whole) for name, d in sets.items()}
        lost[0] += int(n - whole.sum())
        arrays = {name: a[whole] for name, a in arrays.items()}
        arrays["quality"] = np.minimum(arrays["quality"], BAD)
    return Series(_text(group, "name", path), arrays["times"], arrays["values"], _text(group, "unit", path),
                  arrays["quality"], _text(group, "hold", path))


def _by_chunks(dataset: Any, whole: Any) -> Any:
    """All values, read chunk by chunk; rows of a damaged chunk become False in `whole`."""
    import numpy as np

    out = np.zeros(dataset.shape, dataset.dtype)
    step = dataset.chunks[0] if dataset.chunks else max(1, dataset.shape[0])
    for a in range(0, dataset.shape[0], step):
        try:
            out[a:a + step] = dataset[a:a + step]
        except (OSError, RuntimeError, ValueError):
            whole[a:a + step] = False
    return out


def _dataset(group: Any, name: str, kind: str, path: Path) -> Any:
    import h5py

    link = group.get(name, getlink=True)
    found = group.get(name) if isinstance(link, h5py.HardLink) else None
    plain = isinstance(found, h5py.Dataset) and found.dtype == kind and not found.is_virtual and not found.external
    if found is None or not plain or len(found.shape) != 1:
        raise errors.StorageError(f"{path}: '{name}' of {group.name} is not a plain column of {kind}. It is damaged or "
                                  "was changed. Copy it again.")
    if found.shape[0] > MAX_SAMPLES:
        raise errors.StorageError(f"{path}: {group.name} holds {found.shape[0]} samples. Expected at most "
                                  f"{MAX_SAMPLES}. Split the file.")
    return found


def _text(group: Any, name: str, path: Path) -> str:
    value = group.attrs.get(name)
    if not isinstance(value, str) or len(value) > 10_000:
        raise errors.StorageError(f"{path}: '{name}' of {group.name} is not a text. It is damaged or was changed. Copy "
                                  "it again.")
    return value
