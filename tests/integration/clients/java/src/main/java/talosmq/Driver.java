package talosmq;

import com.google.gson.JsonObject;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;

/**
 * Reads and writes records as told on the command line; each record is a line of JSON.
 *
 * <pre>
 * produce BOOTSTRAP TOPIC CODEC       sends the records of standard input, tells where each went
 * consume BOOTSTRAP TOPIC COUNT       prints COUNT records from the starts of all partitions
 * group BOOTSTRAP TOPIC GROUP COUNT   the same as a member of a group, commits what it printed
 * transaction BOOTSTRAP               tells the error that a transactional id gets
 * </pre>
 *
 * Then KEY=VALUE, any property of the client. Status 0 when everything was done.
 */
public final class Driver {
  private static final Duration POLL = Duration.ofMillis(500);
  private static final int TRANSACTION_MS = 20_000;

  private Driver() {}

  public static void main(String[] arguments) {
    try {
      System.exit(run(arguments) ? 0 : 1);
    } catch (Exception error) {
      error.printStackTrace();
      System.exit(1);
    }
  }

  private static boolean run(String[] words) throws Exception {
    return switch (words[0]) {
      case "produce" -> produce(settings(words, 4), words[2], words[3]);
      case "consume" -> consume(settings(words, 4), words[2], Long.parseLong(words[3]));
      case "group" -> group(settings(words, 5), words[2], words[3], Long.parseLong(words[4]));
      case "transaction" -> isTransactionRefused(settings(words, 2));
      default -> throw new IllegalArgumentException("no such command: " + words[0]);
    };
  }

  private static Settings settings(String[] words, int count) {
    return new Settings(words[1], Arrays.asList(words).subList(count, words.length));
  }

  private static boolean produce(Settings settings, String topic, String codec) throws Exception {
    AtomicInteger acknowledged = new AtomicInteger();
    int sent = 0;
    Map<String, Object> properties = settings.forProducer(codec);
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties)) {
      JsonObject line;
      for (; (line = Lines.read()) != null; sent++) {
        int index = sent;
        producer.send(
            Lines.toRecord(topic, line),
            (place, error) -> {
              if (error == null) acknowledged.incrementAndGet();
              Lines.write(outcome(index, place, error));
            });
      }
    }
    return acknowledged.get() == sent;
  }

  private static Map<String, ?> outcome(int index, RecordMetadata place, Exception error) {
    if (error != null) {
      System.err.println(error);
      return Map.of("index", index, "error", error.getClass().getSimpleName());
    }
    return Map.of("index", index, "partition", place.partition(), "offset", place.offset());
  }

  private static boolean consume(Settings settings, String topic, long count) {
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings.forConsumer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(info -> new TopicPartition(topic, info.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      for (long printed = 0; printed < count; ) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
          if (printed++ < count) Lines.write(record);
        }
      }
    }
    return true;
  }

  private static boolean group(Settings settings, String topic, String group, long count) {
    Map<String, Object> properties = settings.forConsumer();
    properties.put("group.id", group);
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties)) {
      Commits commits = new Commits(consumer);
      consumer.subscribe(List.of(topic), commits);
      for (long printed = 0; printed < count; ) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
          if (printed++ >= count) break;
          Lines.write(record);
          commits.add(record);
        }
        commits.commit();
      }
    }
    return true;
  }

  private static boolean isTransactionRefused(Settings settings) {
    Map<String, Object> properties = settings.forProducer("none");
    properties.put("transactional.id", "t");
    properties.put("max.block.ms", TRANSACTION_MS);
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties)) {
      producer.initTransactions();
    } catch (org.apache.kafka.common.errors.TimeoutException error) {
      System.err.println(error);
      return false;
    } catch (KafkaException error) {
      System.err.println(error);
      Lines.write(Map.of("error", error.getClass().getSimpleName()));
      return true;
    }
    return false;
  }

  /** What a member printed and has not committed; that happens before others get its partitions. */
  private static final class Commits implements ConsumerRebalanceListener {
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Map<TopicPartition, OffsetAndMetadata> waiting = new HashMap<>();

    Commits(KafkaConsumer<byte[], byte[]> consumer) {
      this.consumer = consumer;
    }

    void add(ConsumerRecord<byte[], byte[]> record) {
      waiting.put(
          new TopicPartition(record.topic(), record.partition()),
          new OffsetAndMetadata(record.offset() + 1));
    }

    /** While members join nothing can be committed: then it is done at the end of that. */
    void commit() {
      if (waiting.isEmpty()) return;
      try {
        consumer.commitSync(waiting);
        waiting.clear();
      } catch (RebalanceInProgressException rebalance) {
        System.err.println(rebalance);
      }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      commit();
      waiting.keySet().removeAll(partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      waiting.keySet().removeAll(partitions);
    }
  }
}
