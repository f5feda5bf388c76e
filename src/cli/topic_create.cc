#include "base/status.h"
#include "cli/commands.h"
#include "cli/key_value.h"

#include <map>
#include <optional>
#include <string>

namespace talosmq::cli {
namespace {

struct TopicCreateOptions {
  NewTopic topic;
};

absl::StatusOr<Document> Create(const NewTopic& topic, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const TopicId id, admin->CreateTopic(topic));
  TALOSMQ_ASSIGN_OR_RETURN(const TopicInfo made, admin->DescribeTopic(topic.name));
  return Document{{"topic", topic.name},
                  {"topic_id", id.ToString()},
                  {"partitions", made.partitions.size()},
                  {"result", "created"}};
}

ExitStatus Run(const TopicCreateOptions& options, Session& session) {
  return session.Finish(Create(options.topic, session));
}

}  // namespace

void AddTopicCreate(CLI::App& parent, Action& selected) {
  auto [command, options] =
      AddCommand<TopicCreateOptions>(parent, "create", "Make a topic", Run, selected);
  NewTopic& topic = options->topic;
  command->add_option("NAME", topic.name, "1 to 249 letters, digits, '.', '_' and '-'")->required();
  command->add_option("-p,--partitions", topic.partitions, "1 to 10,000; default 8")
      ->check(Between(1, 10'000));
  command
      ->add_option("-r,--replicas", topic.replicas,
                   "How many brokers hold each partition; default: what the server can give")
      ->check(AtLeast(1));
  AddRepeated(
      *command, "-c,--config", ParseKeyValue,
      [&topic](KeyValue pair) { topic.configs[std::move(pair.key)] = std::move(pair.value); },
      "A setting; may be given several times; label.KEY=VALUE labels the topic; default: the "
      "server's")
      ->type_name("KEY=VALUE");
  command->footer(
      "Examples:\n"
      "  talosmq topic create orders\n"
      "  talosmq topic create orders -p 16 -c segment.bytes=67108864 -c label.team=shop");
}

}  // namespace talosmq::cli
