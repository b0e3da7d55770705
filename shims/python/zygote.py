"""The Python zygote: loads what every shim needs, then forks a container for each request of the warden.

multiprocessing runs a program's main module again in processes that it starts anew: only as __main__ does this do
anything.
"""

import gc
import sys


def main():
    sys.dont_write_bytecode = True
    sys.path.insert(0, "/var/hearth")

    import _hearth
    import bootstrap

    sys.path.remove(bootstrap.SHIM_FOLDER)
    bootstrap.prepare()
    bootstrap.rehearse()
    # A function may have a module of that name.
    del sys.modules["bootstrap"]

    # What is loaded now is shared by all containers: the collector must not write into it.
    gc.collect()
    gc.freeze()
    _hearth.fill_heap_gaps()
    _hearth.learn_pages(bootstrap.rehearse)

    if _hearth.serve_zygote():
        bootstrap.main()


if __name__ == "__main__":
    main()
