package talosmq;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The clients' properties: what all programs here share, then the caller's KEY=VALUE arguments. */
final class Settings {
  private final Map<String, Object> common = new HashMap<>();
  private final Map<String, Object> given = new HashMap<>();

  Settings(String bootstrap, List<String> arguments) {
    common.put("bootstrap.servers", bootstrap);
    common.put("reconnect.backoff.max.ms", 500);
    common.put("retry.backoff.max.ms", 500);
    for (String argument : arguments) {
      String[] parts = argument.split("=", 2);
      if (parts.length != 2) throw new IllegalArgumentException("no KEY=VALUE: " + argument);
      given.put(parts[0], parts[1]);
    }
  }

  Map<String, Object> forAdmin() {
    return with(Map.of());
  }

  /** Idempotent; its delivery.timeout.ms outlasts a restart of the server. */
  Map<String, Object> forProducer(String codec) {
    return with(
        Map.of(
            "key.serializer", ByteArraySerializer.class,
            "value.serializer", ByteArraySerializer.class,
            "compression.type", codec,
            "enable.idempotence", true,
            "acks", "all",
            "delivery.timeout.ms", 120_000,
            "request.timeout.ms", 10_000,
            "max.block.ms", 60_000,
            "max.request.size", 16 << 20));
  }

  Map<String, Object> forConsumer() {
    return with(
        Map.of(
            "key.deserializer", ByteArrayDeserializer.class,
            "value.deserializer", ByteArrayDeserializer.class,
            "enable.auto.commit", false,
            "auto.offset.reset", "earliest",
            "check.crcs", true));
  }

  private Map<String, Object> with(Map<String, Object> own) {
    Map<String, Object> all = new HashMap<>(common);
    all.putAll(own);
    all.putAll(given);
    return all;
  }
}
