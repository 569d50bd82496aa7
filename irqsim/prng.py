"""Named deterministic streams of random numbers, in integers only.

Each thing that draws has a stream of its own, made from the run's seed and its name, so
that adding one never changes what another draws.  No float and no libm is involved: the
same numbers come out on every platform.

A stream makes its numbers a block at a time: a block is one long integer with a lane for each
number, and the arithmetic of all lanes is done at once.

Source: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
2014); the exponential after Ahrens and Dieter ("Computer methods for sampling from the
exponential and normal distributions", 1972, algorithm SA); the normal by rejection from it
(von Neumann, 1951).
"""

from __future__ import annotations

import struct
from typing import Final

from irqsim.units import Duration

PPM: Final = 1_000_000

_MASK64: Final = (1 << 64) - 1
_GOLDEN_GAMMA: Final = 0x9E3779B97F4A7C15
_FACTOR_1: Final = 0xBF58476D1CE4E5B9
_FACTOR_2: Final = 0x94D049BB133111EB

# A block of numbers.  A lane has 128 bits, so that a product of two numbers stays in its own.
_NR_LANES: Final = 32
_LANE_BITS: Final = 128
_ONES: Final = sum(1 << lane * _LANE_BITS for lane in range(_NR_LANES))
_MASKS: Final = _ONES * _MASK64
_STEPS: Final = sum(
    ((lane + 1) * _GOLDEN_GAMMA & _MASK64) << lane * _LANE_BITS for lane in range(_NR_LANES)
)
_WORDS: Final = struct.Struct(f"<{_NR_LANES * _LANE_BITS // 64}Q")

# Fixed point: 1.0 is 1 << 64.  ln 2, rounded down.
_ONE_BITS: Final = 64
_HALF: Final = 1 << (_ONE_BITS - 1)
_LN2: Final = 0xB17217F7D1CF79AB


def _partial_sums() -> tuple[int, ...]:
    """Return the sums of ln2**i / i! for i = 1, 2, ...; they approach 1."""
    sums: list[int] = []
    term, total, i = 1 << 2 * _ONE_BITS, 0, 0
    while True:
        i += 1
        term = (term * _LN2 >> _ONE_BITS) // i
        total += term
        if sums and sums[-1] == total >> _ONE_BITS:
            # What is left to 1.0 is below the resolution.
            return (*sums, _MASK64)
        sums.append(total >> _ONE_BITS)


_LN2_SUMS: Final = _partial_sums()


class Stream:
    """One stream of random numbers.  Make it with stream()."""

    __slots__ = ("_state", "_words")

    def __init__(self, state: int) -> None:
        self._state: int = state
        # The numbers of 64 bits that are ready, the next one last.
        self._words: list[int] = []

    def bits(self, n: int) -> int:
        """Return n random bits, n at most 64."""
        assert 0 <= n <= _ONE_BITS
        return self._word() >> (_ONE_BITS - n)

    def below(self, n: int) -> int:
        """Return one of 0 .. n-1, all alike."""
        assert 0 < n <= 1 << _ONE_BITS
        width = (n - 1).bit_length()
        while True:
            value = self.bits(width)
            if value < n:
                return value

    def uniform(self, lo: int, hi: int) -> int:
        """Return one of lo .. hi, both included."""
        assert lo <= hi
        return lo + self.below(hi - lo + 1)

    def chance(self, ppm: int) -> bool:
        """Return True with a probability of ppm in a million."""
        return self.below(PPM) < ppm

    def exponential(self, mean: int) -> int:
        """Return an exponentially distributed number with this mean."""
        assert mean >= 0
        return (self._exponential() * mean + _HALF) >> _ONE_BITS

    def normal(self, mean: int, sigma: int) -> int:
        """Return a normally distributed number; what would be negative is 0."""
        assert sigma >= 0
        # Of two exponential numbers x and y, x is half of a normal distribution if it is
        # kept with probability exp(-(x-1)^2 / 2), that is, if y is above that exponent.
        while True:
            x = self._exponential()
            off = x - (1 << _ONE_BITS)
            if self._exponential() >= off * off >> (_ONE_BITS + 1):
                break
        deviation = (x * sigma + _HALF) >> _ONE_BITS
        return max(0, mean + deviation if self.bits(1) else mean - deviation)

    def _exponential(self) -> int:
        """Return an exponentially distributed number with mean 1.0, in fixed point.

        Whole multiples of ln 2 are a matter of tossing coins.  What remains is below ln 2,
        and is the smallest of a random number of uniform ones.
        """
        whole = _ONE_BITS
        while (word := self._word()) == 0:
            whole += _ONE_BITS
        whole -= word.bit_length()
        rest = self._word()
        if rest <= _LN2_SUMS[0]:
            return whole * _LN2 + rest
        smallest = self._word()
        for limit in _LN2_SUMS[1:]:
            smallest = min(smallest, self._word())
            if rest <= limit:
                break
        return whole * _LN2 + (smallest * _LN2 >> _ONE_BITS)

    def _word(self) -> int:
        """Return the next number of 64 bits."""
        words = self._words
        if not words:
            words.extend(_block(self._state))
            self._state = (self._state + _NR_LANES * _GOLDEN_GAMMA) & _MASK64
        return words.pop()


def stream(seed: int, name: str) -> Stream:
    """Return the stream of this name; the same seed and name give the same numbers."""
    state = 0
    for byte in f"{seed}/{name}".encode():
        state = _mix(((state ^ byte) + _GOLDEN_GAMMA) & _MASK64)
    return Stream(state)


def draw(duration: Duration, stream: Stream, tick_ns: int) -> int:
    """Return how long it takes this time, in ns, rounded up to whole ticks.

    What is not zero before rounding does not become zero, and a fixed duration draws
    nothing from the stream.
    """
    kind = duration.kind
    if kind == "fixed":
        value = duration.a
    elif kind == "uniform":
        value = stream.uniform(duration.a, duration.b)
    elif kind == "exponential":
        value = max(1, stream.exponential(duration.a)) if duration.a else 0
    else:
        value = stream.normal(duration.a, duration.b)
    return -(-value // tick_ns) * tick_ns


def _mix(z: int) -> int:
    z = (z ^ z >> 30) * _FACTOR_1 & _MASK64
    z = (z ^ z >> 27) * _FACTOR_2 & _MASK64
    return z ^ z >> 31


def _block(state: int) -> tuple[int, ...]:
    """Return the next numbers from this state, the first one last: _mix() of every lane.

    What a shift brings down from the lane above is masked off.
    """
    z = _ONES * state + _STEPS & _MASKS
    z = (z ^ z >> 30 & _MASKS) * _FACTOR_1 & _MASKS
    z = (z ^ z >> 27 & _MASKS) * _FACTOR_2 & _MASKS
    z ^= z >> 31 & _MASKS
    return _WORDS.unpack(z.to_bytes(_WORDS.size, "little"))[-2::-2]
