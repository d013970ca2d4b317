# SPDX-License-Identifier: Apache-2.0
"""The others' side: restic with pg_dump, encrypted and compressed as it comes, and a tar.gz that is uploaded whole."""

from __future__ import annotations

from bench.backups.box import ACCESS, BUCKET, SECRET, Box, endpoint, rclone_env
from bench.backups.dataset import DATABASE, OWNER
from bench.commands import Run


class Restic:
    """restic for the files, and for a dump that is not compressed: so it finds again what did not change."""

    def __init__(self, box: Box, prefix: str) -> None:
        self.box, self.prefix = box, prefix

    def init(self) -> None:
        """Make its repository."""
        self._run("restic init")

    def backup(self) -> Run:
        """Dump and files, one after the other, each as one snapshot."""
        return self._run(
            f"pg_dump -Fc -Z0 -d {DATABASE} | restic backup --stdin --stdin-filename shop.dump\n"
            "restic backup /bench/data/filestore"
        )

    def restore(self) -> Run:
        """The files, and the dump into a new database with two workers."""
        self.box.query(f"CREATE DATABASE restored OWNER {OWNER} TEMPLATE template0")
        self.box.query("CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent", "restored")
        try:
            return self._run(
                "rm -rf /bench/restored; restic restore latest --path /bench/data/filestore --target /bench/restored\n"
                "restic dump latest --path /shop.dump /shop.dump > /bench/restored.dump\n"
                # The extensions are the administrator's; pg_restore tells of them and goes on.
                "pg_restore -L <(pg_restore -l /bench/restored.dump | grep -v EXTENSION) -j 2 --no-owner --exit-on-error"
                " -d restored /bench/restored.dump\nsync -f /bench/restored"
            )
        finally:
            self.box.query("DROP DATABASE restored")
            self.box.shell("rm -rf /bench/restored /bench/restored.dump")

    def _run(self, script: str) -> Run:
        return self.box.shell(
            script,
            {
                **pg_env(self.box),
                "RESTIC_REPOSITORY": f"s3:{endpoint(self.box)}/{BUCKET}/{self.prefix}",
                "RESTIC_PASSWORD_FILE": self.box.path("password"),
                "RESTIC_CACHE_DIR": self.box.path(f"{self.prefix}-cache"),
                "AWS_ACCESS_KEY_ID": ACCESS,
                "AWS_SECRET_ACCESS_KEY": SECRET,
            },
        )


class Whole:
    """pg_dump, a tar.gz of the files, both in one tar.gz, and its upload: every time everything."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def backup(self) -> Run:
        """Make and upload it; it is left for `restore`."""
        return self._run(
            "rm -rf /bench/whole; mkdir /bench/whole; cd /bench/whole\n"
            f"pg_dump -Fc -d {DATABASE} -f database.dump\n"
            "tar -czf filestore.tar.gz -C /bench/data filestore\n"
            "echo date > backup.info\n"
            "cd /bench; tar -czf whole.tar.gz whole\n"
            f"rclone copyto whole.tar.gz bench:{BUCKET}/whole.tar.gz; rm -rf /bench/whole /bench/whole.tar.gz"
        )

    def restore(self) -> Run:
        """Fetch and unpack it, and restore the dump as it does: with one worker."""
        self.box.query(f"CREATE DATABASE restored OWNER {OWNER} TEMPLATE template0")
        self.box.query("CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent", "restored")
        try:
            return self._run(
                f"rm -rf /bench/restored; mkdir /bench/restored; cd /bench/restored\n"
                f"rclone copyto bench:{BUCKET}/whole.tar.gz whole.tar.gz\n"
                "tar -xzf whole.tar.gz; tar -xzf whole/filestore.tar.gz\n"
                "pg_restore -L <(pg_restore -l whole/database.dump | grep -v EXTENSION) --no-owner --exit-on-error"
                " -d restored whole/database.dump\nsync -f /bench/restored"
            )
        finally:
            self.box.query("DROP DATABASE restored")
            self.box.shell("rm -rf /bench/restored")

    def _run(self, script: str) -> Run:
        return self.box.shell(script, {**pg_env(self.box), **rclone_env(self.box)})


def pg_env(box: Box) -> dict[str, str]:
    """How PostgreSQL's programs are told of the server, in a box that is thrown away."""
    return {"PGHOST": f"{box.name}-postgres", "PGUSER": OWNER, "PGPASSWORD": box.password}
