#!/usr/bin/env python3
"""Writes the C++ of Kafka's messages from their tables.

Usage: generate_codec.py FOLDER      writes apis.h and for each API <api>.h and <api>.cc
       generate_codec.py --list      prints the names of those files, for CMake

A request's texts view the frame that it was decoded from; a response owns its texts.
"""

import pathlib
import sys

import message_tables as tables

CPP_NUMBERS = {name: f"{name}_t" for name in tables.NUMBERS}
REQUEST_TYPES = CPP_NUMBERS | {"bool": "bool", "uuid": "TopicId"} | dict.fromkeys(tables.NULLABLE, "std::string_view")
RESPONSE_TYPES = REQUEST_TYPES | {"string": "std::string", "bytes": "std::string", "records": "Records"}


def stem(api):
    return "".join("_" + c.lower() if c.isupper() else c for c in api.name).lstrip("_")


def lines_of(text):
    return [line for line in text.split("\n")]


def indent(lines, levels=1):
    return ["  " * levels + line if line else line for line in lines]


class Scope:
    """One C++ struct: a message, or a struct within one."""

    def __init__(self, api, types, name, path, fields, versions):
        self.api, self.types, self.name, self.path = api, types, name, path
        self.fields, self.versions = fields, versions

    def inner(self, field):
        return Scope(self.api, self.types, f"{self.name}::{field.base}", self.path_of(field), field.fields, field.versions)

    def inner_scopes(self):
        return [self.inner(field) for field in self.fields if field.is_struct]

    def path_of(self, field):
        return f"{self.path}.{field.name}"

    def item_type(self, field):
        return self.inner(field).name if field.is_struct else self.types[field.base]

    def cpp_type(self, field, item=None):
        item = item or self.item_type(field)
        whole = f"std::vector<{item}>" if field.is_list else item
        return f"std::optional<{whole}>" if field.is_nullable else whole


def messages_of(api):
    yield Scope(api, REQUEST_TYPES, f"{api.name}Request", f"{api.name}Request", api.request, api.versions)
    yield Scope(api, RESPONSE_TYPES, f"{api.name}Response", f"{api.name}Response", api.response, api.versions)


def scopes_below(scope):
    """The structs of a message, each after those that it holds."""
    for inner in scope.inner_scopes():
        yield from scopes_below(inner)
        yield inner


# Sizes.


def bytes_min(api, field, version):
    """The fewest bytes that the field takes in that version."""
    if version not in field.versions or field.tag is not None:
        return 0
    is_flexible = api.is_flexible(version)
    if field.is_list:
        return 1 if is_flexible else 4
    if field.base in tables.NUMBERS:
        return tables.NUMBERS[field.base]
    if field.base in ("bool", "uuid"):
        return {"bool": 1, "uuid": 16}[field.base]
    return 1 if is_flexible else {"string": 2}.get(field.base, 4)


def item_bytes_min(scope, field):
    """The fewest bytes that one item of the list takes in any version."""
    if not field.is_struct:
        single = tables.Field(field.name, field.base, False, field.versions, None, None, None, False, "")
        return min(bytes_min(scope.api, single, version) for version in field.versions)
    return min(
        sum(bytes_min(scope.api, f, version) for f in field.fields) + int(scope.api.is_flexible(version))
        for version in field.versions
    )


# Structs.


def initial_value(scope, field):
    """What stands behind the name of the member; null is what an optional begins as."""
    if field.is_nullable:
        if field.default != "empty":
            return ""
        return f" = {scope.cpp_type(field)[len('std::optional<'):-1]}()"
    if field.default is not None:
        return f" = {field.default}"
    if field.is_list or field.is_struct or field.base in (*tables.NULLABLE, "uuid"):
        return ""
    return " = false" if field.base == "bool" else " = 0"


def default_test(scope, field):
    """An expression that tells whether the field has its default."""
    value = f"value.{field.name}"
    if field.is_nullable:
        return f"{value} && {value}->empty()" if field.default == "empty" else f"!{value}"
    if field.is_struct and not field.is_list:
        return f"{value} == {scope.item_type(field)}()"
    if field.is_list or field.base in tables.NULLABLE:
        return f"{value}.empty()"
    if field.base == "uuid":
        return f"{value}.is_nil()"
    if field.base == "bool":
        return value if field.default == "true" else f"!{value}"
    return f"{value} == {field.default or 0}"


def other_than_default(scope, field):
    test = default_test(scope, field)
    if test.startswith("!"):
        return test[1:]
    return test.replace(" == ", " != ") if " == " in test else f"!{test}"


def note_of(scope, field):
    parts = []
    first, last = field.versions[0], field.versions[-1]
    if field.versions != scope.versions:
        parts.append(f"v{first}" + ("+" if last == scope.versions[-1] else f"-{last}" if last > first else ""))
    if field.note:
        parts.append(field.note)
    return "  ///< " + "; ".join(parts) + "." if parts else ""


