"""The two READMEs say the same, their links lead somewhere, and their commands are commands of this program."""

import re
import shlex
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest
import typer.main

from freshtune.cli import app

ROOT = Path(__file__).parents[1]
FILES = ("README.md", "README.zh-CN.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])[+\-−]?\d+(?:[.,:]\d+)*")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sections(markdown: str) -> list[tuple[int, str]]:
    """Level and body of every section, code blocks taken out; what stands before the first heading has level 0."""
    prose = FENCE.sub("", markdown)
    levels = [0, *(len(marks) for marks in re.findall(r"^(#{1,6}) ", prose, re.MULTILINE))]
    return list(zip(levels, re.split(r"^#{1,6} ", prose, flags=re.MULTILINE), strict=True))


def numbers(body: str) -> list[str]:
    """Numbers in the order they stand; link targets are not read."""
    return [number.replace("−", "-") for number in NUMBER.findall(re.sub(r"\]\([^)]*\)", "]", body))]


def commands(markdown: str) -> Iterator[list[str]]:
    """The words of every ``freshtune …`` line in a code block, prompt, folder and continuation lines undone."""
    for _, block in FENCE.findall(markdown):
        for line in block.replace("\\\n", " ").split("\n"):
            match = re.match(r"(?:\$ )?(?:[\w./-]*/)?freshtune(?= |$)(.*)", line)
            if match:
                yield shlex.split(re.split(r" (?:\||>|&&|&)( |$)", match.group(1))[0], comments=True)


def test_same_headings_and_numbers_in_both() -> None:
    english, chinese = (sections(text(name)) for name in FILES)
    assert [level for level, _ in english] == [level for level, _ in chinese]
    assert len(english) >= 6
    compared = 0
    for (_, one), (_, other) in zip(english, chinese, strict=True):
        pairs = list(zip_longest(numbers(one), numbers(other)))
        assert [pair for pair in pairs if pair[0] != pair[1]] == [], one.split("\n")[0]
        compared += len(pairs)
    assert compared >= 20


def test_same_code_blocks_in_both() -> None:
    english, chinese = (FENCE.findall(text(name)) for name in FILES)
    assert english == chinese
    assert len(english) >= 3


@pytest.mark.parametrize("name", [*FILES, "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_relative_links_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", text(name))
    relative = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in relative if not (ROOT / name).parent.joinpath(target).exists()] == []


def disarm(command: object) -> None:
    """Take the acts out of a command and its sub-commands, so that calling it only reads its words."""
    command.callback = lambda **_: None  # type: ignore[attr-defined]
    for sub_command in getattr(command, "commands", {}).values():
        disarm(sub_command)


@pytest.mark.parametrize("name", [*FILES, "CONTRIBUTING.md"])
def test_commands_are_commands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = typer.main.get_command(app)
    disarm(command)
    lines = list(commands(text(name)))
    for words in lines:
        # A file that a command line names need not exist to be read as a file's name.
        for word in words:
            if re.fullmatch(r"[\w-]+(\.[\w-]+)+", word):
                Path(word).touch()
        command.main(words, prog_name="freshtune", standalone_mode=False)
    assert lines or name not in FILES
