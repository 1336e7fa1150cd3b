"""What the lab offers: its sliders, its presets, its races and its grid.

A preset's seed was found by running it; a test trains each of them in the page's kernel and
compares the zone with its name.
"""

CHOICES = {
    "modulus": [31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97]
    + [101, 103, 107, 109, 113],
    "d_model": list(range(4, 68, 4)) + [72, 80, 88, 96, 100, 104, 112, 120, 128],
    "lr": [3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2],
    "weight_decay": [0.0, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0],
    "epochs": [500, 1000, 2000, 3000, 4000, 6000, 10_000, 20_000, 40_000, 60_000],
}
"""What the sliders over a list offer, by field of `RunSpec`: moduli are primes."""

_SMALL = dict(task="add", modulus=31, lr=3e-3, weight_decay=1.0, epochs=4000)

PRESETS = [
    dict(name=name, setting=_SMALL | dict(d_model=d, train_size=D, seed=seed), about=about)
    for name, d, D, seed, about in (
        ("grokking", 24, 400, 1,
         "It knows its training pairs by heart long before it finds the rule."),
        ("ungrokking", 24, 300, 1,
         "Too few sums: it learns them by heart, and never finds the rule."),
        ("semi-grokking", 24, 400, 0,
         "Another seed of the same setting: some pairs come right by the end, and not all."),
        ("progression", 8, 700, 0,
         "Too narrow to remember them all: both accuracies rise together."),
    )
]  # fmt: skip
"""The four dynamics modulo 31, by epoch 4,000: each trains in seconds on a machine at rest."""

RACES = [
    dict(
        name="memorize or generalize", common=_SMALL | dict(d_model=24, seed=1),
        lanes=[dict(train_size=300), dict(train_size=400)],
        about="The same network with fewer and with more sums: one remembers, one finds the rule."),
    dict(
        name="width 16 or 64", common=_SMALL | dict(train_size=400, seed=0),
        lanes=[dict(d_model=16), dict(d_model=64)],
        about="The same sums for a narrow and for a wide network."),
]  # fmt: skip

GRID = dict(
    widths=[8, 16, 32, 48], sizes=[300, 400, 500, 600], common=_SMALL,
    about="Final validation accuracy of 16 networks modulo 31: figure 3 in small.",
)  # fmt: skip
