"""How the Python clients tell what happened: a title line, then the result or the error."""

import sys


def step(title):
    """Runs the function below it at once and prints what it returns; what it raises is a result too."""

    def play(work):
        print(f"## {title}", flush=True)
        try:
            told = work()
        except Exception as error:  # whatever the library makes of an answer is what is compared
            told = f"{type(error).__name__}: {error}"
        if told is not None:
            print(told, flush=True)

    return play


def first(stream):
    """The first item of an endless stream, which is then closed."""
    item = next(stream)
    stream.close()
    return item


sys.stdout.reconfigure(line_buffering=True)
