"""`View`: how an array is seen in a program's axes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """Transpose, reshape, broadcast.

    ``x.transpose(permutation).reshape(shape)`` then broadcast to `extents`. The
    reshape only splits axes, drops or adds axes of length 1, and merges axes that
    the caller knows to be mergeable without a copy.
    """

    permutation: tuple[int, ...]
    shape: tuple[int, ...]
    extents: tuple[int, ...]

    @property
    def is_identity(self) -> bool:
        """Whether the array may be used as it is (given its shape is `shape`)."""
        ordered = self.permutation == tuple(range(len(self.permutation)))
        return ordered and self.shape == self.extents
