#include "controller/producer_id_blocks.h"

#include "metadata/codec.h"
#include "metadata/keys.h"

#include <optional>
#include <string>
#include <utility>

namespace talosmq::controller {

using metadata::CommitResult;
using metadata::KeyValue;

namespace {

using Done = base::Callback<absl::StatusOr<ProducerIdBlock>>;

void TakeFrom(metadata::MetadataStore& store, base::Executor& executor, Done done) {
  const std::string key(metadata::kProducerIdsKey);
  auto on_key = [&store, &executor, key,
                 done = std::move(done)](absl::StatusOr<std::optional<KeyValue>> found) mutable {
    if (!found.ok()) return done(found.status());
    metadata::ProducerIdsRecord record;
    metadata::Compare unchanged{.key = key};
    if (found->has_value()) {
      absl::StatusOr<metadata::ProducerIdsRecord> decoded =
          metadata::Decode<metadata::ProducerIdsRecord>(**found);
      if (!decoded.ok()) return done(decoded.status());
      record = *decoded;
      unchanged.mod_revision = (*found)->mod_revision;
    }
    const ProducerIdBlock block{.first = ProducerId(record.next_id)};
    record.next_id += kProducerIdBlockSize;
    store.Commit(
        {.compares = {unchanged}, .operations = {{.key = key, .value = metadata::Encode(record)}}},
        executor,
        [&store, &executor, block,
         done = std::move(done)](const absl::StatusOr<CommitResult>& result) mutable {
          if (!result.ok()) return done(result.status());
          if (!result->succeeded) return TakeFrom(store, executor, std::move(done));
          done(block);
        });
  };
  store.Get(key, executor, std::move(on_key));
}

}  // namespace

void ProducerIdBlocks::Take(Done done) { TakeFrom(store_, executor_, std::move(done)); }

}  // namespace talosmq::controller
