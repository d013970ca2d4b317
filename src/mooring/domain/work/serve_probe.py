# SPDX-License-Identifier: Apache-2.0
"""Does this release serve this database? A script for the release's own Python, and the commands around it. Pure.

Used behind the hold, before users come back: one threaded process without cron threads, only on the loopback address, with
the server-wide modules `base` and `web` alone. The script starts it, asks for the login page until it comes, and stops it.
It speaks the task protocol, runs on Python 3.6 and newer, and needs nothing but the standard library.
"""

from __future__ import annotations

import re

SCRIPT = r'''
import collections, http.client, json, signal, subprocess, sys, threading, time

port, deadline_s, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[4:]
tail = collections.deque(maxlen=60)
started = time.monotonic()


def say(kind, **rest):
    print(json.dumps(dict(v=1, type=kind, **rest)), flush=True)


def fail(brief):
    say("error", error={
        "code": "MOOR-441", "reason": "ProbeFailed", "brief": brief, "details": "".join(tail)[-3000:],
        "resolution": "Read the end of the log; the release does not serve this database.", "retry": "never",
    })


def ask(path):
    """(status, location) of one request; never through a proxy."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request("GET", path, headers={"Host": "127.0.0.1:%d" % port})
        answer = link.getresponse()
        answer.read()
        return answer.status, answer.getheader("Location") or ""
    finally:
        link.close()


def login():
    """What the login page answers in the end: 200, or why not."""
    path = "/web/login"
    for _ in range(5):
        status, location = ask(path)
        if status not in (301, 302, 303, 307, 308):
            return status
        for own in ("http://127.0.0.1:%d" % port, "http://localhost:%d" % port):
            if location.startswith(own):
                location = location[len(own):]
        if location.startswith("/web/database"):
            return "a redirection to the database manager"
        if not location.startswith("/"):
            return 200
        path = location
    return "too many redirections"


def stop():
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def told(number, frame):
    stop()
    fail("The probe was stopped.")
    sys.exit(1)


def read():
    for line in child.stdout:
        tail.append(line)
        sys.stdout.write(line)
        sys.stdout.flush()


say("progress", step="start Odoo", done=0, total=0)
child = subprocess.Popen(
    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
    errors="replace",
)
signal.signal(signal.SIGTERM, told)
signal.signal(signal.SIGINT, told)
reader = threading.Thread(target=read, daemon=True)
reader.start()
last, spoke = "no answer yet", started
while True:
    if child.poll() is not None:
        reader.join(5)
        fail("Odoo ended with exit code %d before it served." % child.returncode)
        sys.exit(1)
    if time.monotonic() - started > deadline_s:
        stop()
        reader.join(5)
        fail("Odoo gave no login page within %d seconds: %s." % (deadline_s, last))
        sys.exit(1)
    if time.monotonic() - spoke > 10:
        spoke = time.monotonic()
        say("progress", step="wait for the login page", done=int(spoke - started), total=int(deadline_s))
    try:
        last = login()
    except Exception as fault:
        last = type(fault).__name__
    if last == 200:
        break
    time.sleep(0.5)
seconds = round(time.monotonic() - started, 1)
stop()
reader.join(5)
say("result", result={"serves": True, "seconds": seconds})
'''


def render_odoo_argv(program: str, config: str, *, database: str, port: int) -> tuple[str, ...]:
    """Odoo as the probe runs it; the options win over the file's, and are the same in every series from 14 to 20."""
    return (
        program,
        f"--config={config}",
        f"--database={database}",
        # The file's filter would win over the name: another database would answer for this one.
        f"--db-filter=^{re.escape(database)}$",
        "--workers=0",
        "--max-cron-threads=0",
        "--load=base,web",
        "--http-interface=127.0.0.1",
        f"--http-port={port}",
        "--logfile=",
    )


def render_probe_argv(odoo: tuple[str, ...], *, port: int, deadline_s: int) -> tuple[str, ...]:
    """The whole command of the probe task.

    Args:
        odoo: what `render_odoo_argv` gave.
        port: where that listens.
        deadline_s: seconds until the login page has to have come.
    """
    return ("python3", "-c", SCRIPT, str(port), str(deadline_s), "--", *odoo)
