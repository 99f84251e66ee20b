"""What a title's paths stand for, as bodies that production can make."""

from collections.abc import Callable, Sequence

from origin.media.types import BodyJob, ProduceSegment
from origin.service.production import Item, cache_key
from origin.service.titles import Title


def item_of(
    title: Title,
    *,
    digest: str,
    name: str,
    content_type: str,
    job: Callable[[], BodyJob],
    lighter: Callable[[BodyJob], Sequence[ProduceSegment]] = lambda job: (),
    next_uri: str | None = None,
) -> Item:
    """A body that is made of a title's source.

    Args:
        title: Whose it is; its library's part of the cache is what the body takes.
        digest: Of the plan, as it stands in the path.
        name: Tells bodies of one plan apart.
        content_type: Of the body.
        job: As `Item` has it, as `lighter` and `next_uri`.
        lighter: See there.
        next_uri: See there.
    """
    return Item(
        key=cache_key(digest, name),
        content_type=content_type,
        job=job,
        is_current=title.snapshot.is_current,
        lighter=lighter,
        library=title.source.library.name,
        next_uri=next_uri,
    )
