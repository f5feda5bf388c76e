"""Holds the include lines, the third-party headers and the CMake links of src/ against layers.txt.

Usage: layers.py ROOT. Prints one line per finding; status 1 when there is any.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)
LIBRARY = re.compile(r"talosmq_library\((.*?)\n?\)", re.DOTALL)

# Third-party headers that only some folders may see. A folder matches by prefix.
FENCED = {
    "grpc": (re.compile(r"^(grpc|grpcpp|grpc\+\+)/|\.grpc\.pb\.h$"), ["rpc", "client", "loadgen", "metadata/etcd"]),
    "rocksdb": (re.compile(r"^rocksdb/"), ["kv"]),
}
PROTOBUF = re.compile(r"^google/protobuf/|\.pb\.h$")


def read_table(path):
    table = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        folder, _, allowed = line.partition("|")
        table[folder.strip()] = allowed.split()
    return table


def find_cycle(table):
    done = set()

    def visit(folder, path):
        if folder in path:
            return path[path.index(folder):] + [folder]
        if folder in done:
            return None
        for other in table.get(folder, []):
            cycle = visit(other, path + [folder])
            if cycle:
                return cycle
        done.add(folder)
        return None

    for folder in table:
        cycle = visit(folder, [])
        if cycle:
            return cycle
    return None


def check_include(table, folder, subfolder, target):
    """The complaint about one include line, None when it is fine."""
    for name, (pattern, folders) in FENCED.items():
        if pattern.search(target) and not any(
            subfolder == f or subfolder.startswith(f + "/") for f in folders
        ):
            return f"{name} header {target} outside of {', '.join(folders)}"
    if PROTOBUF.search(target):
        return None if "proto" in table[folder] else f"protobuf header {target} without 'proto' in the table"
    other = target.split("/")[0]
    if other not in table or other == folder:
        return None
    if other == "base" and folder != "base":
        return None
    if other not in table[folder]:
        return f"{folder} may not include {other} ({target})"
    return None


def check_sources(root, table):
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        relative = path.relative_to(root / "src")
        folder = relative.parts[0]
        if folder not in table:
            yield f"{path.relative_to(root)}: folder {folder} is not in the layer table"
            continue
        for _, target in INCLUDE.findall(path.read_text()):
            complaint = check_include(table, folder, str(relative.parent), target)
            if complaint:
                yield f"{path.relative_to(root)}: {complaint}"


def check_public_headers(root):
    for path in sorted((root / "include").rglob("*.h")):
        for kind, target in INCLUDE.findall(path.read_text()):
            standard = kind == "<" and "/" not in target
            if not standard and not target.startswith(("absl/", "talosmq/")):
                yield f"{path.relative_to(root)}: public header includes {target}"


def check_links(root, table):
    for path in sorted((root / "src").rglob("CMakeLists.txt")):
        for call in LIBRARY.findall(path.read_text()):
            words = call.split()
            folder = path.relative_to(root / "src").parts[0]
            linking = False
            for word in words[1:]:
                if word in ("SOURCES", "DEPS", "PRIVATE_DEPS"):
                    linking = word != "SOURCES"
                    continue
                name = word.removesuffix("_grpc")
                if not linking or "::" in word or name.split("_")[0] in ("base", folder):
                    continue
                if name not in table.get(folder, []):
                    yield f"{path.relative_to(root)}: {folder} may not link {word}"


def check(root):
    table = read_table(root / "tests/lint/layers.txt")
    findings = []
    cycle = find_cycle(table)
    if cycle:
        findings.append("tests/lint/layers.txt: cycle " + " -> ".join(cycle))
    findings += check_sources(root, table)
    findings += check_public_headers(root)
    findings += check_links(root, table)
    return findings


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found))
    sys.exit(1 if found else 0)
