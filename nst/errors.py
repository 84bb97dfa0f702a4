"""What can go wrong, by name. Every message is one sentence that says what to do."""


class NstError(Exception):
    """Base of this package's errors; the command line prints it as one line."""


class ImageError(NstError, ValueError):
    """A picture that cannot be read, written or used."""


class WeightsError(NstError, RuntimeError):
    """Network weights that are missing, damaged or of another network."""


class SettingsError(NstError, ValueError):
    """An argument or a settings file that makes no sense."""
