"""`python -m runyard_standalone.enrol DIRECTORY NAME …`: makes agents known to a server, and writes the key of each to
`DIRECTORY/agents/NAME/key`. An agent whose key is there already is left alone, so the command may run at every start.
"""

import argparse
import os
import sys
from pathlib import Path

import httpx

from runyard_standalone.agent_keys import NoAgentKey, agent_key_file, ensure_agent_key


def main() -> int:
    """Environment: RUNYARD_URL, and RUNYARD_ADMIN_TOKEN or another API key that may make agents."""
    parser = argparse.ArgumentParser(prog="python -m runyard_standalone.enrol", description=main.__doc__)
    parser.add_argument("directory", type=Path, metavar="DIRECTORY")
    parser.add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    url, token = os.environ.get("RUNYARD_URL", ""), os.environ.get("RUNYARD_ADMIN_TOKEN", "")
    if not url or not token:
        parser.error("set RUNYARD_URL and RUNYARD_ADMIN_TOKEN")
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30) as http:
        try:
            for name in arguments.names:
                ensure_agent_key(http, agent_key_file(arguments.directory, name), name)
        except (NoAgentKey, httpx.HTTPError) as trouble:
            print(f"not enrolled: {trouble}", file=sys.stderr)
            return 1
    print(f"{', '.join(arguments.names)}: the keys are below {arguments.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
