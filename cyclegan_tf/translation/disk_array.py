"""Large arrays in files, of which parts are read and written."""

import os

import numpy as np


class DiskArray:
    """An array `(rows, columns, channels)` in a file.

    It is not mapped into memory, so that a process that reads all of it stays small. What is
    written is in the file at once, for the next process if this one dies.

    Args:
        path: of the file, which is created if there is none.
        shape: `(rows, columns, channels)`.
        dtype: of the values.
    """

    def __init__(self, path, shape, dtype):
        self.path, self.shape, self.dtype = path, tuple(shape), np.dtype(dtype)
        self._pixel = self.shape[2] * self.dtype.itemsize
        self._file = open(path, "r+b" if os.path.exists(path) else "w+b", buffering=0)  # noqa: SIM115
        self._file.truncate(self._pixel * self.shape[0] * self.shape[1])  # zeros until written

    def read(self, part):
        """The spans `part` of rows and columns, `(rows, columns, channels)`."""
        (top, bottom), (left, right) = part
        found = np.empty((bottom - top, right - left, self.shape[2]), self.dtype)
        for row, start, values in self._runs(part, found):
            self._file.seek(start)
            if self._file.readinto(values) != values.nbytes:
                raise OSError(f"{self.path} ends before row {row}.")
        return found

    def write(self, part, values):
        """Writes the values of the spans `part`."""
        values = np.ascontiguousarray(values, self.dtype)
        for _, start, run in self._runs(part, values):
            self._file.seek(start)
            left = memoryview(run).cast("B")
            try:
                while left:  # a disk that is nearly full takes only some
                    left = left[self._file.write(left) :]
            except OSError as error:
                error.filename = str(self.path)
                raise

    def _runs(self, part, values):
        """Pieces that lie together in the file: rows, or all of a part of whole rows."""
        (top, bottom), (left, right) = part
        if (left, right) == (0, self.shape[1]):
            yield top, top * self.shape[1] * self._pixel, values.reshape(-1).view(np.uint8)
            return
        for row in range(top, bottom):
            start = (row * self.shape[1] + left) * self._pixel
            yield row, start, values[row - top].reshape(-1).view(np.uint8)

    def close(self):
        self._file.close()

    def remove(self):
        """Closes the file and removes it."""
        self.close()
        os.unlink(self.path)
