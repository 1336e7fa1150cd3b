"""A reference companion to *Unified View of Grokking, Double Descent and Emergent Abilities*.

The flow is one way: `tasks`, `spec`, `data`, `model` (what to train) → `runs` (what is kept) →
`engines`, `train` (how) → `sweeps` (many of them) → `analysis`, `circuits`, `paper` (what it
means) → `figures`, `widgets` (what is shown) → `chapters`, `cli` (who asks for it).
"""

__version__ = "0.1.0"
