"""What sr raises. The origin maps these to its own tree."""


class UpscalerError(ValueError):
    """A model, weight file, device or size that cannot be used; the message says what and why."""
