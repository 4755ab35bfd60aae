"""``python -m benchmarks.gate [--seeds 20]``: measure the gate's errors and write ``results/gate.json``."""

import argparse
import json
import os
from pathlib import Path

from benchmarks.gate import labels, power
from freshtune.judge.case import Gate

DATA = Path(os.environ.get("FRESHTUNE_DATA", "../shared/data")) / "zh_online_shopping_10cats" / "reviews.csv.gz"
RESULT = Path(__file__).parent / "results" / "gate.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="deltas of each kind and category")
    seeds: int = parser.parse_args().seeds
    reviews = labels.read_reviews(DATA)
    told, settings = power.margins(reviews), Gate()
    result = {
        "command": f"python -m benchmarks.gate --seeds {seeds}",
        "bound_on_old": {
            "what": "share refused; changes and deviations in points of accuracy",
            "tie_margin": settings.tie_margin,
            "control_variate_explains": power.control_variate(told),
            "real": power.real(told, settings),
            "planted": power.planted(told, settings),
        },
        "labels": {
            "a release of the default backbone": labels.measure(reviews, labels.released_encoder, seeds),
            "TF-IDF": labels.measure(reviews, labels.tfidf_encoder, seeds),
        },
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(_lines(result), encoding="utf-8")
    print(RESULT)


def _lines(value: object, depth: int = 0) -> str:
    """JSON with one row of figures a line."""
    nested = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if not any(isinstance(part, dict | list) for part in nested):
        return json.dumps(value, ensure_ascii=False)
    pad, end = " " * (depth + 1), " " * depth
    if isinstance(value, dict):
        rows = [f"{pad}{json.dumps(key, ensure_ascii=False)}: {_lines(part, depth + 1)}" for key, part in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{end}}}"
    return "[\n" + ",\n".join(pad + _lines(part, depth + 1) for part in nested) + f"\n{end}]"


if __name__ == "__main__":
    main()
