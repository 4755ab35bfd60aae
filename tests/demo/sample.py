"""A made-up result: what the report's tests draw. No number in it was measured."""

from freshtune.demo.result import Change, DemoResult, DomainResult, FirstRelease, IncrementResult, Reply
from freshtune.demo.verdicts import Decision
from freshtune.records import Estimate

WORDS: dict[Decision, tuple[str, ...]] = {
    "promoted": ("No loss on new: accuracy on the latest 300 changed by +0.80 points; it must not fall.",),
    "refused": ("It has forgotten <script>: accuracy on 600 old examples changed by -1.20 points.", "Too slow."),
    "undecided": ("Worse on new, but within noise: accuracy on the latest 90 changed by -1.20 points.",),
}
NAMES = ("hotels 1", "hotels 2", "hotels 3", "hotels 4", "computers 1", "computers 2", "computers 3")


def increment(name: str, place: int, decision: Decision) -> IncrementResult:
    gain = 0.008 if decision == "promoted" else -0.012
    return IncrementResult(
        name=name,
        domain=name.split(" ")[0],
        events=500,
        kept=490 + place,
        duplicates=10 - place,
        held_out=148 + place,
        seconds={
            "ingest": 0.4, "delta": 0.3, "learn": 7.5 + place / 2, "ship": 0.5, "judge": 2.1, "publish": 0.9,
            "swap": 0.2,
        },
        fresh=Change(0.85 + place / 100, 0.85 + place / 100 + gain),
        old=Change(0.9, 0.9 + gain / 2),
        verdict=WORDS[decision],
        decision=decision,
        promoted=decision == "promoted",
        release=f"sentiment-{place:012x}",
    )  # fmt: skip


def sample(names: tuple[str, ...] = NAMES) -> DemoResult:
    """The third increment is refused, the sixth undecided."""
    steps = len(names) + 1
    decisions: dict[int, Decision] = {2: "refused", 5: "undecided"}
    increments = tuple(increment(name, place, decisions.get(place, "promoted")) for place, name in enumerate(names))
    curves = {
        "books": tuple(0.93 - 0.001 * step for step in range(steps)),
        "hotels": tuple(min(0.86 + 0.012 * step, 0.905) for step in range(steps)),
        "computers": (None, *(0.85 + 0.008 * step for step in range(1, steps))),
    }
    learned = {"books": 0.915, "hotels": 0.912, "computers": curves["computers"][-1] or 0.0}
    domains = tuple(
        DomainResult(
            domain=domain,
            examples=600,
            frozen=0.9,
            final=scores[-1] or 0.0,
            difference=Estimate(0.021, 0.008, 0.034),
            scores=scores,
            learned=learned[domain],
        )
        for domain, scores in curves.items()
    )
    return DemoResult(
        length="normal",
        backbone="bundled:multilingual-e5-small",
        metric="accuracy",
        first=FirstRelease("sentiment-000000000000", 2143, 2120, 23, 1490, 630, {"learn": 40.2, "ship": 3.0}, 0.93),
        increments=increments,
        domains=domains,
        sentence="房间很小 & 前台态度差，但位置不错 <b>",
        replies=(
            Reply("sentiment-000000000000", "positive", 0.612),
            Reply("sentiment-000000000006", "negative", 0.871),
        ),
        machine={"processor 处理器": "2 cores", "memory 内存": "23 GB", "threads 线程": "2"},
        total_seconds=214.0,
    )
