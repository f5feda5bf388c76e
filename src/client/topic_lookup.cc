#include "client/topic_lookup.h"

#include "client/pending_result.h"
#include "client/retry.h"

#include <utility>

namespace talosmq::client {

absl::StatusOr<TopicImagePtr> FindTopic(ClientCore& core, std::string name) {
  PendingResult<absl::StatusOr<TopicImagePtr>> found;
  core.executor().Post([&core, name = std::move(name), done = found.callback()]() mutable {
    Retry<TopicImagePtr>::Start(
        core,
        [&core, name = std::move(name)](MetadataCache::Done answer) {
          core.metadata().FindByName(name, std::move(answer));
        },
        std::move(done));
  });
  return found.Wait();
}

}  // namespace talosmq::client
