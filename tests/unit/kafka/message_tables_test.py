"""The reader of the tables of Kafka's messages says what is wrong with one, and where."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "src" / "kafka" / "protocol"))
import generate_codec
import message_tables

HEAD = "# About.\napi 7 Some 1-5 flexible 4\n\nrequest\n"


def read(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "some.msg"
        path.write_text(text)
        return message_tables.read(path)


class MessageTablesTest(unittest.TestCase):
    def expect_error(self, text, error):
        with self.assertRaises(message_tables.TableError) as raised:
            read(text)
        self.assertEqual(str(raised.exception), f"some.msg:{error}")

    def test_fields_have_the_versions_of_what_holds_them(self):
        api = read(HEAD + "  list  [Item]  2-4\n    a  int8\n    c  string?4+  3+ = empty\n")
        a, c = api.request[0].fields
        self.assertEqual(a.versions, range(2, 5))
        self.assertEqual(c.versions, range(3, 5))
        self.assertEqual((c.null_from, c.default), (4, "empty"))

    def test_faults_are_told_with_their_line(self):
        self.expect_error("api Some\n", "1: expected 'api KEY NAME MIN-MAX [flexible VERSION]', found 'api Some'")
        self.expect_error(HEAD + "  name\n", "5: expected a field, found 'name'")
        self.expect_error(HEAD + "  name  int9\n", "5: unknown type 'int9'")
        self.expect_error(HEAD + "  name  int8?\n", "5: int8 cannot be null")
        self.expect_error(HEAD + "  name  int8  optional\n", "5: unknown attribute 'optional'")
        self.expect_error(HEAD + "  name  int8  0-3\n", "5: versions 0-3 go beyond those of what holds the field")
        self.expect_error(HEAD + "  name  int8  6\n", "5: versions 6 go beyond those of what holds the field")
        self.expect_error(HEAD + "  list  [Item]  2-4\n    a  int8  1+\n", "6: versions 1+ go beyond those of what holds the field")
        self.expect_error(HEAD + "  a  int8\n    b  int8\n", "6: indentation belongs to no struct")
        self.expect_error(HEAD + "  a  string?3+\n", "5: what is not nullable in all versions needs '= empty'")
        self.expect_error(HEAD + "  a  int8  5+ tag 0\n", "5: a tagged field has to begin with the first flexible version, 4")
        self.expect_error(HEAD + "  a  Item\n", "5: a single struct has to have a tag")

    def test_an_empty_file_is_a_fault(self):
        self.expect_error("", " expected 'api KEY NAME MIN-MAX', found nothing")

    def test_every_table_makes_a_source(self):
        for api in message_tables.read_all():
            self.assertIn(f"struct {api.name}Request", "\n".join(generate_codec.header(api)))
            self.assertIn(f"{api.name}Response", "\n".join(generate_codec.source(api)))


if __name__ == "__main__":
    unittest.main()
