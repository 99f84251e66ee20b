import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from origin.access import Access, sign, without_token
from origin.errors import ForbiddenError

NOW = 1_800_000_000
LATER = NOW + 3600
SECRET = "a secret of sixteen bytes or more"
ACCESS = Access(signing_keys={"k1": SECRET, "k2": "another one that is not short"})
PATH = "/films/a%20show/ep1/master.m3u8"
SIGNED = sign(PATH, key="k1", secret=SECRET, expires=LATER, depth=3)


def test_a_signed_path_is_admitted_without_its_token() -> None:
    assert ACCESS.admit(SIGNED, NOW) == PATH


def test_what_playlists_refer_to_inherits_the_token() -> None:
    below = SIGNED.removesuffix("master.m3u8") + "360p/000.ts"
    assert ACCESS.admit(below, NOW) == "/films/a%20show/ep1/360p/000.ts"


def test_the_same_path_written_otherwise_is_admitted() -> None:
    assert ACCESS.admit(SIGNED.replace("films", "f%69lms"), NOW)


@pytest.mark.parametrize(
    "path",
    [
        PATH,
        SIGNED.replace("ep1", "ep2"),
        SIGNED.replace("a%20show", "another"),
        SIGNED.replace("k1", "k2"),
        SIGNED.replace("k1", "k3"),
        SIGNED.replace("k1", "md5"),
        SIGNED.replace(str(LATER), str(LATER + 1)),
        SIGNED.replace(f"{LATER}.3", f"{LATER}.2"),
        SIGNED.replace(f"{LATER}.3", f"{LATER}.0"),
        SIGNED.replace(f"{LATER}.3", f"{LATER}.03"),
        SIGNED.replace("/films", "/%2e%2e/films"),
        SIGNED.replace("/films", "//films"),
        "/" + SIGNED,
        "/~/" + PATH,
        "/~k1",
    ],
)
def test_another_path_key_or_time_is_refused(path: str) -> None:
    with pytest.raises(ForbiddenError):
        ACCESS.admit(path, NOW)


def test_a_token_is_good_until_it_expires() -> None:
    assert ACCESS.admit(SIGNED, LATER - 1)
    with pytest.raises(ForbiddenError, match="expired"):
        ACCESS.admit(SIGNED, LATER)


def test_a_rotation_refuses_no_url_that_is_still_good() -> None:
    old, new = Access(signing_keys={"a": "1" * 16}), Access(signing_keys={"b": "2" * 16})
    both = Access(signing_keys={**old.signing_keys, **new.signing_keys})
    of_old = sign("/f/x.ts", key="a", secret="1" * 16, expires=LATER, depth=1)
    of_new = sign("/f/x.ts", key="b", secret="2" * 16, expires=LATER, depth=1)
    assert old.admit(of_old, NOW) == both.admit(of_old, NOW) == both.admit(of_new, NOW)
    assert new.admit(of_new, NOW)
    with pytest.raises(ForbiddenError):
        new.admit(of_old, NOW)


def test_no_mutated_token_of_a_million_is_admitted() -> None:
    chance = random.Random(1)
    alphabet = string.ascii_letters + string.digits + "-_.~/%"
    token, path = SIGNED[: -len(PATH)], PATH
    accepted = []
    for _ in range(1_000_000):
        characters = list(token)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            at = chance.randrange(1, len(characters))
            characters[at] = chance.choice(alphabet)
        mutated = "".join(characters)
        if mutated == token:
            continue
        try:
            ACCESS.admit(mutated + path, NOW)
        except ForbiddenError:
            continue
        accepted.append(mutated)
    assert accepted == []


@settings(max_examples=max(300, settings.default.max_examples))
@given(st.text(max_size=80))
def test_any_path_is_admitted_or_refused(text: str) -> None:
    for path in (text, "/~k1." + text, f"/~k1.{LATER}.1.{'a' * 43}/{text}"):
        with pytest.raises(ForbiddenError):
            ACCESS.admit(path, NOW)


def test_nothing_is_demanded_by_default() -> None:
    access = Access()
    assert access.is_open
    assert access.admit(PATH, NOW) == PATH
    assert access.admit(SIGNED, NOW) == PATH
    assert access.is_from_cdn(None)
    assert access.is_admin(None)


def test_two_secrets_of_the_cdn_are_valid_at_once() -> None:
    access = Access(cdn_secrets=("old", "new"))
    assert not access.is_open
    assert access.is_from_cdn("old")
    assert access.is_from_cdn("new")
    assert not access.is_from_cdn("older")
    assert not access.is_from_cdn("")
    assert not access.is_from_cdn(None)
    assert not access.is_from_cdn("nö\udce9")


def test_administrators_bear_a_key() -> None:
    access = Access(admin_keys=("key",))
    assert access.is_admin("Bearer key")
    assert access.is_admin("bearer  key")
    assert not any(map(access.is_admin, (None, "", "key", "Basic key", "Bearer", "Bearer keys")))


def test_md5_is_off_unless_it_has_a_secret() -> None:
    path = sign(PATH, key="md5", secret=SECRET, expires=LATER, depth=2)
    with pytest.raises(ForbiddenError):
        ACCESS.admit(path, NOW)
    access = Access(secure_link_secret=SECRET)
    assert access.admit(path, NOW) == PATH
    with pytest.raises(ForbiddenError):
        access.admit(path.replace("films", "other"), NOW)


def test_secrets_and_tokens_are_not_shown() -> None:
    access = Access(signing_keys={"k": SECRET}, cdn_secrets=(SECRET,), admin_keys=(SECRET,))
    assert SECRET not in repr(access)
    assert without_token(SIGNED) == "/~*" + PATH
    assert without_token(PATH) == PATH


def test_a_path_must_have_the_parts_that_are_signed() -> None:
    with pytest.raises(ValueError, match="3 parts"):
        sign("/films/x.ts", key="k1", secret=SECRET, expires=LATER, depth=3)
    with pytest.raises(ValueError, match="2 parts"):
        sign("/films/../x.ts", key="k1", secret=SECRET, expires=LATER, depth=2)
