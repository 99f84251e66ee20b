"""Tensors in, tensors out: models, weights, resampling, colour and the engine that runs them.

`load_model` gives the plain network for research; `open_upscaler` the fast path on planes that
the origin uses. No av, no HTTP, no playlists here.
"""
