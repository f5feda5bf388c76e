// Writes golden_messages.txt with the schemas of Apache Kafka's own client library, and reads each
// line back with its message classes, which are a second implementation there.
//
// Usage: java -cp kafka-clients-3.9.1.jar:slf4j-api-1.7.36.jar MakeGolden.java "Produce 0-9" ... > golden_messages.txt
// where the jars come from Maven Central (org.apache.kafka:kafka-clients, org.slf4j:slf4j-api) and
// the arguments from `python3 list_versions.py`. 3.9 is the last release that knows every old version.
//
// A line: API, direction, version, form, bytes of the message without its header. What stands in a
// message follows from its form and is known to golden_messages_test.cc too, field by field in the
// order of the wire (n counts the values of the message, from 0):
//   full   every list has two items, nothing is null, every tag is there; a number is n in its
//          lowest byte under 1, 2, 3... in those above ("01 02 03 n"), a text "t<n>", a bool true,
//          a UUID 15 bytes 0xAB and n
//   null   every list has one item, what may be null is, but for lists; numbers are -1, texts
//          empty, bools false, UUIDs zero; no tag is there
//   empty  as null, but every list is null where it may be, else empty, and texts are not null
//   tags   as full, and every struct has a tag 1000 too, which no reader knows (flexible versions)
//   header the header: correlation id 0x01020304, client id "t0"

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.MemoryRecords;

public class MakeGolden {
  enum Form { FULL, NULL, EMPTY, TAGS }

  private static final int UNKNOWN_TAG = 1000;

  private final Form form;
  private int n = 0;

  private MakeGolden(Form form) { this.form = form; }

  private boolean isFull() { return form == Form.FULL || form == Form.TAGS; }

  private Object value(Type type) {
    if (type instanceof Schema schema) return struct(schema);
    if (type instanceof TaggedFields tags) {
      TreeMap<Integer, Object> values = new TreeMap<>();
      if (isFull()) {
        fieldsOf(tags).forEach((tag, field) -> values.put(tag, value(field.type)));
      }
      if (form == Form.TAGS) values.put(UNKNOWN_TAG, new RawTaggedField(UNKNOWN_TAG, new byte[] {1, 2, 3}));
      return values;
    }
    if (type.isArray()) return list(type);
    return simple(type);
  }

  /** By ascending tag; the library keeps them to itself. */
  @SuppressWarnings("unchecked")
  private static TreeMap<Integer, Field> fieldsOf(TaggedFields tags) {
    try {
      java.lang.reflect.Field fields = TaggedFields.class.getDeclaredField("fields");
      fields.setAccessible(true);
      return new TreeMap<>((Map<Integer, Field>) fields.get(tags));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private Struct struct(Schema schema) {
    Struct struct = new Struct(schema);
    for (BoundField field : schema.fields()) struct.set(field, value(field.def.type));
    return struct;
  }

  private Object list(Type type) {
    if (form == Form.EMPTY && type.isNullable()) return null;
    int count = isFull() ? 2 : form == Form.NULL ? 1 : 0;
    Object[] items = new Object[count];
    for (int i = 0; i < count; i++) items[i] = value(type.arrayElementType().get());
    return items;
  }

  private Object simple(Type type) {
    // COMPACT_NULLABLE_STRING and the like name themselves; records are nullable always.
    boolean isNull = form == Form.NULL && type.isNullable();
    int number = n++;
    boolean isFull = isFull();
    String name = type.toString();
    if (name.equals("BOOLEAN")) return isFull;
    if (name.equals("INT8")) return (byte) (isFull ? number : -1);
    if (name.equals("INT16")) return (short) (isFull ? 0x0100 + number : -1);
    if (name.equals("INT32")) return isFull ? 0x01020300 + number : -1;
    if (name.equals("INT64")) return isFull ? 0x0102030405060700L + number : -1L;
    if (name.equals("UUID")) return isFull ? new Uuid(0xABABABABABABABABL, 0xABABABABABABAB00L + number) : Uuid.ZERO_UUID;
    if (isNull) return null;
    String text = isFull ? "t" + number : "";
    ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    if (name.endsWith("STRING")) return text;
    if (name.endsWith("BYTES")) return bytes;
    if (name.endsWith("RECORDS")) return MemoryRecords.readableRecords(bytes);
    throw new IllegalStateException("no rule for " + name);
  }

  private static void write(String direction, ApiMessageType api, short version, Schema schema, ApiMessage message, Form form) {
    Struct struct = new MakeGolden(form).struct(schema);
    ByteBuffer bytes = ByteBuffer.allocate(struct.sizeOf());
    struct.writeTo(bytes);
    bytes.flip();
    message.read(new ByteBufferAccessor(bytes.duplicate()), version);
    ByteBuffer again = MessageUtil.toByteBuffer(message, version);
    String where = api.name + " " + direction + " " + version + " " + form.name().toLowerCase();
    if (!again.equals(bytes)) {
      throw new IllegalStateException(where + ": " + hex(bytes) + " was written again as " + hex(again));
    }
    System.out.println((where + " " + hex(bytes)).strip());
  }

  private static void writeHeaders(ApiMessageType api, short version) {
    RequestHeaderData request = new RequestHeaderData().setRequestApiKey(api.apiKey())
        .setRequestApiVersion(version).setCorrelationId(0x01020304).setClientId("t0");
    ResponseHeaderData response = new ResponseHeaderData().setCorrelationId(0x01020304);
    System.out.println(api.name + " request " + version + " header "
        + hex(MessageUtil.toByteBuffer(request, api.requestHeaderVersion(version))));
    System.out.println(api.name + " response " + version + " header "
        + hex(MessageUtil.toByteBuffer(response, api.responseHeaderVersion(version))));
  }

  private static String hex(ByteBuffer bytes) {
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    return HexFormat.of().formatHex(copy);
  }

  public static void main(String[] arguments) {
    System.out.println("# Made by MakeGolden.java with kafka-clients 3.9.1.");
    for (String argument : arguments) {
      String[] words = argument.split("[ -]");
      ApiMessageType api = null;
      for (ApiMessageType candidate : ApiMessageType.values()) {
        if (candidate.name.equals(words[0])) api = candidate;
      }
      for (short version = Short.parseShort(words[1]); version <= Short.parseShort(words[2]); version++) {
        writeHeaders(api, version);
        for (Form form : Form.values()) {
          boolean isFlexible = api.requestHeaderVersion(version) >= 2;
          if (form == Form.TAGS && !isFlexible) continue;
          write("request", api, version, api.requestSchemas()[version], api.newRequest(), form);
          write("response", api, version, api.responseSchemas()[version], api.newResponse(), form);
        }
      }
    }
  }
}
