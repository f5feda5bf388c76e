import java.nio.charset.StandardCharsets;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/** A record on its way from one topic to another; public fields and no arguments, as Flink wants its POJOs. */
public class Copied {
  private static final byte[] MARK = "mapped ".getBytes(StandardCharsets.UTF_8);

  public int partition;
  public long timestamp;
  public byte[] key;
  public byte[] value;
  public String[] headerNames;
  public byte[][] headerValues;

  public Copied() {}

  /** Its last header says where it was read: TOPIC-PARTITION@OFFSET. */
  static Copied of(ConsumerRecord<byte[], byte[]> read) {
    Copied copied = new Copied();
    copied.partition = read.partition();
    copied.timestamp = read.timestamp();
    copied.key = read.key();
    copied.value = read.value();
    Header[] headers = read.headers().toArray();
    copied.headerNames = new String[headers.length + 1];
    copied.headerValues = new byte[headers.length + 1][];
    for (int i = 0; i < headers.length; ++i) {
      copied.headerNames[i] = headers[i].key();
      copied.headerValues[i] = headers[i].value();
    }
    copied.headerNames[headers.length] = "from";
    copied.headerValues[headers.length] =
        (read.topic() + "-" + read.partition() + "@" + read.offset()).getBytes(StandardCharsets.UTF_8);
    return copied;
  }

  Copied mapped() {
    if (value != null) {
      byte[] longer = new byte[MARK.length + value.length];
      System.arraycopy(MARK, 0, longer, 0, MARK.length);
      System.arraycopy(value, 0, longer, MARK.length, value.length);
      value = longer;
    }
    return this;
  }

  /** Into the partition of the same number, so that the order can be compared. */
  ProducerRecord<byte[], byte[]> to(String topic) {
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition, timestamp, key, value);
    for (int i = 0; i < headerNames.length; ++i) {
      record.headers().add(headerNames[i], headerValues[i]);
    }
    return record;
  }
}
