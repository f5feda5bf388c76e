"""What a tool can judge without argument: text rules over the tree.

Usage: tidy.py ROOT. Prints one line per finding; status 1 when there is any.
"""

import pathlib
import re
import sys

SOURCE = (".h", ".cc")
# (name, what it looks for, folders it concerns, paths that are exempt because they own the thing)
RULES = [
    ("use base::Mutex", r"\bstd::(recursive_|shared_)?mutex\b|\babsl::Mutex\b", ["src", "tests", "include"], ["src/base/mutex", "tests/support/power_switch"]),  # It is preloaded: nothing of ours is in it.
    ("use base::ThreadExecutor", r"\bstd::j?thread\b(?!::id)|\bpthread_create\b", ["src", "include"], ["src/base/executor.cc"]),
    ("read time through base::Clock", r"system_clock::now|steady_clock::now|\babsl::Now\(|\bgettimeofday\(|\bclock_gettime\(|\btime\((nullptr|NULL|0)\)", ["src", "include"], ["src/base/clock.cc"]),
    ("no sleep", r"\bsleep_for\b|\bsleep_until\b|\busleep\(|\bnanosleep\(|absl::SleepFor|\btime\.sleep\(|^\s*sleep\s+[0-9.]", ["src", "tests"], []),
    ("files are reached through io::FileSystem", r"(?<![\w:])::open\(|\bfsync\(|\bfdatasync\(|(?<![\w:])::rename\(|\bstd::rename\(|\bfilesystem::rename\(|\bofstream\b|\bfopen\(", ["src"], ["src/io"]),
    ("no absl hash container in a pure core", r"\b(flat|node)_hash_(map|set)\b", ["src/replication", "src/group", "src/controller"], []),
    ("no disabled test", r"\bDISABLED_|\bGTEST_SKIP\b|@unittest\.skip", ["tests"], []),
    ("no TODO", r"\bTODO\b|\bFIXME\b|\bXXX\b", ["src", "include", "tests", "bench", "scripts"], []),
]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def files(root, folder, suffixes):
    base = root / folder
    return sorted(p for p in base.rglob("*") if p.suffix in suffixes and p.is_file()) if base.exists() else []


def check_rules(root):
    for name, pattern, folders, exempt in RULES:
        expression = re.compile(pattern, re.MULTILINE)
        for folder in folders:
            for path in files(root, folder, SOURCE + (".py", ".sh")):
                relative = str(path.relative_to(root))
                if any(relative.startswith(e) for e in exempt + ["tests/lint/"]):
                    continue
                text = path.read_text(errors="replace")
                for match in expression.finditer(text):
                    line = text.count("\n", 0, match.start()) + 1
                    yield f"{relative}:{line}: {name}: {match.group(0).strip()}"


def check_links(root):
    pages = [root / "README.md"] + files(root, "docs", (".md",))
    for page in pages:
        if not page.exists():
            continue
        for target in LINK.findall(page.read_text()):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (page.parent / target).exists():
                yield f"{page.relative_to(root)}: dead link {target}"


def check_targets(root):
    lists = [p for p in root.rglob("CMakeLists.txt") if "build" not in p.relative_to(root).parts]
    named = {}
    for path in lists:
        named[path.parent] = path.read_text()
    for folder in ("src", "tests", "bench", "examples"):
        for path in files(root, folder, (".cc",)):
            for parent in path.parents:
                if parent in named and str(path.relative_to(parent)) in named[parent]:
                    break
                if parent == root:
                    yield f"{path.relative_to(root)}: in no CMake target"
                    break


def check(root):
    return list(check_rules(root)) + list(check_links(root)) + list(check_targets(root))


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found))
    sys.exit(1 if found else 0)
