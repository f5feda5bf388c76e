import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Runs jobs that copy a topic to another, one after the other, each in a MiniCluster of its own: {@code java CopyJobs
 * BOOTSTRAP}.
 *
 * <p>A line of standard input is a job. {@code copy KEY=VALUE...} is answered with {@code FINISHED} when it has ended;
 * {@code follow KEY=VALUE...} with {@code RUNNING}, and after the line {@code stop} with {@code STOPPED}. What fails is
 * answered with {@code FAILED} and the causes, in one line.
 *
 * <p>Keys: from, to, group; start and stop (earliest, latest, committed, timestamp:MS; without a stop it goes on for
 * ever); codec; guarantee; transactions (the prefix of its ids); restarts (how many are tried); checkpoints (a folder that
 * keeps them); recover (a checkpoint to go on from).
 */
public final class CopyJobs {
  private static final Duration CHECKPOINTS_EVERY = Duration.ofMillis(300);

  private final String bootstrap;
  private final BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));

  public static void main(String[] arguments) throws IOException {
    new CopyJobs(arguments[0]).run();
  }

  private CopyJobs(String bootstrap) {
    this.bootstrap = bootstrap;
  }

  private void run() throws IOException {
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, String> job = new HashMap<>();
      String[] words = line.split(" ");
      for (int i = 1; i < words.length; ++i) {
        String[] both = words[i].split("=", 2);
        job.put(both[0], both[1]);
      }
      try {
        System.out.println(words[0].equals("follow") ? follow(job) : copy(job));
      } catch (Exception failure) {
        System.out.println("FAILED " + causes(failure));
      }
    }
  }

  private String copy(Map<String, String> job) throws Exception {
    job(job).execute();
    return "FINISHED";
  }

  private String follow(Map<String, String> job) throws Exception {
    JobClient client = job(job).executeAsync();
    System.out.println("RUNNING");
    lines.readLine();
    if (!client.getJobStatus().get().isGloballyTerminalState()) {
      client.cancel().get();
      return "STOPPED";
    }
    client.getJobExecutionResult().get();
    throw new IllegalStateException("the job has ended by itself");
  }

  private StreamExecutionEnvironment job(Map<String, String> job) {
    StreamExecutionEnvironment environment =
        StreamExecutionEnvironment.createLocalEnvironment(2, configuration(job));
    environment.enableCheckpointing(CHECKPOINTS_EVERY.toMillis());
    environment
        .fromSource(source(job), WatermarkStrategy.noWatermarks(), "source")
        .map(Copied::mapped)
        .returns(Copied.class)
        .sinkTo(sink(job));
    return environment;
  }

  private static String causes(Throwable failure) {
    StringBuilder text = new StringBuilder();
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      text.append(cause).append(" | ");
    }
    return text.toString().replace('\n', ' ');
  }

  private static Configuration configuration(Map<String, String> job) {
    Configuration configuration = new Configuration();
    configuration.set(RestOptions.BIND_ADDRESS, "127.0.0.1");
    int restarts = Integer.parseInt(job.getOrDefault("restarts", "0"));
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY, restarts == 0 ? "none" : "fixed-delay");
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, restarts);
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(100));
    if (job.containsKey("checkpoints")) {
      configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + job.get("checkpoints"));
      configuration.set(
          CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
          ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
    }
    if (job.containsKey("recover")) {
      configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, "file://" + job.get("recover"));
    }
    return configuration;
  }

  private KafkaSource<Copied> source(Map<String, String> job) {
    KafkaSourceBuilder<Copied> builder =
        KafkaSource.<Copied>builder()
            .setBootstrapServers(bootstrap)
            .setTopics(job.get("from"))
            .setGroupId(job.get("group"))
            .setStartingOffsets(offsets(job.getOrDefault("start", "earliest")))
            .setProperty("partition.discovery.interval.ms", "500")
            .setDeserializer(new Reading());
    if (job.containsKey("stop")) {
      builder.setBounded(offsets(job.get("stop")));
    }
    return builder.build();
  }

  private static OffsetsInitializer offsets(String place) {
    switch (place) {
      case "earliest":
        return OffsetsInitializer.earliest();
      case "latest":
        return OffsetsInitializer.latest();
      case "committed":
        return OffsetsInitializer.committedOffsets(OffsetResetStrategy.NONE);
      default:
        return OffsetsInitializer.timestamp(Long.parseLong(place.substring("timestamp:".length())));
    }
  }

  private KafkaSink<Copied> sink(Map<String, String> job) {
    var builder =
        KafkaSink.<Copied>builder()
            .setBootstrapServers(bootstrap)
            .setProperty("max.request.size", Integer.toString(2 << 20))
            .setRecordSerializer(new Writing(job.get("to")))
            .setDeliveryGuarantee(
                DeliveryGuarantee.valueOf(job.getOrDefault("guarantee", "AT_LEAST_ONCE")));
    if (job.containsKey("codec")) {
      builder.setProperty("compression.type", job.get("codec"));
    }
    if (job.containsKey("transactions")) {
      builder.setTransactionalIdPrefix(job.get("transactions"));
    }
    return builder.build();
  }

  private static final class Reading implements KafkaRecordDeserializationSchema<Copied> {
    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> read, Collector<Copied> out) {
      out.collect(Copied.of(read));
    }

    @Override
    public TypeInformation<Copied> getProducedType() {
      return TypeInformation.of(Copied.class);
    }
  }

  private static final class Writing implements KafkaRecordSerializationSchema<Copied> {
    private final String topic;

    Writing(String topic) {
      this.topic = topic;
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
        Copied copied, KafkaSinkContext context, Long timestamp) {
      return copied.to(topic);
    }
  }
}
