"""Downloads one source distribution through pip's own configuration, without building its metadata.

usage: sdist.py NAME VERSION FOLDER

`pip download --no-binary` runs the package's build backend only to learn its name, which takes minutes for a Rust
package. The caller checks the file's digest.
"""

import sys

from pip._internal.commands.download import DownloadCommand
from pip._internal.network.download import Downloader


def main(name: str, version: str, folder: str) -> None:
    command = DownloadCommand("download", "")
    options, _ = command.parse_args(["--no-deps", "--no-binary", ":all:", name])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        found = [c for c in finder.find_all_candidates(name) if str(c.version) == version]
        if not found:
            sys.exit(f"the package index has no source distribution of {name} {version}")
        path, _ = Downloader(session, "off")(found[0].link, folder)
        print(path)


if __name__ == "__main__":
    main(*sys.argv[1:4])
