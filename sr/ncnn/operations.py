"""What the layers of a network compute, as values."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What flows between layers: a map of samples, or one value a channel where `rate` is 0."""

    channels: int
    rate: Fraction = Fraction(1)
    """Samples for each pixel of the network's input, along each axis."""
    cut: Fraction = Fraction(0)
    """A side of N input pixels gives `rate * N - cut` samples."""
    first: Fraction = Fraction(0)
    last: Fraction = Fraction(0)
    """Sample i depends on input pixels from `i / rate + first` to `i / rate + last`."""

    @property
    def is_map(self) -> bool:
        """Not pooled to one value."""
        return self.rate > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """`slope` is that of a leaky ReLU below 0."""

    kind: str
    slope: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """Cross-correlation with zero padding, or its transpose."""

    features: int
    channels: int
    kernel: int
    stride: int
    padding: int
    bias: bool
    transposed: bool
    activation: Activation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A matrix over pooled values."""

    features: int
    channels: int
    bias: bool
    activation: Activation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParametricRelu:
    """A slope below 0 for each channel, or one for all."""

    slopes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Takes samples off each side: `before` at the top and left, `after` elsewhere."""

    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """`kind` is nearest, bilinear or bicubic (a = -0.75, not antialiased)."""

    kind: str
    factor: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelShuffle:
    """Depth to space."""

    factor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Of maps, each times its weight."""

    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """What has no options: `copy`, `mean`, `product`, `concatenation`."""

    kind: str


Work = (
    Convolution | Linear | ParametricRelu | Crop | Resize | PixelShuffle | Sum | Plain | Activation
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A layer understood: its work, its result and what it costs."""

    work: Work
    blob: Blob
    tagged: tuple[int, ...] = ()
    """Shape of the weights that a .bin file stores behind a tag of their type, as it lays them."""
    plain: int = 0
    """Count of the float32 numbers behind those: a bias, or slopes."""
    macs: Fraction = Fraction(0)
    """Multiply-accumulates for each pixel of the network's input."""
