"""What can go wrong, by name. Every message is one sentence that says what to do."""

import re

# Names of files may hold them: line breaks, and what a terminal obeys.
CONTROL = re.compile(r"[\x01-\x1f\x7f-\x9f\u2028\u2029]")


class NstError(Exception):
    """Base of this package's errors; the command line prints it as one line."""

    def __init__(self, message: str = ""):
        super().__init__(CONTROL.sub(lambda found: ascii(found[0])[1:-1], message))


class ImageError(NstError, ValueError):
    """A picture that cannot be read, written or used."""


class WeightsError(NstError, RuntimeError):
    """Network weights that are missing, damaged or of another network."""


class SettingsError(NstError, ValueError):
    """An argument or a settings file that makes no sense."""
