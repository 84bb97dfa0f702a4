"""What one submission may use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds and megabytes (10⁶ bytes) that one submission may use."""

    cell_seconds: int = 30  # then the cell is interrupted, and the notebook goes on
    seconds: int = 300  # then the kernel is killed; what passed until then counts
    memory_mb: int = 4000
    file_mb: int = 200  # the largest file it may write

    @property
    def files_mb(self) -> int:
        """What all of its files may take together."""
        return 2 * self.file_mb