def struct(scope, head):
    short = scope.name.split("::")[-1]
    body = list(head)
    for inner in scope.inner_scopes():
        body += struct(inner, [])
    for field in scope.fields:
        item = field.base if field.is_struct else None
        member = f"{scope.cpp_type(field, item)} {field.name}{initial_value(scope, field).replace(scope.name + '::', '')};"
        body.append(member + note_of(scope, field))
    body += ["", f"friend bool operator==(const {short}&, const {short}&) = default;"]
    return [f"struct {short} {{", *indent(body), "};"]


def header(api):
    out = lines_of(f"""\
// Generated from messages/{stem(api)}.msg.
#pragma once

#include "kafka/protocol/apis.h"
#include "kafka/protocol/decoder.h"
#include "kafka/protocol/encoder.h"
#include "kafka/protocol/records.h"
#include "talosmq/ids.h"

#include "absl/status/status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::kafka {{
""")
    for message in messages_of(api):
        if message.types is REQUEST_TYPES:
            out.append(f"/// {api.about}")
        out += struct(message, [f"static constexpr ApiKey kKey = ApiKey::k{api.name};", ""])
        out += [
            f"absl::Status Decode(Decoder& decoder, int16_t version, {message.name}& value);",
            f"void Encode(Encoder& encoder, int16_t version, const {message.name}& value);",
            "",
        ]
    return out + ["}  // namespace talosmq::kafka"]


# Code.


def version_test(versions, outer):
    """The condition that holds in `versions`, where those of `outer` are already known."""
    tests = []
    if versions[0] > outer[0]:
        tests.append(f"version >= {versions[0]}")
    if versions[-1] < outer[-1]:
        tests.append(f"version <= {versions[-1]}")
    return " && ".join(tests)


def in_versions(versions, outer, lines, otherwise=()):
    test = version_test(versions, outer)
    if not test:
        return list(lines)
    out = [f"if ({test}) {{", *indent(lines)]
    if otherwise:
        out += ["} else {", *indent(otherwise)]
    return out + ["}"]


def per_nullability(field, nullable, plain):
    """`nullable` where the field may be null, `plain` in the versions before."""
    if not field.is_nullable:
        return plain
    return in_versions(range(field.null_from, field.versions[-1] + 1), field.versions, nullable, plain)


def verb_of(field):
    """Decoder and Encoder call what they do with a value by its type."""
    return {"bool": "Bool", "uuid": "Uuid"}.get(field.base, field.base.capitalize())


def decode_value(scope, field, target, prefix=""):
    """Statements that decode one value, or one item of a list, into `target`."""
    path = scope.path_of(field)
    if field.is_struct:
        return [f"Read(decoder, version, {target});"]
    if field.base in tables.NUMBERS:
        return [f'{target} = decoder.Number<{CPP_NUMBERS[field.base]}>("{path}");']
    if field.base == "records":
        return [f'decoder.{prefix}Records("{path}", {target});']
    return [f'{target} = decoder.{prefix}{verb_of(field)}("{path}");']


def decode_list(scope, field, prefix, target):
    item = decode_value(scope, field, "item")[0]
    return [
        f'decoder.{prefix}List("{scope.path_of(field)}", {item_bytes_min(scope, field)}, {target},',
        f"    [&]({scope.item_type(field)}& item) {{ {item} }});",
    ]


def decode_field(scope, field):
    target = f"value.{field.name}"
    if field.is_list:
        plain_target = f"{target}.emplace()" if field.is_nullable else target
        return per_nullability(field, decode_list(scope, field, "Nullable", target), decode_list(scope, field, "", plain_target))
    return per_nullability(field, decode_value(scope, field, target, "Nullable"), decode_value(scope, field, target))


def reader(scope):
    body = []
    for field in scope.fields:
        if field.tag is None:
            body += in_versions(field.versions, scope.versions, decode_field(scope, field))
    return body + flexible_only(scope, read_tags(scope))


def flexible_only(scope, lines):
    """`lines` in the versions that have tags, nothing where there are none."""
    if scope.api.flexible_from is None or scope.api.flexible_from > scope.versions[-1]:
        return []
    first = max(scope.api.flexible_from, scope.versions[0])
    return in_versions(range(first, scope.versions[-1] + 1), scope.versions, lines)


def read_tags(scope):
    known = tables.tagged(scope.fields)
    if not known:
        return [f'decoder.SkipTags("{scope.path}");']
    cases = []
    for field in known:
        cases += [f"case {field.tag}:", *indent([*decode_field(scope, field), "return true;"])]
    return [
        f'decoder.Tags("{scope.path}", [&](uint32_t tag) {{',
        *indent(["switch (tag) {", *indent([*cases, "default:", "  return false;"]), "}"]),
        "});",
    ]


def encode_value(field, value, prefix=""):
    if field.is_struct:
        return [f"Write(encoder, version, {value});"]
    if field.base in tables.NUMBERS:
        return [f"encoder.Number({value});"]
    return [f"encoder.{prefix}{verb_of(field)}({value});"]


