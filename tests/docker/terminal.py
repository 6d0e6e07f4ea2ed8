#!/usr/bin/env python3
"""Plays a command on a terminal of its own (24 rows, 80 columns).

    terminal.py STEP... -- COMMAND...

    expect=TEXT        waits until TEXT appears in what came since the last step
    send=TEXT          types TEXT (\\n and the like are understood)
    size=ROWSxCOLUMNS  resizes the terminal
    size=ROWSxCOLUMNS::TEXT  the same again and again until TEXT appears: a program may not yet watch
    size=ROWSxCOLUMNS::TYPED::TEXT  the same, and TYPED is typed each time
    until=TYPED::TEXT  types TYPED again and again until TEXT appears

Prints what the terminal showed and ends with the command's status; 99 when an expectation was not
met within a minute.
"""
import fcntl, os, pty, select, signal, struct, sys, termios, time

PATIENCE = 60.0


def main():
    split = sys.argv.index("--")
    steps, command = sys.argv[1:split], sys.argv[split + 1:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    shown, seen = bytearray(), 0

    def resize(rows, columns):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(patience):
        if not select.select([terminal], [], [], patience)[0]:
            return True
        try:
            got = os.read(terminal, 65536)
        except OSError:
            return False
        shown.extend(got)
        return bool(got)

    def wait_for(text, patience):
        nonlocal seen
        end = time.monotonic() + patience
        while time.monotonic() < end:
            at = shown.find(text.encode(), seen)
            if at >= 0:
                seen = at + len(text)
                return True
            if not read(0.1):
                return shown.find(text.encode(), seen) >= 0
        return False

    def typed(text):
        os.write(terminal, text.encode().decode("unicode_escape").encode("latin1"))

    resize(24, 80)
    for step in steps:
        verb, argument = step.split("=", 1)
        met = True
        if verb == "expect":
            met = wait_for(argument, PATIENCE)
        elif verb == "send":
            typed(argument)
        elif verb == "size":
            size, *more = argument.split("::")
            text, wanted = ["", "", *more][-2:]
            rows, columns = size.split("x")
            end, met = time.monotonic() + PATIENCE, False
            while not met and time.monotonic() < end:
                resize(int(rows), int(columns))
                os.kill(pid, signal.SIGWINCH)
                if text:
                    typed(text)
                met = not wanted or wait_for(wanted, 1.0)
                if not met:  # only a change is told to all programs of the terminal
                    resize(int(rows), int(columns) - 1)
        elif verb == "until":
            text, wanted = argument.split("::")
            end, met = time.monotonic() + PATIENCE, False
            while not met and time.monotonic() < end:
                typed(text)
                met = wait_for(wanted, 0.5)
        if not met:
            sys.stdout.write(shown.decode(errors="replace"))
            sys.stderr.write(f"\nnot met: {step}\n")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            sys.exit(99)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and read(0.5):
        pass
    sys.stdout.write(shown.decode(errors="replace"))
    sys.stdout.flush()
    ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        time.sleep(1)
        ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        sys.stderr.write("\nthe command does not end\n")
        sys.exit(99)
    sys.exit(os.waitstatus_to_exitcode(status) & 255)


main()
