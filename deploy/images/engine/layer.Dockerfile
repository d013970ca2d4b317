# SPDX-License-Identifier: Apache-2.0
# The top layer of the engine image: Mooring's package on base.Dockerfile's image, which has everything else.
# The context is made by Mooring: the folder mooring/, which is the package that runs there.
ARG BASE
FROM ${BASE}
COPY mooring/ /opt/mooring/mooring/
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/mooring/mooring \
 && printf '#!/usr/bin/env python3\nimport sys\nfrom mooring.cli.main import main\nsys.exit(main())\n' \
    > /usr/local/bin/mooring \
 && chmod 755 /usr/local/bin/mooring
CMD ["mooring", "--help"]
