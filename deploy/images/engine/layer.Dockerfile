# SPDX-License-Identifier: Apache-2.0
# The top layer of the engine image: this checkout's package on a base that has everything else.
# Built by testbed/images.sh; its context holds only the folder mooring/ (the package and its metadata).
ARG BASE
FROM ${BASE}
COPY mooring/ /opt/mooring/
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/mooring/mooring \
 && printf '#!/usr/bin/env python3\nimport sys\nfrom mooring.cli.main import main\nsys.exit(main())\n' \
    > /usr/local/bin/mooring \
 && chmod 755 /usr/local/bin/mooring
CMD ["mooring", "--help"]