def encode_list(scope, field, prefix, value):
    item = encode_value(field, "item")[0]
    return [f"encoder.{prefix}List({value}, [&](const {scope.item_type(field)}& item) {{ {item} }});"]


def encode_field(scope, field):
    value = f"value.{field.name}"
    plain = f'Encoder::NotNull({value}, "{scope.path_of(field)}")' if field.is_nullable else value
    if field.is_list:
        return per_nullability(field, encode_list(scope, field, "Nullable", value), encode_list(scope, field, "", plain))
    return per_nullability(field, encode_value(field, value, "Nullable"), encode_value(field, plain))


def left_out(scope, field):
    if field.is_ignorable:
        return []
    return [f'Encoder::CheckLeftOut({default_test(scope, field)}, "{scope.path_of(field)}");']


def writer(scope):
    body = []
    for field in scope.fields:
        if field.tag is None:
            body += in_versions(field.versions, scope.versions, encode_field(scope, field), left_out(scope, field))
    return body + flexible_only(scope, write_tags(scope))


def write_tags(scope):
    known = tables.tagged(scope.fields)
    if not known:
        return ["encoder.NoTags();"]
    out = ["uint32_t tags = 0;"]
    out += [f"if ({other_than_default(scope, field)}) ++tags;" for field in known]
    out.append("encoder.TagCount(tags);")
    for field in known:
        out += [
            f"if ({other_than_default(scope, field)}) {{",
            f"  encoder.Tag({field.tag}, [&] {{",
            *indent(encode_field(scope, field), 2),
            "  });",
            "}",
        ]
    return out


def function(signature, body):
    return [f"{signature} {{", *indent(body), "}", ""]


def expansion_checks(scope):
    """A count is believed as far as the bytes behind it allow: this bounds what is made of them."""
    return [
        f"static_assert(sizeof({scope.item_type(field)}) <= kDecodedBytesPerByteMax * {item_bytes_min(scope, field)});"
        for field in scope.fields
        if field.is_list
    ]


def message_source(message):
    api = message.api
    inner = list(scopes_below(message))
    version = "[[maybe_unused]] int16_t version"
    value = "[[maybe_unused]] {}{}& value"
    out = []
    if inner:
        out += ["namespace {", ""]
        for scope in inner:
            out += function(f"void Read(Decoder& decoder, {version}, {value.format('', scope.name)})", reader(scope))
            out += function(f"void Write(Encoder& encoder, {version}, {value.format('const ', scope.name)})", writer(scope))
        out += ["}  // namespace", ""]
    out += [check for scope in [message, *inner] for check in expansion_checks(scope)]
    out += ["", *function(
        f"absl::Status Decode(Decoder& decoder, int16_t version, {message.name}& value)",
        [
            "value = {};",
            f"if (!decoder.Begin(ApiOf(ApiKey::k{api.name}), version)) return decoder.status();",
            *reader(message),
            f'decoder.ExpectEnd("{message.name}");',
            "return decoder.status();",
        ],
    )]
    out += function(
        f"void Encode(Encoder& encoder, int16_t version, {value.format('const ', message.name)})",
        [f"encoder.Begin(ApiOf(ApiKey::k{api.name}), version);", *writer(message)],
    )
    return out


def source(api):
    out = lines_of(f"""\
// Generated from messages/{stem(api)}.msg.
#include "kafka/protocol/{stem(api)}.h"

namespace talosmq::kafka {{
""")
    for message in messages_of(api):
        out += message_source(message)
    return out + ["}  // namespace talosmq::kafka"]


def api_table(apis):
    keys = [f"k{api.name} = {api.key}," for api in apis]
    rows = [
        f'{{ApiKey::k{api.name}, "{api.name}", {api.versions[0]}, {api.versions[-1]}, '
        f'{"kNeverFlexible" if api.flexible_from is None else api.flexible_from}}},'
        for api in apis
    ]
    return lines_of("""\
// Generated from messages/*.msg.
#pragma once

#include "kafka/protocol/api.h"

#include <cstdint>

namespace talosmq::kafka {

enum class ApiKey : int16_t {""") + indent(keys) + lines_of("""\
};

/// Every API that the codec knows, by ascending key.
inline constexpr Api kApis[] = {""") + indent(rows) + lines_of("""\
};

}  // namespace talosmq::kafka""")


def files(apis):
    yield "apis.h", lambda: api_table(apis)
    for api in apis:
        yield f"{stem(api)}.h", lambda api=api: header(api)
        yield f"{stem(api)}.cc", lambda api=api: source(api)


def main(arguments):
    apis = tables.read_all()
    if arguments == ["--list"]:
        print(";".join(name for name, _ in files(apis)), end="")
        return
    folder = pathlib.Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in files(apis):
        (folder / name).write_text("\n".join(write()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
