"""Runs one client's driver and gives what it did, step by step.

A driver is one file. `NAME.steps` lists shell commands:

    ## title  [marks]
    shell lines

Every other driver is a program that prints such title lines itself, before what it has to say.
Marks: `core` – also part of the subset; `sort` – the order of lines is free, `words` – that of words in a line; `once` – repeated lines
count as one; `digits` – numbers are measurements; `buildkit` – the text holds BuildKit's progress.
"""

import os
import re
import signal
import subprocess
from dataclasses import dataclass, field

TITLE = re.compile(r"^## (?P<title>.+?)(?:  \[(?P<marks>[a-z ]+)\])?$")
PATIENCE = 120.0


@dataclass
class Step:
    title: str
    code: object = 0
    out: str = ""
    err: str = ""
    marks: tuple = field(default=())


def read(path):
    """The steps of a driver that lists them: (title, marks, shell)."""
    steps = []
    for line in path.read_text().splitlines():
        title = TITLE.match(line)
        if title:
            steps.append((title["title"], tuple((title["marks"] or "").split()), []))
        elif steps and line.strip():
            steps[-1][2].append(line)
    titles = [title for title, _, _ in steps]
    doubles = {title for title in titles if titles.count(title) > 1}
    if doubles:
        raise SystemExit(f"{path}: not unique: {', '.join(sorted(doubles))}")
    return [(title, marks, "\n".join(shell)) for title, marks, shell in steps]


def run(driver, command, env, cwd, subset=False, only=None, without=()):
    """Plays the whole driver; with `subset` only its steps marked `core`, with `only` those that
    begin with one of its words; never what is marked with one of `without`."""
    if driver.suffix == ".steps":
        done = []
        for title, marks, shell in read(driver):
            if subset and "core" not in marks:
                continue
            if set(marks) & set(without):
                continue
            if only and not any(title.startswith(word) for word in only.split(",")):
                continue
            code, out, err = execute(["bash", "-c", shell], env, cwd)
            done.append(Step(title, code, out, err, marks))
        return done
    return told(*execute([*command, str(driver)], env, cwd))


def told(code, out, err):
    """The steps that a program told of, with its own end as the last."""
    steps = [Step("(start)")]
    for line in out.splitlines(keepends=True):
        title = TITLE.match(line.rstrip("\n"))
        if title:
            steps.append(Step(title["title"], marks=tuple((title["marks"] or "").split())))
        else:
            steps[-1].out += line
    if not steps[0].out:
        steps.pop(0)
    return [*steps, Step("(end)", code, "", err)]


def execute(command, env, cwd):
    """Exit code, output and errors; a command that hangs is killed with all its children."""
    child = subprocess.Popen(
        command, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )
    code = None
    try:
        out, err = child.communicate(timeout=PATIENCE)
        code = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
        code = "hangs"
    finally:
        end_group(child.pid)
    return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def end_group(group):
    """Ends what a step left behind in the background."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
