#include "talosmq/admin.h"

#include "base/status.h"
#include "base/text.h"
#include "client/admin_messages.h"
#include "client/client_core.h"
#include "client/error_message.h"
#include "client/group_admin.h"
#include "client/pending_result.h"
#include "client/topic_lookup.h"
#include "client/user_credential.h"
#include "talosmq/v1/consumer.pb.h"
#include "talosmq/v1/message.pb.h"

#include <utility>

namespace talosmq {
namespace {

using client::CallPolicy;

/// Every call is one unary call that the calling thread waits for. Thread-safe: holds no state of
/// its own.
class BlockingAdmin final : public Admin {
 public:
  explicit BlockingAdmin(client::ClientCore& core) : core_(core) {}

  absl::StatusOr<TopicId> CreateTopic(const NewTopic& topic) override {
    v1::CreateTopicRequest request;
    request.set_name(topic.name);
    if (topic.partitions.has_value()) request.set_partitions(*topic.partitions);
    if (topic.replicas.has_value()) request.set_replicas(*topic.replicas);
    request.mutable_configs()->insert(topic.configs.begin(), topic.configs.end());
    TALOSMQ_ASSIGN_OR_RETURN(
        const auto response,
        Change<v1::CreateTopicResponse>("/talosmq.v1.TopicService/CreateTopic", request));
    return client::ReadTopicId(response.topic_id());
  }

  absl::StatusOr<std::vector<TopicSummary>> ListTopics() override { return ListTopics({}); }

  absl::StatusOr<std::vector<TopicSummary>> ListTopics(const TopicFilter& filter) override {
    v1::ListTopicsRequest request;
    request.set_include_internal(true);
    for (const LabelFilter& filtered : filter.labels) {
      v1::LabelFilter& label = *request.add_labels();
      label.set_key(filtered.key);
      if (filtered.value.has_value()) label.set_value(*filtered.value);
    }
    TALOSMQ_ASSIGN_OR_RETURN(
        const auto response,
        Ask<v1::ListTopicsResponse>("/talosmq.v1.TopicService/ListTopics", request));
    std::vector<TopicSummary> topics;
    for (const v1::TopicSummary& topic : response.topics()) {
      TALOSMQ_ASSIGN_OR_RETURN(topics.emplace_back(), client::ReadTopicSummary(topic));
    }
    return topics;
  }

  absl::StatusOr<TopicInfo> DescribeTopic(const std::string& name) override {
    v1::DescribeTopicRequest request;
    request.set_name(name);
    TALOSMQ_ASSIGN_OR_RETURN(
        const auto response,
        Ask<v1::DescribeTopicResponse>("/talosmq.v1.TopicService/DescribeTopic", request));
    return client::ReadTopicInfo(response);
  }

  absl::Status AlterTopic(const std::string& name, const std::map<std::string, std::string>& set,
                          const std::vector<std::string>& unset) override {
    v1::AlterTopicRequest request;
    request.set_name(name);
    request.mutable_set()->insert(set.begin(), set.end());
    for (const std::string& key : unset) request.add_unset(key);
    return Change<v1::AlterTopicResponse>("/talosmq.v1.TopicService/AlterTopic", request).status();
  }

  absl::Status AddPartitions(const std::string& name, int32_t total) override {
    v1::AddPartitionsRequest request;
    request.set_name(name);
    request.set_total(total);
    return Change<v1::AddPartitionsResponse>("/talosmq.v1.TopicService/AddPartitions", request)
        .status();
  }

