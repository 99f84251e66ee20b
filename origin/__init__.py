"""An HLS origin that serves every title with extra variants, upscaled by a CNN on request."""

__version__ = "0.1.0"
