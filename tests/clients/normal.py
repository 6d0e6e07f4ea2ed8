"""What two runs of one command may differ in, and nothing else: the table of normalisation.

Two runs of `docker run -d` print two ids, and `docker ps` two ages. Every such thing has a line in
TABLE with the word that takes its place; whatever no line covers has to be equal, byte for byte.
"""

import re

# In this order: what is recognised by its surroundings first, bare numbers last.
TABLE = [
    # what, pattern, replacement
    ("colours and cursor movements", r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[78=>]", ""),
    ("progress that overwrites itself", r"[^\n]*\r(?=[^\n])", ""),
    ("carriage returns", r"\r", ""),
    ("digests", r"sha256:[0-9a-f]{12,64}", "<digest>"),
    ("join tokens", r"SWMTKN-1-[0-9a-z-]+", "<token>"),
    ("engine identity, old", r"\b(?:[A-Z2-7]{4}:){11}[A-Z2-7]{4}\b", "<engine-id>"),
    ("UUIDs", r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>"),
    ("hardware addresses", r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<mac>"),
    ("long ids", r"\b[0-9a-f]{64}\b", "<id>"),
    ("swarm and BuildKit ids", r"\b(?=[a-z]*[0-9])[a-z0-9]{25}\b\*?", "<id>"),
    ("short ids", r"\b(?=[a-f]*[0-9])[0-9a-f]{12}\b", "<id>"),
    ("network addresses", r"\b(?:1[0-9]{2}|10)(?:\.[0-9]{1,3}){3}(?!:1\b)(?:/[0-9]+)?\b", "<address>"),
    ("times", r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?: ?Z| ?[+-][0-9:]{4,5})?(?: UTC)?", "<time>"),
    ("times, as ctime writes them", r"\b[A-Z][a-z]{2} [A-Z][a-z]{2} +[0-9]+ [0-9:]{8} [0-9]{4}\b", "<time>"),
    ("times, as HTTP writes them", r"\b[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT", "<time>"),
    ("short ids, as podman writes them", r"(?m)^--> [0-9a-f]{11}$", "--> <id>"),
    ("times in nanoseconds", r"\b1[0-9]{18}\b", "<time>"),
    ("times in seconds", r"\b1[0-9]{9}(?:\.[0-9]+)?\b", "<time>"),
    ("ages", r"(?i)\b(?:less than a second|an?|about an?|[0-9]+) ?(?:seconds?|minutes?|hours?|days?)?(?: ago)\b", "<age>"),
    ("ages of what runs", r"\bUp (?:less than a second|Less than a second|About an? \w+|an? \w+|[0-9]+ \w+)", "Up <age>"),
    ("durations", r"\b(?:[0-9]+m)?[0-9]+(?:\.[0-9]+)?(?:s|ms|µs|us)\b", "<duration>"),
    ("percentages", r"\b[0-9]+(?:\.[0-9]+)?%", "<percent>"),
    ("sizes for people", r"\b[0-9]+(?:\.[0-9]+)? ?(?:B|[kKMGT]i?B)\b", "<size>"),
    ("process ids in containers' paths", r"/proc/[0-9]+/", "/proc/<pid>/"),
    ("rulers of tables", r"-{8,}", "<ruler>"),
    ("alignment", r"[ \t]{2,}", "  "),
    ("blanks before the end of a line", r"[ \t]+(?=\n|\Z)", ""),
]
COMPILED = [(re.compile(pattern), replacement) for _, pattern, replacement in TABLE]

# Of BuildKit's progress only what was done, in any order: it reports when it can, not in a fixed number of lines.
BUILDKIT_NOISE = re.compile(
    r"^#[0-9]+ (?:sha256:|resolve |transferring |exporting |writing |naming |preparing |unpacking |CACHED|DONE|done|\.\.\.|[0-9])"
)


def normal(text, places, marks=()):
    """The text with everything replaced that may differ; `places` are this run's own paths."""
    for path, word in places:
        text = text.replace(path, word)
    for pattern, replacement in COMPILED:
        text = pattern.sub(replacement, text)
    lines = text.splitlines()
    if "buildkit" in marks:
        lines = [line for line in lines if not BUILDKIT_NOISE.match(line)]
        lines = [re.sub(r"^#[0-9]+ (?:[0-9.]+ )?| <duration>", "", line) for line in lines]
        lines = sorted({line for line in lines if line.strip()})
    if "digits" in marks:
        lines = [re.sub(r"[0-9]+(?:\.[0-9]+)?", "<n>", line) for line in lines]
    if "words" in marks:
        lines = [" ".join(sorted(line.split())) for line in lines]
    if "sort" in marks:
        lines = sorted(lines)
    if "once" in marks:
        lines = [line for at, line in enumerate(lines) if at == 0 or line != lines[at - 1]]
    return "\n".join(lines)
