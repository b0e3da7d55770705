"""The layer rule: a folder of src/ includes only from rows strictly below its own in ARCHITECTURE.md's table.

The table is the code block after the heading "## Layers". One row a line, highest first, folders separated by spaces;
what follows two or more spaces and an opening bracket is a remark. Exceptions are lines "FOLDER may include HEADER".
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read_table():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    block = re.search(r"^## Layers$.*?^```\n(.*?)^```$", text, re.S | re.M)
    if not block:
        sys.exit("ARCHITECTURE.md: no code block after '## Layers'")
    rows, allowed = [], set()
    for line in block.group(1).splitlines():
        exception = re.fullmatch(r"(\S+) may include (\S+)", line.strip())
        if exception:
            allowed.add(exception.groups())
        elif line.strip():
            rows.append(re.sub(r"\s{2,}\(.*", "", line).split())
    height = {folder: len(rows) - i for i, row in enumerate(rows) for folder in row}
    return height, allowed


def main():
    height, allowed = read_table()
    wrong = []
    for file in sorted((ROOT / "src").rglob("*")):
        if file.suffix not in (".cc", ".h", ".c"):
            continue
        folder = file.relative_to(ROOT / "src").parts[0]
        if folder not in height:
            wrong.append(f"{file.relative_to(ROOT)}: folder {folder} is in no layer of ARCHITECTURE.md")
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            include = re.match(r'\s*#include "([^"]+)"', line)
            if not include or "/" not in include.group(1):
                continue
            target = include.group(1).split("/")[0]
            if target == folder or target not in height or (folder, include.group(1)) in allowed:
                continue
            if height[target] >= height[folder]:
                wrong.append(f"{file.relative_to(ROOT)}:{number}: {folder} may not include {include.group(1)}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
