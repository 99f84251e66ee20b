"""Languages as media files code them (ISO 639-2), as playlists do (BCP 47), and as people do."""

_LANGUAGES = """
ar Arabic ara; bg Bulgarian bul; ca Catalan cat; cs Czech ces cze; zh Chinese chi zho; da Danish dan
de German deu ger; el Greek ell gre; en English eng; et Estonian est; fa Persian fas per
fi Finnish fin; fr French fra fre; he Hebrew heb; hi Hindi hin; hr Croatian hrv; hu Hungarian hun
id Indonesian ind; is Icelandic isl ice; it Italian ita; ja Japanese jpn; ko Korean kor
lv Latvian lav; lt Lithuanian lit; ms Malay may msa; nl Dutch nld dut; no Norwegian nor
nb Norwegian nob; nn Nynorsk nno; pl Polish pol; pt Portuguese por; ro Romanian ron rum
ru Russian rus; sk Slovak slk slo; sl Slovenian slv; es Spanish spa; sr Serbian srp; sv Swedish swe
ta Tamil tam; te Telugu tel; th Thai tha; tr Turkish tur; uk Ukrainian ukr; vi Vietnamese vie
"""
_ROWS = [row.split() for row in _LANGUAGES.replace("\n", ";").split(";") if row.strip()]
_TAGS = {code: tag for tag, _, *codes in _ROWS for code in codes}
_NAMES = {tag: name for tag, name, *_ in _ROWS}


def language_tag(code: str | None) -> str | None:
    """The BCP 47 tag of an ISO 639-2 code as media files have it; None for undetermined."""
    if not code or code in ("und", "mul", "zxx", "mis"):
        return None
    return _TAGS.get(code.lower(), code)


def language_name(code: str | None) -> str | None:
    """What a language is called in English, else its tag; None for undetermined."""
    tag = language_tag(code)
    return tag and _NAMES.get(tag.lower(), tag)