  absl::StatusOr<Offset> DeleteRecords(const std::string& topic, PartitionId partition,
                                       Offset before) override {
    TALOSMQ_ASSIGN_OR_RETURN(const auto image, client::FindTopic(core_, topic));
    v1::DeleteRecordsRequest request;
    v1::RecordDeletion& deletion = *request.add_partitions();
    deletion.set_topic_id(std::string(image->id.bytes()));
    deletion.set_partition(partition.value());
    deletion.set_before_offset(before.value());
    // Repeating it does no harm.
    TALOSMQ_ASSIGN_OR_RETURN(
        const auto response,
        Ask<v1::DeleteRecordsResponse>("/talosmq.v1.MessageService/DeleteRecords", request));
    if (response.partitions_size() != 1) {
      return MakeError(Reason::kInternal, base::StrCat("deletion of records: expected one answer, "
                                                       "found ",
                                                       response.partitions_size()));
    }
    const v1::DeletedRecords& deleted = response.partitions(0);
    if (deleted.has_error()) return client::StatusOf(deleted.error());
    return Offset(deleted.log_start_offset());
  }

  absl::Status DeleteTopic(const std::string& name) override {
    v1::DeleteTopicRequest request;
    request.set_name(name);
    return Change<v1::DeleteTopicResponse>("/talosmq.v1.TopicService/DeleteTopic", request)
        .status();
  }

  absl::StatusOr<CorruptRange> SkipCorrupt(const std::string& topic, PartitionId partition,
                                           Offset to) override {
    v1::SkipCorruptRequest request;
    request.set_topic(topic);
    request.set_partition(partition.value());
    request.set_to_offset(to.value());
    TALOSMQ_ASSIGN_OR_RETURN(
        const auto response,
        Change<v1::SkipCorruptResponse>("/talosmq.v1.TopicService/SkipCorrupt", request));
    return client::RangeOf(response.skipped());
  }

  absl::StatusOr<std::vector<GroupSummary>> ListGroups() override {
    return client::ListGroups(core_);
  }

  absl::StatusOr<GroupInfo> DescribeGroup(const std::string& group) override {
    return client::DescribeGroup(core_, group);
  }

  absl::StatusOr<std::map<PartitionId, Offset>> ResetGroupOffsets(
      const GroupReset& reset) override {
    return client::ResetGroupOffsets(core_, reset);
  }

  absl::StatusOr<std::map<PartitionId, CommittedOffset>> FetchGroupOffsets(
      const std::string& group, const std::string& topic) override {
    return client::FetchGroupOffsets(core_, group, topic);
  }

  absl::Status DeleteGroup(const std::string& group) override {
    v1::DeleteGroupRequest request;
    request.set_group(group);
    return Change<v1::DeleteGroupResponse>("/talosmq.v1.ConsumerService/DeleteGroup", request)
        .status();
  }

  absl::StatusOr<ClusterInfo> DescribeCluster() override {
    TALOSMQ_ASSIGN_OR_RETURN(const auto response, Ask<v1::DescribeClusterResponse>(
                                                      "/talosmq.v1.ClusterService/DescribeCluster",
                                                      v1::DescribeClusterRequest()));
    return client::ReadClusterInfo(response);
  }

  absl::StatusOr<ClusterHealth> CheckHealth() override {
    TALOSMQ_ASSIGN_OR_RETURN(const auto response,
                             Ask<v1::CheckHealthResponse>("/talosmq.v1.ClusterService/CheckHealth",
                                                          v1::CheckHealthRequest()));
    return client::ReadClusterHealth(response);
  }

  absl::Status DeleteOrphan(const TopicPartition& log) override {
    v1::DeleteOrphanRequest request;
    request.set_topic_id(std::string(log.topic_id.bytes()));
    request.set_partition(log.partition.value());
    return Change<v1::DeleteOrphanResponse>("/talosmq.v1.ClusterService/DeleteOrphan", request)
        .status();
  }

  absl::Status CreateUser(const std::string& name, const std::string& password) override {
    TALOSMQ_RETURN_IF_ERROR(client::CheckPassword(password));
    v1::CreateUserRequest request;
    request.set_name(name);
    client::WriteCredential(base::ScramHash::kSha256, password, *request.mutable_scram_sha_256());
    client::WriteCredential(base::ScramHash::kSha512, password, *request.mutable_scram_sha_512());
    return Change<v1::CreateUserResponse>("/talosmq.v1.UserService/CreateUser", request).status();
  }

