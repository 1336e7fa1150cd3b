"""Small settings of other tasks than `add`, trained by the page's kernel and by the native one."""

SMALL = dict(modulus=31, epochs=2000, n_evals=60, lr=5e-3)
ZONES = [  # none near a limit of its zone: kernels of 4, 8 and 16 lanes agree on each
    dict(SMALL, task="random", d_model=16, train_size=300),
    dict(SMALL, task="square", d_model=12, train_size=700, weight_decay=2.0),
    dict(SMALL, task="multitask", d_model=16, train_size=300, memorize_size=200),
    dict(SMALL, task="multitask", d_model=16, train_size=700, memorize_size=100),
]
