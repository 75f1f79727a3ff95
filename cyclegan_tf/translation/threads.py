"""Work in threads, whose results come in order."""

import collections
from concurrent.futures import ThreadPoolExecutor

from cyclegan_tf import processor

_MOST = 8  # more hold more images in memory, and wait for each other


def in_threads(work, items, leaving=None):
    """Yields `work(item)` for each item, in order.

    A few items are worked on ahead of the one that is yielded. An exception of `work` is raised
    when its result is due. Items that nobody has begun by then, or when the generator is closed,
    are left alone; those begun are finished first.

    Args:
        work: a function that threads may call at the same time.
        items: an iterable, also an endless one. It is only read in the thread of the caller.
        leaving: a `threading.Event` that is set when no more results are wanted, so that what is
            begun can end early.
    """
    count = min(_MOST, processor.core_count() + 1)
    with ThreadPoolExecutor(count) as pool:
        waiting = collections.deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if leaving is not None:
                leaving.set()
            for each in waiting:
                each.cancel()
