package talosmq;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;

/**
 * `Member BOOTSTRAP TOPIC GROUP [KEY=VALUE...]` is a member of a group until its input ends. It
 * tells as lines of JSON what it is given, what it loses and what it reads: {"assigned": [0, 1]},
 * {"revoked": [1]}, {"read": [[PARTITION, OFFSET], ...]}. It commits after each poll.
 */
public final class Member {
  private static final Duration POLL = Duration.ofMillis(100);

  private Member() {}

  public static void main(String[] words) {
    Settings settings = new Settings(words[0], Arrays.asList(words).subList(3, words.length));
    Map<String, Object> properties = settings.forConsumer();
    properties.put("group.id", words[2]);
    Thread input = new Thread(Member::readInput);
    input.start();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties)) {
      consumer.subscribe(List.of(words[1]), new Teller());
      while (input.isAlive()) poll(consumer);
    }
  }

  private static void readInput() {
    try {
      while (Lines.read() != null) {}
    } catch (IOException end) {
      System.err.println(end);
    }
  }

  private static void poll(KafkaConsumer<byte[], byte[]> consumer) {
    List<List<Long>> read = new ArrayList<>();
    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
      read.add(List.of((long) record.partition(), record.offset()));
    }
    if (read.isEmpty()) return;
    Lines.write(Map.of("read", read));
    try {
      consumer.commitSync();
    } catch (RebalanceInProgressException later) {
      System.err.println(later);
    }
  }

  private static final class Teller implements ConsumerRebalanceListener {
    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      tell("assigned", partitions);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      tell("revoked", partitions);
    }

    private static void tell(String what, Collection<TopicPartition> partitions) {
      Lines.write(
          Map.of(what, partitions.stream().map(TopicPartition::partition).sorted().toList()));
    }
  }
}
