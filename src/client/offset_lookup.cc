#include "client/offset_lookup.h"

#include "base/status.h"
#include "base/text.h"
#include "client/error_message.h"
#include "client/retry.h"
#include "talosmq/error.h"
#include "talosmq/v1/message.pb.h"

#include <utility>
#include <variant>

namespace talosmq::client {
namespace {

using Offsets = std::vector<Offset>;

void SetSpec(const Position& position, v1::OffsetQuery& query) {
  if (std::holds_alternative<AtStart>(position)) {
    query.set_start(true);
  } else if (std::holds_alternative<AtEnd>(position)) {
    query.set_end(true);
  } else {
    query.set_time_ms(absl::ToUnixMillis(std::get<absl::Time>(position)));
  }
}

v1::ListOffsetsRequest RequestFor(TopicId topic, const std::vector<OffsetQuestion>& questions) {
  v1::ListOffsetsRequest request;
  for (const OffsetQuestion& question : questions) {
    if (std::holds_alternative<Offset>(question.position)) continue;
    v1::OffsetQuery& query = *request.add_partitions();
    query.set_topic_id(std::string(topic.bytes()));
    query.set_partition(question.partition.value());
    SetSpec(question.position, query);
  }
  return request;
}

/// Puts the answers, which come in any order, behind their questions.
absl::StatusOr<Offsets> ReadAnswers(const std::vector<OffsetQuestion>& questions,
                                    const v1::ListOffsetsResponse& response) {
  Offsets offsets;
  for (const OffsetQuestion& question : questions) {
    if (const Offset* known = std::get_if<Offset>(&question.position)) {
      offsets.push_back(*known);
      continue;
    }
    const v1::PartitionOffset* found = nullptr;
    for (const v1::PartitionOffset& answer : response.partitions()) {
      if (answer.partition() == question.partition.value()) found = &answer;
    }
    const std::string where = base::StrCat("partition ", question.partition.value());
    if (found == nullptr) {
      return MakeError(Reason::kInternal, base::StrCat(where, ": the server sent no offset"));
    }
    if (found->has_error()) return base::Annotate(StatusOf(found->error()), where);
    offsets.emplace_back(found->offset());
  }
  return offsets;
}

void Ask(ClientCore& core, TopicId topic, const std::vector<OffsetQuestion>& questions,
         Retry<Offsets>::Done done) {
  const v1::ListOffsetsRequest request = RequestFor(topic, questions);
  if (request.partitions().empty()) {
    done(ReadAnswers(questions, v1::ListOffsetsResponse()));
    return;
  }
  core.CallTyped<v1::ListOffsetsResponse>(
      "/talosmq.v1.MessageService/ListOffsets", request, CallPolicy::kAnyServer,
      [questions,
       done = std::move(done)](const absl::StatusOr<v1::ListOffsetsResponse>& response) mutable {
        done(response.ok() ? ReadAnswers(questions, *response)
                           : absl::StatusOr<Offsets>(response.status()));
      });
}

}  // namespace

void FindOffsets(ClientCore& core, TopicId topic, std::vector<OffsetQuestion> questions,
                 base::Callback<absl::StatusOr<Offsets>> done) {
  core.executor().Post(
      [&core, topic, questions = std::move(questions), done = std::move(done)]() mutable {
        Retry<Offsets>::Start(
            core,
            [&core, topic, questions = std::move(questions)](Retry<Offsets>::Done answer) {
              Ask(core, topic, questions, std::move(answer));
            },
            std::move(done));
      });
}

}  // namespace talosmq::client
