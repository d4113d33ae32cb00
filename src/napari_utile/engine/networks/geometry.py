"""The geometry of a convolutional network: receptive field, halo, stride and legal tile sizes, all computed.

The rule is the one of Long, Shelhamer and Darrell [1]_: layers with kernel sizes and strides (k, s), then (k', s'),
compose into one layer (k' + (k - 1) s', s s') when the primed one comes first. Up-convolutions have stride 1 / s.

References
----------
.. [1] J. Long, E. Shelhamer, T. Darrell. Fully convolutional networks for semantic segmentation. CVPR 2015.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count


@dataclass(frozen=True)
class Step:
    """One layer as geometry sees it.

    Attributes
    ----------
    kernel, stride : int
        Of the convolution or pooling (pixels of its input), or of the up-convolution (pixels of its output).
    up : bool
        Whether it is an up-convolution (transposed convolution).
    crop : int
        Output pixels cut off each side after the layer.
    """

    kernel: int
    stride: int = 1
    up: bool = False
    crop: int = 0

    def size(self, n: int) -> int:
        """Return the output size for `n` input pixels; 0 or less where the input is too small."""
        if n < 1:
            return 0
        full = (n - 1) * self.stride + self.kernel if self.up else (n - self.kernel) // self.stride + 1
        return full - 2 * self.crop

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input pixel that output pixels `first` to `last` depend on."""
        first, last = first + self.crop, last + self.crop
        if self.up:
            return -((self.kernel - 1 - first) // self.stride), last // self.stride
        return first * self.stride, last * self.stride + self.kernel - 1


@dataclass(frozen=True)
class Geometry:
    """How much context a valid network needs, and which tile sizes fit it.

    An input of `input_size(m)` pixels gives exactly `m` output pixels, whose first lies at input pixel `halo`.

    Attributes
    ----------
    halo : int
        Input pixels a side that carry no output.
    grid : int
        The network's stride: tiles whose corners differ by multiples of it agree pixel by pixel.
    smallest : int
        The smallest legal output size; the legal ones are ``smallest + n * grid``.
    support : tuple of int
        How many input pixels before and after an output pixel can change it, at most; either may exceed the
        halo by up to a grid cell, as poolings start at grid corners.
    """

    halo: int
    grid: int
    smallest: int
    support: tuple[int, int]

    def fits(self, output: int) -> bool:
        """Say whether a tile of `output` pixels is legal."""
        return output >= self.smallest and (output - self.smallest) % self.grid == 0

    def output_at_least(self, n: int) -> int:
        """Return the smallest legal output size of at least `n` pixels."""
        return self.smallest + max(0, -(-(n - self.smallest) // self.grid)) * self.grid

    def input_size(self, output: int) -> int:
        """Return the input size that gives `output` pixels.

        Raises
        ------
        ValueError
            If no input gives this output.
        """
        if not self.fits(output):
            raise ValueError(
                f"Outputs have {self.smallest} + n * {self.grid} pixels a side; {output} is none of them."
            )
        return output + 2 * self.halo


def geometry_of(paths: Sequence[Sequence[Step]]) -> Geometry:
    """Compute the geometry of a network from the layers of its paths from input to output.

    The path through the deepest layer, whose sizes decide what is legal, comes first. Each skip connection is a
    path of its own, cropped (``Step(1, crop=c)``) so that its output lies pixel on pixel on the first's.

    Parameters
    ----------
    paths : sequence of sequences of Step
        The layers in the order they are applied.

    Returns
    -------
    Geometry

    Raises
    ------
    ValueError
        If the output of the network does not lie in the middle of its input, pixel on pixel, or if some of its
        pixels see more layers' inputs than others do (an up-convolution cropped by less than kernel - stride).
    """
    main = paths[0]
    grid = _stride(main)
    smallest_input, smallest = smallest_sizes(main)
    halo, odd = divmod(smallest_input - smallest, 2)
    if odd:
        raise ValueError(f"{smallest_input} pixels in and {smallest} out cannot be centred.")
    before = after = 0
    for output in range(grid):  # the support differs with the position on the grid
        for path in paths:
            first, last = _reads(path, output)
            before, after = max(before, halo + output - first), max(after, last - halo - output)
    incomplete = _reads(main, 0)[0] < 0 or _reads(main, smallest - 1)[1] >= smallest_input
    if incomplete:
        raise ValueError(
            "Up-convolutions must be cropped by kernel - stride, else pixels at tile borders differ."
        )
    return Geometry(halo, grid, smallest, (before, after))


def smallest_sizes(steps: Sequence[Step]) -> tuple[int, int]:
    """Return the smallest input that every pooling divides without a remainder, and the output it gives (pixels)."""
    for n in count(1):
        size = _size(steps, n)
        if size is not None:
            return n, size
    raise AssertionError("count() does not end")


def _stride(path: Sequence[Step]) -> int:
    """Return the coarsest stride on the way."""
    stride, coarsest = Fraction(1), Fraction(1)
    for step in path:
        stride = stride / step.stride if step.up else stride * step.stride
        coarsest = max(coarsest, stride)
    if stride != 1:
        raise ValueError(
            f"The network's output has stride {stride}; it must have one output pixel per input pixel."
        )
    return int(coarsest)


def _size(path: Sequence[Step], n: int) -> int | None:
    """Return the output size for `n` input pixels, None where it does not fit without a remainder."""
    for step in path:
        if not step.up and (n - step.kernel) % step.stride:
            return None
        n = step.size(n)
        if n < 1:
            return None
    return n


def _reads(path: Sequence[Step], output: int) -> tuple[int, int]:
    first = last = output
    for step in reversed(path):
        first, last = step.reads(first, last)
    return first, last
