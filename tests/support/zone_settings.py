"""Small settings of several zones, trained by the page's kernel and by the native one."""

SMALL = dict(modulus=31, epochs=2000, n_evals=60, lr=5e-3)
ZONES = [  # none near a limit of its zone: kernels of 4, 8 and 16 lanes agree on each
    dict(SMALL, d_model=d, train_size=size, weight_decay=decay, seed=seed)
    for d, size, decay, seed in [(4, 300, 1.0, 0), (8, 700, 1.0, 1), (12, 200, 1.0, 2)]
    + [(16, 500, 2.0, 3), (32, 300, 2.0, 5), (16, 300, 0.0, 6), (8, 500, 3.0, 7)]
    + [(24, 700, 1.0, 8)]
] + [
    dict(SMALL, task="random", d_model=16, train_size=300),
    dict(SMALL, task="square", d_model=24, train_size=700, weight_decay=2.0),
    dict(SMALL, task="multitask", d_model=16, train_size=300, memorize_size=200),
    dict(SMALL, task="multitask", d_model=24, train_size=700, memorize_size=100),
]
