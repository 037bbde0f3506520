"""What can be said of a block that cannot run here."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import raremine.brain as rmb
from raremine.operators import OPERATORS
from tests.docs.pages import ROOT, Block

ELSEWHERE = {"vllm", "docker", "sky", "ray"}
"""Programs that are not installed here: their options are not looked at."""


def check_block(block: Block) -> None:
    """Checks a block without running it.

    Raises:
        AssertionError: if a command, option, function or argument in it does
            not exist
        SyntaxError: if it is no Python or shell
    """
    if block.language == "python":
        check_python(block)
    else:
        check_shell(block)


def check_python(block: Block) -> None:
    """Checks that Python compiles, and that the SDK takes its calls."""
    tree = ast.parse(block.text, block.where)
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        named = [k.arg for k in call.keywords]
        if _is_sdk(call.func):
            function = getattr(rmb, call.func.attr, None)  # type: ignore
            assert function is not None, (
                f"{block.where}: no {ast.unparse(call.func)}"
            )
            if None in named or any(
                isinstance(a, ast.Starred) for a in call.args
            ):
                continue
            try:
                inspect.signature(function).bind(
                    *call.args, **dict.fromkeys(map(str, named))
                )
            except TypeError as error:
                raise AssertionError(
                    f"{block.where}: {ast.unparse(call.func)}: {error}"
                ) from None
    for uri in re.findall(r"@raremine/raremine/(\w+)", block.text):
        known = {operator.stage for operator in OPERATORS}
        assert uri in known, f"{block.where}: no operator {uri}"


def _is_sdk(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "rmb"
    )


def check_shell(block: Block) -> None:
    """Checks that shell parses, and that programs know their options."""
    parsed = subprocess.run(
        ["bash", "-n", "-c", block.text], capture_output=True, text=True
    )
    assert parsed.returncode == 0, f"{block.where}: {parsed.stderr}"
    for words in commands(block.text):
        _check_command(block, words)


def commands(text: str) -> list[list[str]]:
    """Returns the words of each command of a shell text."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||;", line):
            words = shlex.split(part, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words:
                found.append(words)
    return found


def _check_command(block: Block, words: list[str]) -> None:
    program, *rest = words
    where = f"{block.where}: {' '.join(words)}"
    if program in ELSEWHERE or program in ("cd", "export", "source", "ln"):
        return
    if program in ("python3", "python") and rest[0] == "run.py":
        _check_run_py(where, rest[1:])
    elif program == "git":
        assert rest[0] == "clone", where
        assert re.fullmatch(r"https://\S+", rest[1]), where
    elif program == "pip":
        _check_pip(where, rest)
    elif program == "fiftyone":
        _check_options(where, ("fiftyone", *_plain(rest)[:2]), rest)
    elif program == "transformers":
        _check_options(where, ("transformers", rest[0]), rest)
    elif program == "yolo":
        from ultralytics.cfg import MODES, TASKS, get_cfg

        assert rest[0] in TASKS and rest[1] in MODES, where
        pairs = [word.split("=", 1) for word in rest[2:]]
        for name, _ in pairs:
            assert hasattr(get_cfg(), name), f"{where}: no {name}"
    else:
        raise AssertionError(f"{where}: no check knows '{program}'.")


def _plain(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("-")]


def _check_run_py(where: str, words: list[str]) -> None:
    import run
    from demo.options import parse_options

    command, rest = run.parse(words)
    run.command_line(command, rest)
    if command == "demo":
        parse_options(rest)


def _check_pip(where: str, words: list[str]) -> None:
    _check_options(where, ("pip", words[0]), words)
    for word in words[1:]:
        extra = re.fullmatch(r"(?:raremine|\S*/raremine|\.)\[(\w+)\]", word)
        if extra:
            text = (ROOT / "pyproject.toml").read_text()
            assert f"optional-dependencies.{extra[1]} " in text, where
    for option in ("-r", "-c"):
        if option in words:
            name = Path(words[words.index(option) + 1]).name
            assert (ROOT / name).is_file(), where


def _check_options(where: str, program: tuple[str, ...], words: Any) -> None:
    text = _help(program)
    for word in words:
        if word.startswith("-"):
            option = word.split("=")[0]
            assert re.search(rf"(?<![\w-]){re.escape(option)}\b", text), (
                f"{where}: {' '.join(program)} has no {option}"
            )


@cache
def _help(program: tuple[str, ...]) -> str:
    binary = Path(sys.executable).parent / program[0]
    command = [str(binary), *program[1:], "--help"]
    if program[0] == "pip":
        command = [sys.executable, "-m", "pip", *program[1:], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
