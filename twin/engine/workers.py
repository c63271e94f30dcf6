"""Worker threads over compiled calls: the main thread waits, so that Ctrl-C is heard at once and keeps what is done."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

WAIT = 0.05  # seconds between looks; a signal ends a wait at once


def wait_for(jobs: Sequence[Callable[[], None]], stop: Callable[[], None], look: Callable[[], None] | None = None,
             pause: float = WAIT) -> bool:
    """Run each job in a thread of its own until all are done; True if Ctrl-C came, after which `stop` ended them.

    `look` is called every `pause` seconds.
    """
    left = len(jobs)
    lock, done = threading.Lock(), threading.Event()
    failures: list[BaseException] = []

    def work(job: Callable[[], None]) -> None:
        nonlocal left
        try:
            job()
        except BaseException as problem:
            failures.append(problem)
            stop()
        finally:
            with lock:
                left -= 1
                if left == 0:
                    done.set()

    for job in jobs:
        threading.Thread(target=work, args=(job,), daemon=True).start()
    stopped = False
    while True:
        try:
            while not done.wait(pause):
                if look is not None:
                    look()
            break
        except KeyboardInterrupt:
            stopped = True
            stop()
    if failures:
        raise failures[0]
    return stopped


def default_threads() -> int:
    """As many threads as this process may use processors."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_batch(run: Any, batch: Any, threads: int, progress: Callable[[int], None] | None = None) -> bool:
    """Run all members of a batch on threads, each with a work space of its own; True if Ctrl-C ended it.

    The members are handed out in small chunks, so that a slow one holds up nobody.
    """
    members = len(batch.codes)
    threads = 1 if run.name == "python" else max(1, min(threads, members))
    chunk = max(1, min(64, members // (8 * threads)))
    starts = itertools.count(0, chunk)  # `next` on it is atomic
    own = [batch, *(run.batch(members, batch) for _ in range(threads - 1))]

    def job(b: Any) -> Callable[[], None]:
        def work() -> None:
            for first in starts:
                if first >= members or b.work.stop[0]:
                    return
                run.call(b, first, min(first + chunk, members))

        return work

    def stop() -> None:
        for b in own:
            b.work.stop[0] = 1

    look = None if progress is None else lambda: progress(int((batch.codes >= 0).sum()))
    return wait_for([job(b) for b in own], stop, look)
