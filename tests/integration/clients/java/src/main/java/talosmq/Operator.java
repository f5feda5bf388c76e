package talosmq;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaFilter;

/**
 * `Operator BOOTSTRAP [KEY=VALUE...]` makes the calls that it reads, one after the other:
 * {"call": NAME, ...} is answered by {"result": ...} or {"error": the exception's name, ...}.
 */
public final class Operator {
  private static final Duration CALL = Duration.ofSeconds(30);

  private final Admin admin;
  private final KafkaConsumer<byte[], byte[]> consumer;
  private JsonObject asked;

  private Operator(Admin admin, KafkaConsumer<byte[], byte[]> consumer) {
    this.admin = admin;
    this.consumer = consumer;
  }

  public static void main(String[] words) throws Exception {
    Settings settings = new Settings(words[0], Arrays.asList(words).subList(1, words.length));
    try (Admin admin = Admin.create(settings.forAdmin());
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings.forConsumer())) {
      Operator operator = new Operator(admin, consumer);
      while ((operator.asked = Lines.read()) != null) Lines.write(operator.answer());
    }
  }

  private Map<String, Object> answer() throws Exception {
    Map<String, Object> answer = new HashMap<>();
    try {
      answer.put("result", call());
    } catch (ExecutionException failed) {
      fill(answer, failed.getCause());
    } catch (RuntimeException failed) {
      fill(answer, failed);
    }
    return answer;
  }

  private static void fill(Map<String, Object> answer, Throwable failed) {
    answer.put("error", failed.getClass().getSimpleName());
    answer.put("message", String.valueOf(failed.getMessage()));
  }

  private Object call() throws Exception {
    String name = text("call");
    return switch (name) {
      case "createTopics" -> done(admin.createTopics(List.of(newTopic())).all());
      case "listTopics" -> done(admin.listTopics().names());
      case "describeTopics" -> describeTopic();
      case "deleteTopics" -> done(admin.deleteTopics(List.of(text("topic"))).all());
      case "createPartitions" -> done(admin.createPartitions(grown()).all());
      case "describeConfigs" -> describeConfigs();
      case "incrementalAlterConfigs" -> done(admin.incrementalAlterConfigs(changes()).all());
      case "deleteRecords" -> deleteRecords();
      case "listOffsets" -> listOffsets();
      case "describeCluster" -> describeCluster();
      case "describeLogDirs" -> describeLogDirs();
      case "describeProducers" -> describeProducers();
      case "listConsumerGroups" -> listGroups();
      case "describeConsumerGroups" -> describeGroup();
      case "alterConsumerGroupOffsets" ->
          done(admin.alterConsumerGroupOffsets(text("group"), offsets()).all());
      case "listConsumerGroupOffsets" -> listGroupOffsets();
      case "deleteConsumerGroupOffsets" ->
          done(admin.deleteConsumerGroupOffsets(text("group"), Set.of(partition())).all());
      case "deleteConsumerGroups" -> done(admin.deleteConsumerGroups(List.of(text("group"))).all());
      case "removeMembers" -> removeMember();
      case "offsetsForTimes" -> offsetForTime();
      case "beginningOffsets" ->
          consumer.beginningOffsets(Set.of(partition()), CALL).get(partition());
      case "endOffsets" -> consumer.endOffsets(Set.of(partition()), CALL).get(partition());
      default -> callUnsupported(name);
    };
  }

  private Object callUnsupported(String name) throws Exception {
    return switch (name) {
      case "describeAcls" -> done(admin.describeAcls(AclBindingFilter.ANY).values());
      case "describeClientQuotas" ->
          done(admin.describeClientQuotas(ClientQuotaFilter.all()).entities());
      case "describeUserScramCredentials" -> done(admin.describeUserScramCredentials().all());
      case "listPartitionReassignments" -> done(admin.listPartitionReassignments().reassignments());
      case "electLeaders" ->
          done(admin.electLeaders(ElectionType.PREFERRED, Set.of(partition())).all());
      case "describeMetadataQuorum" -> done(admin.describeMetadataQuorum().quorumInfo());
      case "listTransactions" -> done(admin.listTransactions(new ListTransactionsOptions()).all());
      case "createDelegationToken" -> done(admin.createDelegationToken().delegationToken());
      default -> throw new IllegalArgumentException("no such call: " + name);
    };
  }

  private static <T> T done(KafkaFuture<T> future) throws ExecutionException, InterruptedException {
    return future.get();
  }

  // What is asked.

  private String text(String name) {
    return asked.get(name).getAsString();
  }

  private long number(String name) {
    return asked.get(name).getAsLong();
  }

  private TopicPartition partition() {
    int partition = asked.has("partition") ? asked.get("partition").getAsInt() : 0;
    return new TopicPartition(text("topic"), partition);
  }

  private Map<String, String> configs(String name) {
    Map<String, String> configs = new TreeMap<>();
    if (!asked.has(name)) return configs;
    for (Map.Entry<String, JsonElement> entry : asked.getAsJsonObject(name).entrySet()) {
      configs.put(entry.getKey(), entry.getValue().getAsString());
    }
    return configs;
  }

  private NewTopic newTopic() {
    Optional<Integer> partitions = Optional.of((int) number("partitions"));
    return new NewTopic(text("topic"), partitions, Optional.empty()).configs(configs("configs"));
  }

  private Map<String, NewPartitions> grown() {
    return Map.of(text("topic"), NewPartitions.increaseTo((int) number("total")));
  }

  private ConfigResource resource() {
    if (asked.has("broker")) return new ConfigResource(ConfigResource.Type.BROKER, text("broker"));
    return new ConfigResource(ConfigResource.Type.TOPIC, text("topic"));
  }

  private Map<ConfigResource, Collection<AlterConfigOp>> changes() {
    Collection<AlterConfigOp> changes = new ArrayList<>();
    configs("set")
        .forEach(
            (key, value) ->
                changes.add(
                    new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)));
    if (asked.has("delete")) {
      for (JsonElement key : asked.getAsJsonArray("delete")) {
        ConfigEntry entry = new ConfigEntry(key.getAsString(), null);
        changes.add(new AlterConfigOp(entry, AlterConfigOp.OpType.DELETE));
      }
    }
    return Map.of(resource(), changes);
  }

  private Map<TopicPartition, OffsetAndMetadata> offsets() {
    return Map.of(partition(), new OffsetAndMetadata(number("offset")));
  }

  private OffsetSpec place() {
    return switch (text("at")) {
      case "earliest" -> OffsetSpec.earliest();
      case "latest" -> OffsetSpec.latest();
      case "maxTimestamp" -> OffsetSpec.maxTimestamp();
      default -> OffsetSpec.forTimestamp(number("at"));
    };
  }

  // What is answered.

  private Object describeTopic() throws Exception {
    String topic = text("topic");
    TopicDescription told = done(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
    return Map.of(
        "partitions", told.partitions().size(),
        "leaders", told.partitions().stream().map(p -> p.leader().id()).distinct().toList(),
        "id", told.topicId().toString());
  }

  private Object describeConfigs() throws Exception {
    Config config = done(admin.describeConfigs(List.of(resource())).all()).get(resource());
    return config.entries().stream()
        .collect(
            Collectors.toMap(
                ConfigEntry::name,
                e ->
                    Map.of(
                        "value", String.valueOf(e.value()),
                        "default", e.isDefault(),
                        "readOnly", e.isReadOnly())));
  }

  private Object deleteRecords() throws Exception {
    Map<TopicPartition, RecordsToDelete> before =
        Map.of(partition(), RecordsToDelete.beforeOffset(number("before")));
    return done(admin.deleteRecords(before).lowWatermarks().get(partition())).lowWatermark();
  }

  private Object listOffsets() throws Exception {
    return done(admin.listOffsets(Map.of(partition(), place())).partitionResult(partition()))
        .offset();
  }

  private Object describeCluster() throws Exception {
    var told = admin.describeCluster();
    Collection<Node> nodes = done(told.nodes());
    return Map.of(
        "nodes", nodes.stream().map(node -> node.host() + ":" + node.port()).toList(),
        "controller", done(told.controller()).id(),
        "id", done(told.clusterId()));
  }

  /** The bytes of each partition, by directory. */
  private Object describeLogDirs() throws Exception {
    Map<String, Map<String, Long>> sizes = new TreeMap<>();
    Map<String, LogDirDescription> told =
        done(admin.describeLogDirs(List.of(0)).allDescriptions()).get(0);
    told.forEach(
        (directory, description) -> {
          if (description.error() != null) throw description.error();
          Map<String, Long> bytes = new TreeMap<>();
          description.replicaInfos().forEach((p, info) -> bytes.put(p.toString(), info.size()));
          sizes.put(directory, bytes);
        });
    return sizes;
  }

  private Object describeProducers() throws Exception {
    var told = admin.describeProducers(List.of(partition())).partitionResult(partition());
    List<Object> producers = new ArrayList<>();
    for (ProducerState state : done(told).activeProducers()) {
      producers.add(Map.of("epoch", state.producerEpoch(), "lastSequence", state.lastSequence()));
    }
    return producers;
  }

  private Object listGroups() throws Exception {
    return done(admin.listConsumerGroups().all()).stream()
        .collect(
            Collectors.toMap(
                group -> group.groupId(), group -> group.state().map(Object::toString).orElse("")));
  }

  private Object describeGroup() throws Exception {
    String group = text("group");
    ConsumerGroupDescription told =
        done(admin.describeConsumerGroups(List.of(group)).all()).get(group);
    List<Object> members = new ArrayList<>();
    for (MemberDescription member : told.members()) {
      members.add(
          Map.of(
              "client", member.clientId(),
              "instance", member.groupInstanceId().orElse(""),
              "partitions",
                  member.assignment().topicPartitions().stream()
                      .map(TopicPartition::partition)
                      .sorted()
                      .toList()));
    }
    return Map.of(
        "state", told.state().toString(),
        "assignor", told.partitionAssignor(),
        "members", members);
  }

  private Object listGroupOffsets() throws Exception {
    Map<String, Long> offsets = new TreeMap<>();
    done(admin.listConsumerGroupOffsets(text("group")).partitionsToOffsetAndMetadata())
        .forEach((p, place) -> offsets.put(p.toString(), place == null ? null : place.offset()));
    return offsets;
  }

  private Object removeMember() throws Exception {
    Set<MemberToRemove> members = Set.of(new MemberToRemove(text("instance")));
    var options = new RemoveMembersFromConsumerGroupOptions(members);
    return done(admin.removeMembersFromConsumerGroup(text("group"), options).all());
  }

  private Object offsetForTime() {
    Map<TopicPartition, Long> asked = Map.of(partition(), number("time"));
    OffsetAndTimestamp found = consumer.offsetsForTimes(asked, CALL).get(partition());
    return found == null ? null : List.of(found.offset(), found.timestamp());
  }
}
