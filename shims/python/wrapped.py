"""The start of a function whose AWS_LAMBDA_EXEC_WRAPPER was executed: the command that the wrapper gets, and executes."""

import sys

sys.path.insert(0, "/var/hearth")

import bootstrap  # noqa: E402

sys.path.remove(bootstrap.SHIM_FOLDER)
del sys.modules["bootstrap"]

if __name__ == "__main__":
    bootstrap.prepare()
    bootstrap.start_again()
