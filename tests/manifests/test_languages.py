import pytest

from manifests.languages import language_name, language_tag


@pytest.mark.parametrize(
    ("code", "tag", "name"),
    [
        ("eng", "en", "English"),
        ("GER", "de", "German"),
        ("deu", "de", "German"),
        ("pt-BR", "pt-BR", "pt-BR"),
        ("ja", "ja", "Japanese"),
        ("tlh", "tlh", "tlh"),
        ("und", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_languages(code, tag, name):
    assert (language_tag(code), language_name(code)) == (tag, name)
