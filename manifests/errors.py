"""What manifests raises. The origin maps these to its own tree."""


class ManifestError(ValueError):
    """Text that cannot be understood or must be refused; the message says what and where."""
