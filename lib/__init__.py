"""A reference companion to *Unified View of Grokking, Double Descent and Emergent Abilities*.

The flow is one way: `spec` (what to train) → `train` (what happened) → `store` (what is kept)
→ `analysis`, `claims` (what it means) → `figures` (what is shown) → the book's notebooks.
"""

__version__ = "0.1.0"
