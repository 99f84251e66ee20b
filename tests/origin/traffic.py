"""Made-up requests to a cache, and how much of the work a policy spares on them."""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from origin.cache.policy import Policy, Resident

COSTS_SECONDS_PER_MB = (0.05, 0.3, 1, 5, 20)
"""From repackaging to a heavy network."""
TITLES = 400
SEGMENTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    key: str
    size: int
    cost_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    requests: float
    seconds: float


def _ask(title: int, segment: int) -> Ask:
    rng = Random(title)
    cost = rng.choice(COSTS_SECONDS_PER_MB)
    size = int(2 ** Random(title * 1000 + segment).uniform(16, 21))
    return Ask(key=f"{title}-{segment}", size=size, cost_seconds=cost * size / 1e6)


def zipf(seed: int, count: int) -> list[Ask]:
    """Single segments, some far more popular than others."""
    rng = Random(seed)
    asks = [_ask(title, segment) for title in range(TITLES) for segment in range(SEGMENTS)]
    rng.shuffle(asks)
    weights = list(accumulate(1 / (rank + 1) ** 0.9 for rank in range(len(asks))))
    return rng.choices(asks, cum_weights=weights, k=count)


def viewers(seed: int, count: int, *, scan: bool) -> list[Ask]:
    """Thirty at a time who watch from the start and leave sometime; `scan`: and a crawler."""
    rng = Random(seed)
    weights = list(accumulate(1 / (rank + 1) ** 0.9 for rank in range(TITLES)))
    watching: list[list[int]] = []
    asks: list[Ask] = []
    crawled = 0
    while len(asks) < count:
        if len(watching) < 30:
            watching.append([rng.choices(range(TITLES), cum_weights=weights)[0], 0])
        viewer = rng.choice(watching)
        asks.append(_ask(*viewer))
        viewer[1] += 1
        if viewer[1] >= SEGMENTS or rng.random() < 0.05:
            watching.remove(viewer)
        if scan and len(asks) % 4000 > 2500:
            asks += [_ask(10**6 + number // SEGMENTS, number) for number in (crawled, crawled + 1)]
            crawled += 2
    return asks


def traces(count: int = 60_000) -> dict[str, tuple[list[Ask], float]]:
    """Requests by name, each with the share of all bytes that the cache holds."""
    made = {
        "zipf": zipf(1, count),
        "viewers": viewers(1, count, scan=False),
        "viewers+scan": viewers(1, count, scan=True),
    }
    return {
        f"{name} {share:.0%}": (asks, share)
        for name, asks in made.items()
        for share in (0.03, 0.1, 0.3)
    }


def our_savings(asks: list[Ask], share: float) -> Savings:
    budget = _budget(asks, share)
    policy, held, hits = Policy(budget), dict[str, Resident](), list[Ask]()
    for ask in asks:
        if ask.key in held:
            policy.hit(held[ask.key])
            hits.append(ask)
            continue
        held[ask.key] = Resident(ask.key, ask.size, ask.cost_seconds)
        policy.admit(held[ask.key])
        while policy.size_bytes > budget and (gone := policy.victim()):
            del held[gone.key]
    return _savings(asks, hits)


def lru_savings(asks: list[Ask], share: float) -> Savings:
    budget, size = _budget(asks, share), 0
    held, hits = OrderedDict[str, Ask](), list[Ask]()
    for ask in asks:
        if ask.key in held:
            held.move_to_end(ask.key)
            hits.append(ask)
            continue
        held[ask.key] = ask
        size += ask.size
        while size > budget:
            size -= held.popitem(last=False)[1].size
    return _savings(asks, hits)


def _budget(asks: list[Ask], share: float) -> int:
    return int(share * sum({ask.key: ask.size for ask in asks}.values()))


def _savings(asks: list[Ask], hits: list[Ask]) -> Savings:
    spared = sum(ask.cost_seconds for ask in hits)
    return Savings(
        requests=len(hits) / len(asks), seconds=spared / sum(ask.cost_seconds for ask in asks)
    )
