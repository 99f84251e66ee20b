"""Reads ncnn networks (a text .param, a binary .bin) and runs them in torch, without ncnn.

Only the layers that image networks of this house use. Files are not trusted: whatever does not fit
is one `UpscalerError`, before anything is allocated for it, and nothing in a file is executed.
"""
