package talosmq;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** JSON objects on standard input and output, one a line; bytes are base64, null stays null. */
final class Lines {
  private static final Gson GSON =
      new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
  private static final BufferedReader IN =
      new BufferedReader(
          new InputStreamReader(new FileInputStream(FileDescriptor.in), StandardCharsets.UTF_8));
  private static final PrintStream OUT =
      new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);

  private Lines() {}

  /** The next object, or null at the end. */
  static JsonObject read() throws IOException {
    String line = IN.readLine();
    return line == null ? null : GSON.fromJson(line, JsonObject.class);
  }

  /** Flushed at once: whoever reads may kill us or the server next. */
  static void write(Map<String, ?> line) {
    write(GSON.toJsonTree(line));
  }

  private static void write(JsonElement line) {
    OUT.print(GSON.toJson(line) + "\n");
    OUT.flush();
  }

  static void write(ConsumerRecord<byte[], byte[]> record) {
    JsonObject line = new JsonObject();
    line.addProperty("partition", record.partition());
    line.addProperty("offset", record.offset());
    line.add("key", encoded(record.key()));
    line.add("value", encoded(record.value()));
    JsonArray headers = new JsonArray();
    for (Header header : record.headers()) {
      JsonArray pair = new JsonArray();
      pair.add(header.key());
      pair.add(encoded(header.value()));
      headers.add(pair);
    }
    line.add("headers", headers);
    write(line);
  }

  static ProducerRecord<byte[], byte[]> toRecord(String topic, JsonObject line) {
    int partition = line.has("partition") ? line.get("partition").getAsInt() : 0;
    byte[] key = decoded(line.get("key"));
    byte[] value = decoded(line.get("value"));
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition, key, value);
    if (line.has("headers") && !line.get("headers").isJsonNull()) {
      for (JsonElement pair : line.getAsJsonArray("headers")) {
        JsonArray header = pair.getAsJsonArray();
        record.headers().add(new RecordHeader(header.get(0).getAsString(), decoded(header.get(1))));
      }
    }
    return record;
  }

  private static JsonElement encoded(byte[] bytes) {
    if (bytes == null) return JsonNull.INSTANCE;
    return new JsonPrimitive(Base64.getEncoder().encodeToString(bytes));
  }

  private static byte[] decoded(JsonElement text) {
    if (text == null || text.isJsonNull()) return null;
    return Base64.getDecoder().decode(text.getAsString());
  }
}
