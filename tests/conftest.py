"""Fixtures of all tests: those of the browser tests live in `browsing`."""

import os
import signal

# PyTorch's and the BLAS's pools spin while they wait, here and in every process started from
# here, and the small products of the tests gain nothing by them.
for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(pool, "1")

pytest_plugins = ["browsing"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and every process
# that they start inherits it; those that are sent one must hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)