  absl::StatusOr<std::vector<UserInfo>> ListUsers() override {
    TALOSMQ_ASSIGN_OR_RETURN(
        const auto response,
        Ask<v1::ListUsersResponse>("/talosmq.v1.UserService/ListUsers", v1::ListUsersRequest()));
    std::vector<UserInfo> users;
    for (const v1::UserDescription& user : response.users()) {
      users.push_back({.name = user.name(), .created = absl::FromUnixMillis(user.created_ms())});
    }
    return users;
  }

  absl::Status DeleteUser(const std::string& name) override {
    return Change<v1::DeleteUserResponse>("/talosmq.v1.UserService/DeleteUser",
                                          Named<v1::DeleteUserRequest>(name))
        .status();
  }

  absl::Status CreateDump(const DumpDefinition& dump) override {
    v1::CreateDumpRequest request;
    client::WriteDumpDefinition(dump, *request.mutable_definition());
    return Change<v1::CreateDumpResponse>("/talosmq.v1.DumpService/CreateDump", request).status();
  }

  absl::StatusOr<std::vector<DumpInfo>> ListDumps() override {
    TALOSMQ_ASSIGN_OR_RETURN(
        const auto response,
        Ask<v1::ListDumpsResponse>("/talosmq.v1.DumpService/ListDumps", v1::ListDumpsRequest()));
    std::vector<DumpInfo> dumps;
    for (const v1::DumpDescription& dump : response.dumps()) {
      TALOSMQ_ASSIGN_OR_RETURN(dumps.emplace_back(), client::ReadDumpInfo(dump));
    }
    return dumps;
  }

  absl::StatusOr<DumpInfo> DescribeDump(const std::string& name) override {
    TALOSMQ_ASSIGN_OR_RETURN(const auto response,
                             Ask<v1::DescribeDumpResponse>("/talosmq.v1.DumpService/DescribeDump",
                                                           Named<v1::DescribeDumpRequest>(name)));
    return client::ReadDumpInfo(response.dump());
  }

  absl::Status PauseDump(const std::string& name) override {
    return Change<v1::PauseDumpResponse>("/talosmq.v1.DumpService/PauseDump",
                                         Named<v1::PauseDumpRequest>(name))
        .status();
  }

  absl::Status ResumeDump(const std::string& name) override {
    return Change<v1::ResumeDumpResponse>("/talosmq.v1.DumpService/ResumeDump",
                                          Named<v1::ResumeDumpRequest>(name))
        .status();
  }

  absl::Status DeleteDump(const std::string& name) override {
    return Change<v1::DeleteDumpResponse>("/talosmq.v1.DumpService/DeleteDump",
                                          Named<v1::DeleteDumpRequest>(name))
        .status();
  }

 private:
  template <typename Request>
  static Request Named(const std::string& name) {
    Request request;
    request.set_name(name);
    return request;
  }

  /// A question: any server of the list may answer it.
  template <typename Response, typename Request>
  absl::StatusOr<Response> Ask(std::string_view method, const Request& request) {
    return Call<Response>(method, request, CallPolicy::kAnyServer);
  }

  /// A change: sent once, since a lost answer does not tell whether it was made.
  template <typename Response, typename Request>
  absl::StatusOr<Response> Change(std::string_view method, const Request& request) {
    return Call<Response>(method, request, CallPolicy::kOnce);
  }

  template <typename Response, typename Request>
  absl::StatusOr<Response> Call(std::string_view method, const Request& request,
                                CallPolicy policy) {
    client::PendingResult<absl::StatusOr<Response>> answered;
    core_.CallTyped<Response>(method, request, policy, answered.callback());
    return answered.Wait();
  }

  client::ClientCore& core_;
};

}  // namespace

std::unique_ptr<Admin> Admin::Create(Client& client) {
  return std::make_unique<BlockingAdmin>(client.core());
}

}  // namespace talosmq
