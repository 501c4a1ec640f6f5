"""The command `taskdb`, and `python -m taskdb`."""

import sys


def main() -> int:
    """Run the command line and return its status: 130, too, for who interrupts its import."""
    try:
        from taskdb.errors import MissingExtraError

        try:
            from taskdb import cli
        except MissingExtraError as exc:
            print(f"taskdb: {exc}", file=sys.stderr)
            return 1
    except KeyboardInterrupt:
        print("\ntaskdb: Interrupted", file=sys.stderr)
        return 130
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
