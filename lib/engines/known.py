"""Which fields of a spec an engine acts on.  Light to import: the command line asks it.

A field that is new in `RunSpec` belongs to no fast engine until it stands here: until then such
runs are the textbook's, which trains whatever `lib.model` makes of them.
"""

from lib.spec import KNOBS, RunSpec

_BOTH = frozenset(
    "task modulus train_size memorize_size d_model n_heads n_layers lr weight_decay beta1 beta2 "
    "eps epochs seed n_evals stop_after init_from split_mlp norm residual warmup init_scale "
    "d_head d_mlp".split()
)
KNOWN = {"numba": _BOTH | {"loss", "batch", "tied", "decayed"}, "stacked": _BOTH}
_OTHERS = {engine: [n for n in KNOBS if n not in known] for engine, known in KNOWN.items()}


def unknown_to(engine: str, spec: RunSpec) -> list[str]:
    """The fields that a spec sets and an engine does not act on."""
    return [n for n in _OTHERS.get(engine, ()) if getattr(spec, n) != KNOBS[n].default]
