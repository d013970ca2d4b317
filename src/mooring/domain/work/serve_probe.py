# SPDX-License-Identifier: Apache-2.0
"""Does this release serve this database? A script for the release's own Python, and the commands around it. Pure.

Used behind the hold, before users come back: one threaded process without cron threads, only on the loopback address, with
the server-wide modules `base` and `web` alone. The script starts it, asks for the login page until it comes, and stops it.
Where it is asked to, it does the same with the evented process, and has wkhtmltopdf, where there is one, print a page.

It speaks the task protocol, runs on Python 3.6 and newer, and needs nothing but the standard library.
"""

from __future__ import annotations

import re

SCRIPT = r'''
import collections, http.client, json, shutil, signal, subprocess, sys, threading, time

port, deadline_s, evented, option, pdf = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
command = sys.argv[7:]
tail = collections.deque(maxlen=60)
started = time.monotonic()


def say(kind, **rest):
    print(json.dumps(dict(v=1, type=kind, **rest)), flush=True)


def fail(brief, code="MOOR-441", reason="ProbeFailed", resolution="the release does not serve this database."):
    say("error", error={
        "code": code, "reason": reason, "brief": brief, "details": "".join(tail)[-3000:],
        "resolution": "Read the end of the log; " + resolution, "retry": "never",
    })


def ask(path, at=None):
    """(status, location) of one request; never through a proxy."""
    at = at or port
    link = http.client.HTTPConnection("127.0.0.1", at, timeout=10)
    try:
        link.request("GET", path, headers={"Host": "127.0.0.1:%d" % at})
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


def start(command):
    global child, reader
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
        errors="replace",
    )
    reader = threading.Thread(target=read, daemon=True)
    reader.start()


def check_evented():
    """The process for long-lived requests: any answer to the login page that is no fault of its own will do."""
    say("progress", step="start the evented process", done=0, total=0)
    start([command[0], "gevent"] + command[1:] + ["%s=%d" % (option, evented)])
    until, last = time.monotonic() + min(deadline_s, 120), "no answer yet"
    while time.monotonic() < until and child.poll() is None:
        try:
            last = ask("/web/login", evented)[0]
        except Exception as fault:
            last = type(fault).__name__
        if isinstance(last, int) and last < 500:
            stop()
            reader.join(5)
            return
        time.sleep(0.5)
    stop()
    reader.join(5)
    fail("The evented process does not answer: %s." % last, "MOOR-593", "EventedSilent",
         "with workers above 0 chat and notifications need that process.")
    sys.exit(1)


def check_pdf():
    """Whether there is a wkhtmltopdf, which then has to print a page."""
    program = shutil.which("wkhtmltopdf")
    if not program:
        return False
    say("progress", step="print a page", done=0, total=0)
    try:
        ran = subprocess.run([program, "-q", "-", "-"], input=b"<p>Mooring</p>", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=120)
        printed, said = ran.stdout.startswith(b"%PDF"), ran.stderr.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as fault:
        printed, said = False, type(fault).__name__
    if not printed:
        tail.append(said)
        fail("wkhtmltopdf prints no PDF.", "MOOR-594", "PdfFails", "reports of this release cannot be printed.")
        sys.exit(1)
    return True


say("progress", step="start Odoo", done=0, total=0)
start(command)
signal.signal(signal.SIGTERM, told)
signal.signal(signal.SIGINT, told)
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
if evented:
    check_evented()
prints = pdf == "pdf" and check_pdf()
say("result", result={"serves": True, "seconds": seconds, "evented": bool(evented), "pdf": prints})
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


def render_probe_argv(
    odoo: tuple[str, ...],
    *,
    port: int,
    deadline_s: int,
    evented: int = 0,
    evented_option: str = "",
    pdf: bool = False,
) -> tuple[str, ...]:
    """The whole command of the probe task.

    Args:
        odoo: what `render_odoo_argv` gave.
        port: where that listens.
        deadline_s: seconds until the login page has to have come.
        evented: port of the evented process, which has to answer too; 0 where there is none.
        evented_option: its option on the command line, such as `--gevent-port`.
        pdf: wkhtmltopdf, where there is one, has to print a page.
    """
    how = (str(port), str(deadline_s), str(evented), evented_option, "pdf" if pdf else "")
    return ("python3", "-c", SCRIPT, *how, "--", *odoo)
