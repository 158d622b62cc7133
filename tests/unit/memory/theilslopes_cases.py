#!/usr/bin/env python3
"""theilslopes_cases.py | clang-format > theilslopes_cases.h: what scipy says of block minima.

Made with scipy 1.10.1. With five values and fewer the ranks of the interval lie outside the slopes,
and scipy takes the first and the last, which is less than 99 %. So does trend.c: the last case.
"""

import math
import random
import textwrap

from scipy.stats import theilslopes

HEAD = '''\
/* theilslopes_cases.h: printed by theilslopes_cases.py; scipy.stats.theilslopes(y, x, 0.99). */
#define GAP NAN /* nothing was observed in this block; x counts on */

static const struct {
    const char *name;
    uint32_t blocks;
    double minima[TREND_BLOCKS];
    double slope, low, high;
} theilslopes_cases[] = {'''


def cases():
    rng = random.Random(4)

    def noise(sd):
        return rng.gauss(0, sd)

    yield 'noise, 12', [round(100 + noise(1), 3) for _ in range(12)]
    yield 'noise, 28', [round(100 + noise(1), 3) for _ in range(28)]
    yield 'noise, odd', [round(noise(1e-3), 6) for _ in range(19)]
    yield 'bytes that grow', [209715200 + 524288 * i + round(noise(2e6)) for i in range(28)]
    yield 'bytes that shrink', [209715200 - 524288 * i + round(noise(2e6)) for i in range(26)]
    yield 'monotone', [i ** 2 for i in range(15)]
    yield 'constant', [7] * 14
    yield 'one step', [20] * 9 + [21] * 11
    yield 'descriptors', [20 + i // 6 + rng.randrange(3) for i in range(28)]
    yield 'two values', [rng.randrange(2) for _ in range(27)]
    yield 'a wave of a day', [round(200 + 10 * math.sin(math.pi * i / 2 + 1) + noise(1), 2)
                              for i in range(24)]
    yield 'an outlier', [round(50 + 0.1 * i + noise(0.2), 3) + 1e6 * (i == 8) for i in range(16)]
    gaps = [round(3 + 0.01 * i + noise(0.1), 4) for i in range(28)]
    yield 'gaps', [None if i % 7 in (2, 3) or 10 < i < 15 else y for i, y in enumerate(gaps)]
    ties = [rng.randrange(5) + i // 4 for i in range(22)]
    yield 'gaps and ties', [None if i in (0, 5, 6, 20) else y for i, y in enumerate(ties)]
    yield 'too few for 99 %', [3, 1, 4, 2, 6]


def text_of(y):
    return 'GAP' if y is None else repr(y)


def main():
    print(HEAD)
    for name, minima in cases():
        pairs = [(y, x) for x, y in enumerate(minima) if y is not None]
        found = theilslopes([y for y, _ in pairs], [x for _, x in pairs], 0.99)
        numbers = ', '.join(text_of(y) for y in minima)
        print(f'    {{"{name}",\n     {len(minima)},')
        print(textwrap.fill(f'{{{numbers}}},', 99, initial_indent='     ',
                            subsequent_indent='      '))
        for number in (found.slope, found.low_slope):
            print(f'     {float(number)!r},')
        print(f'     {float(found.high_slope)!r}}},')
    print('};')


if __name__ == '__main__':
    main()
