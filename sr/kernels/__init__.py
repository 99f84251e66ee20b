"""Numba kernels of the CPU path: nogil, cached on disk, no threads of their own.

Without fastmath, and with explicit fused multiply-adds where they count, so that every machine
computes the same bits (law 4 of the design: same input, same bytes).

Numba's cache on disk notices changes in a kernel's own file, not in kernels that it inlines from
another: after changing one, delete `sr/kernels/__pycache__`.
"""
