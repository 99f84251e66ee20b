"""What we refuse before any decoder sees it, in one place."""

MIN_DIMENSION = 16
MAX_DIMENSION = 8192
MAX_PIXELS = 8192 * 4352
MAX_SEGMENT_FRAMES = 20_000
MAX_SEGMENT_BYTES = 512 * 2**20
