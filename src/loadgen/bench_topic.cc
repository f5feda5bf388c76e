#include "loadgen/bench_topic.h"

#include "base/status.h"

#include "absl/strings/str_format.h"

#include <utility>

namespace talosmq::loadgen {

absl::StatusOr<BenchTopic> BenchTopic::Open(Client& client, const Workload& workload,
                                            base::Random& random) {
  BenchTopic topic(Admin::Create(client),
                   workload.topic.value_or(absl::StrFormat("bench-%016x", random.Next())));
  if (!workload.topic.has_value()) {
    NewTopic fresh;
    fresh.name = topic.name_;
    fresh.partitions = workload.partitions;
    TALOSMQ_RETURN_IF_ERROR(topic.admin_->CreateTopic(fresh).status());
    topic.is_own_ = true;
  }
  TALOSMQ_ASSIGN_OR_RETURN(const TopicInfo info, topic.admin_->DescribeTopic(topic.name_));
  topic.partitions_ = static_cast<int32_t>(info.partitions.size());
  return topic;
}

BenchTopic::~BenchTopic() {
  // Whoever leaves without Remove() has an error of his own to tell.
  Remove().IgnoreError();
}

absl::Status BenchTopic::Remove() {
  if (admin_ == nullptr) return absl::OkStatus();
  const std::unique_ptr<Admin> admin = std::move(admin_);
  return is_own_ ? admin->DeleteTopic(name_) : absl::OkStatus();
}

}  // namespace talosmq::loadgen
