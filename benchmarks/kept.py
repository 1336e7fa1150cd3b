"""What was measured last, with where and when: kept for the page "Speed" (`bench --keep`)."""

import datetime
import json
from pathlib import Path

from lib.runs.machine import cores, cpu_model

FILE = Path(__file__).with_name("measured.json")


def keep(name: str, lines: list[str]) -> None:
    """Keep a table, its Markdown lines, under a name."""
    kept = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    kept[name] = dict(date=when, processor=cpu_model(), cores=cores(), lines=lines)
    FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


def table(name: str) -> str:
    """A kept table as Markdown, and below it where and when it was measured."""
    kept = json.loads(FILE.read_text("utf-8"))[name]
    place = f"{kept['processor']}, {kept['cores']} cores, {kept['date']}, in one sitting."
    return "\n".join([*kept["lines"], "", place])
