import static org.apache.spark.sql.functions.expr;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.DataStreamWriter;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.StreamingQueryException;
import org.apache.spark.sql.streaming.Trigger;

/**
 * Runs Spark's queries in local mode, one after the other: {@code java Queries BOOTSTRAP}.
 *
 * <p>Each line of standard input is one. Words with a dot in front are options of the source, {@code .KEY=VALUE}.
 *
 * <ul>
 *   <li>{@code read from=TOPIC}: a batch; answers with each record as JSON, then {@code END}.
 *   <li>{@code write to=TOPIC count=N}: a batch of N records, from a range; answers {@code END}.
 *   <li>{@code copy from=TOPIC to=TOPIC checkpoint=FOLDER}: a streaming query over what is there; answers {@code END}.
 *   <li>{@code follow}, likewise: goes on until the line {@code stop}; answers {@code RUNNING}, and then {@code
 *       STOPPED}.
 * </ul>
 *
 * <p>What fails is answered with {@code FAILED} and the causes, in one line.
 */
public final class Queries {
  private static final String SEEN =
      "named_struct('key', 'from', 'value', CAST(concat(topic, '-', partition, '@', offset) AS BINARY))";
  private static final String NO_HEADERS = "CAST(array() AS ARRAY<STRUCT<key: STRING, value: BINARY>>)";

  private final String bootstrap;
  private final BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
  private final SparkSession spark =
      SparkSession.builder()
          .master("local[2]")
          .config("spark.ui.enabled", "false")
          .config("spark.driver.host", "127.0.0.1")
          .config("spark.driver.bindAddress", "127.0.0.1")
          .config("spark.sql.session.timeZone", "UTC")
          .getOrCreate();

  public static void main(String[] arguments) throws IOException {
    new Queries(arguments[0]).run();
  }

  private Queries(String bootstrap) {
    this.bootstrap = bootstrap;
  }

  private void run() throws IOException {
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, String> values = new HashMap<>();
      Map<String, String> options = new HashMap<>();
      String[] words = line.split(" ");
      for (int i = 1; i < words.length; ++i) {
        String[] both = words[i].split("=", 2);
        if (both[0].startsWith(".")) {
          options.put(both[0].substring(1), both[1]);
        } else {
          values.put(both[0], both[1]);
        }
      }
      try {
        System.out.println(run(words[0], values, options));
      } catch (Exception failure) {
        System.out.println("FAILED " + causes(failure));
      }
    }
  }

  private String run(String word, Map<String, String> values, Map<String, String> options) throws Exception {
    switch (word) {
      case "read":
        read(values, options);
        return "END";
      case "write":
        write(values, options);
        return "END";
      case "copy":
        copy(values, options).trigger(Trigger.AvailableNow()).start().awaitTermination();
        return "END";
      case "follow":
        follow(copy(values, options).trigger(Trigger.ProcessingTime(100)).start());
        return "STOPPED";
      default:
        throw new IllegalArgumentException(word);
    }
  }

  private void read(Map<String, String> values, Map<String, String> options) {
    Dataset<Row> rows =
        spark
            .read()
            .format("kafka")
            .option("kafka.bootstrap.servers", bootstrap)
            .option("subscribe", values.get("from"))
            .options(options)
            .load()
            .withColumn("ms", expr("unix_millis(timestamp)"))
            .drop("timestamp");
    for (String row : rows.toJSON().collectAsList()) {
      System.out.println(row);
    }
  }

  private void write(Map<String, String> values, Map<String, String> options) {
    spark
        .range(Long.parseLong(values.get("count")))
        .selectExpr("CAST(id AS STRING) AS key", "CAST(id AS STRING) AS value")
        .write()
        .format("kafka")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("topic", values.get("to"))
        .options(options)
        .save();
  }

  /** Each record with a mark in front of its value and a header more that says where it was read. */
  private DataStreamWriter<Row> copy(Map<String, String> values, Map<String, String> options) {
    return spark
        .readStream()
        .format("kafka")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("subscribe", values.get("from"))
        .option("startingOffsets", "earliest")
        .option("includeHeaders", "true")
        .options(options)
        .load()
        .selectExpr(
            "key",
            "concat(CAST('mapped ' AS BINARY), value) AS value",
            "partition",
            "concat(coalesce(headers, " + NO_HEADERS + "), array(" + SEEN + ")) AS headers")
        .writeStream()
        .format("kafka")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("topic", values.get("to"))
        .option("checkpointLocation", values.get("checkpoint"));
  }

  private void follow(StreamingQuery query) throws IOException, TimeoutException, StreamingQueryException {
    System.out.println("RUNNING");
    lines.readLine();
    query.stop();
    query.awaitTermination();
  }

  private static String causes(Throwable failure) {
    StringBuilder text = new StringBuilder();
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      text.append(cause).append(" | ");
    }
    return text.toString().replace('\n', ' ');
  }
}
