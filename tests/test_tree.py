"""What may lie in the tree: small files, no machine's paths, no registry's name, nothing that runs code out of data."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LARGEST, WHOLE = 300_000, 5_000_000
MACHINE_PATHS = re.compile(r"(?<![\w.$~*}])/(root|home|opt|work|Users)/")
REGISTRIES = re.compile(r"(pypi|pythonhosted|npmjs|debian|pytorch|tsinghua|aliyun)\.(org|com|net|edu|cn)")
UNSAFE_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "torch.save", "time.sleep", "os.system"}


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git keeps or would keep: new ones count before they are added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return tuple(path for path in sorted({ROOT / name for name in names if name}) if path.is_file())


@cache
def texts() -> dict[str, str]:
    contents = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in tracked()}
    return {name: content.decode("utf-8") for name, content in contents.items() if b"\0" not in content}


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {match.group(0)}"
        for name, text in texts().items()
        for number, line in enumerate(text.split("\n"), start=1)
        if (match := pattern.search(line))
    ]


def test_files_are_small() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in tracked()}
    assert len(sizes) >= 100
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}
    assert sum(sizes.values()) < WHOLE


def test_no_path_of_a_machine() -> None:
    assert found(MACHINE_PATHS) == []


def test_no_registry_is_named() -> None:
    own = Path(__file__).relative_to(ROOT).as_posix()
    assert [place for place in found(REGISTRIES) if not place.startswith(own)] == []


def test_the_patterns_find_what_they_are_for() -> None:
    assert MACHINE_PATHS.search("see " + "/" + "root/x")
    assert REGISTRIES.search("files." + "pythonhosted" + ".org")
    assert not MACHINE_PATHS.search("src/" + "work/x")


def name_of(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def test_source_runs_nothing_out_of_data_and_never_sleeps() -> None:
    modules = [path for path in tracked() if path.suffix == ".py" and path.is_relative_to(ROOT / "src")]
    wrong = []
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: set[str] = set()
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names} & UNSAFE_IMPORTS
            elif isinstance(node, ast.ImportFrom):
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                names = ({str(node.module).split(".")[0]} & UNSAFE_IMPORTS) | (full & UNSAFE_CALLS)
            elif isinstance(node, ast.Call):
                names = {name_of(node.func)} & UNSAFE_CALLS
                names |= {
                    word.arg
                    for word in node.keywords
                    if word.arg == "allow_pickle" and ast.unparse(word.value) != "False"
                }
            wrong += [
                f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
                for name in names
                if isinstance(node, ast.stmt | ast.expr)
            ]
    assert wrong == []
    assert len(modules) >= 60


def test_locks_name_every_file_by_its_hash_and_no_cuda() -> None:
    for lock, least in (("dev.txt", 80), ("serve.txt", 25), ("build.txt", 2), ("cuda.txt", 10), ("torch-cpu.txt", 1)):
        lines = texts()[f"requirements/{lock}"].split("\n")
        pins = [line for line in lines if "==" in line]
        assert len(pins) >= least
        assert all(re.fullmatch(r"[a-z0-9-]+==[^ ]+( ; .+)? \\", line) for line in pins)
        assert all(re.fullmatch(r"#.*|[a-z0-9-]+==.* \\| {4}--hash=sha256:[0-9a-f]{64}( \\)?|", line) for line in lines)
        assert lock == "cuda.txt" or not any(re.match(r"nvidia|cuda|triton=", line) for line in pins)
    assert "torch==" not in texts()["requirements/serve.txt"]
