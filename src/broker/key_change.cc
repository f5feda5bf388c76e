#include "broker/key_change.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <memory>
#include <utility>

namespace talosmq::broker {
namespace {

using metadata::CommitResult;
using metadata::KeyValue;
using metadata::Revision;

/// One change under way; handed from callback to callback.
struct Run {
  metadata::MetadataStore& store;
  KeyChange change;
  base::Executor& on;
  base::Callback<absl::StatusOr<Revision>> done;
  KeyChange::Found found;
  int attempts = 0;
};

void Decide(std::unique_ptr<Run> run);

void ReadNext(std::unique_ptr<Run> run) {
  Run& now = *run;
  if (now.found.size() == now.change.keys.size()) return Decide(std::move(run));
  now.store.Get(now.change.keys[now.found.size()], now.on,
                [run = std::move(run)](absl::StatusOr<std::optional<KeyValue>> entry) mutable {
                  if (!entry.ok()) return run->done(entry.status());
                  run->found.push_back(*std::move(entry));
                  ReadNext(std::move(run));
                });
}

void Decide(std::unique_ptr<Run> run) {
  Run& now = *run;
  auto operations = now.change.decide(now.found);
  if (!operations.ok()) return now.done(operations.status());
  if (operations->empty()) return now.done(Revision::kNone);
  metadata::Transaction transaction{.compares = {}, .operations = *std::move(operations)};
  for (size_t i = 0; i < now.found.size(); ++i) {
    const Revision seen = now.found[i].has_value() ? now.found[i]->mod_revision : Revision::kNone;
    transaction.compares.push_back({.key = now.change.keys[i], .mod_revision = seen});
  }
  now.store.Commit(
      std::move(transaction), now.on,
      [run = std::move(run)](const absl::StatusOr<CommitResult>& result) mutable {
        if (!result.ok()) return run->done(result.status());
        if (result->succeeded) return run->done(result->revision);
        if (++run->attempts == kKeyChangeAttemptsMax) {
          return run->done(MakeError(
              Reason::kConflict,
              base::StrCat("metadata key ", run->change.keys.back(), ": changed by others ",
                           kKeyChangeAttemptsMax, " times in a row")));
        }
        run->found.clear();
        ReadNext(std::move(run));
      });
}

}  // namespace

void ChangeKeys(metadata::MetadataStore& store, KeyChange change, base::Executor& on,
                base::Callback<absl::StatusOr<Revision>> done) {
  ReadNext(std::unique_ptr<Run>(new Run{.store = store,
                                        .change = std::move(change),
                                        .on = on,
                                        .done = std::move(done),
                                        .found = {},
                                        .attempts = 0}));
}

}  // namespace talosmq::broker
