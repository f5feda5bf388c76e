"""Reads the tables of Kafka's messages: messages/*.msg, one file for an API with all its versions.

The form of a table is told in docs/formats/kafka-messages.md. What is wrong with one is a TableError
that names file and line.
"""

import dataclasses
import pathlib
import re

FOLDER = pathlib.Path(__file__).parent / "messages"
NUMBERS = {"int8": 1, "int16": 2, "int32": 4, "int64": 8}
SIMPLE = [*NUMBERS, "bool", "uuid", "string", "bytes", "records"]
NULLABLE = ["string", "bytes", "records"]

HEAD = re.compile(r"api (\d+) (\w+) (\d+)-(\d+)(?: flexible (\d+))?$")
FIELD = re.compile(r"(?P<indent> +)(?P<name>[a-z0-9_]+) +(?P<type>\S+)(?: +(?P<attributes>.*))?$")
TYPE = re.compile(r"(?P<list>\[)?(?P<base>\w+)\]?(?P<nullable>\?(?:(?P<null_from>\d+)\+)?)?$")
VERSIONS = re.compile(r"(\d+)(?:(\+)|-(\d+))?$")


class TableError(Exception):
    pass


@dataclasses.dataclass
class Field:
    name: str
    base: str  # A simple type, or the name of the struct that `fields` are of.
    is_list: bool
    versions: range
    null_from: int | None  # First version in which it may be null.
    tag: int | None
    default: str | None  # As the table gives it; "empty" for what would else begin as null.
    is_ignorable: bool
    note: str
    fields: list = dataclasses.field(default_factory=list)

    @property
    def is_struct(self):
        return self.base[0].isupper()

    @property
    def is_nullable(self):
        return self.null_from is not None


@dataclasses.dataclass
class Api:
    key: int
    name: str
    versions: range
    flexible_from: int | None
    about: str
    request: list
    response: list

    def is_flexible(self, version):
        return self.flexible_from is not None and version >= self.flexible_from


def in_order(fields):
    """The fields as they stand on the wire: those with a tag come last, by tag."""
    return [f for f in fields if f.tag is None] + tagged(fields)


def tagged(fields):
    return sorted((f for f in fields if f.tag is not None), key=lambda f: f.tag)


def read_all(folder=FOLDER):
    return sorted((read(path) for path in folder.glob("*.msg")), key=lambda api: api.key)


def read(path):
    about, api, section = [], None, None
    open_fields = []  # (indent, fields, versions) of the structs that the next line may belong to.
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text, _, note = (part.rstrip() for part in line.partition("#"))
        try:
            if not text:
                if api is None and note:
                    about.append(note.strip())
            elif api is None:
                api = _read_head(text, " ".join(about))
            elif text in ("request", "response"):
                section = getattr(api, text)
                open_fields = [(2, section, api.versions)]
            else:
                _read_field(text, note.strip(), api, open_fields)
        except TableError as error:
            raise TableError(f"{path.name}:{number}: {error}") from None
    if api is None:
        raise TableError(f"{path.name}: expected 'api KEY NAME MIN-MAX', found nothing")
    return api


def _read_head(text, about):
    match = HEAD.match(text)
    if not match:
        raise TableError(f"expected 'api KEY NAME MIN-MAX [flexible VERSION]', found '{text}'")
    key, name, first, last, flexible = match.groups()
    return Api(int(key), name, range(int(first), int(last) + 1), int(flexible) if flexible else None, about, [], [])


def _read_field(text, note, api, open_fields):
    match = FIELD.match(text)
    if not match:
        raise TableError(f"expected a field, found '{text.strip()}'")
    indent = len(match["indent"])
    while open_fields and open_fields[-1][0] > indent:
        open_fields.pop()
    if not open_fields or open_fields[-1][0] != indent:
        raise TableError("indentation belongs to no struct")
    _, siblings, parent_versions = open_fields[-1]
    field = _make_field(match, note, api, parent_versions)
    siblings.append(field)
    if field.is_struct:
        open_fields.append((indent + 2, field.fields, field.versions))


def _make_field(match, note, api, parent_versions):
    kind = TYPE.match(match["type"])
    if not kind or (kind["base"] not in SIMPLE and not kind["base"][0].isupper()):
        raise TableError(f"unknown type '{match['type']}'")
    field = Field(match["name"], kind["base"], bool(kind["list"]), parent_versions, None, None, None, False, note)
    _read_attributes(field, (match["attributes"] or "").split(), parent_versions)
    if kind["nullable"]:
        if not field.is_list and field.base not in NULLABLE:
            raise TableError(f"{field.base} cannot be null")
        field.null_from = int(kind["null_from"] or field.versions[0])
        if field.null_from > field.versions[0] and field.default != "empty":
            raise TableError("what is not nullable in all versions needs '= empty'")
    if field.is_struct and not field.is_list and field.tag is None:
        raise TableError("a single struct has to have a tag")
    if field.tag is not None and field.versions[0] != api.flexible_from:
        raise TableError(f"a tagged field has to begin with the first flexible version, {api.flexible_from}")
    return field


def _read_attributes(field, words, parent_versions):
    while words:
        word = words.pop(0)
        versions = VERSIONS.match(word)
        if versions:
            first, is_open, last = versions.groups()
            last = parent_versions[-1] if is_open else int(last or first)
            field.versions = range(int(first), last + 1)
            if not field.versions or field.versions[0] not in parent_versions or last not in parent_versions:
                raise TableError(f"versions {word} go beyond those of what holds the field")
        elif word == "tag" and words:
            field.tag = int(words.pop(0))
        elif word == "=" and words:
            field.default = words.pop(0)
        elif word == "ignorable":
            field.is_ignorable = True
        else:
            raise TableError(f"unknown attribute '{word}'")
