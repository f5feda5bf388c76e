#include "storage/deferred_flush.h"

#include "storage/fence.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace talosmq::storage {

absl::Status DeferredFlush::MakeDurable(std::span<LogWrite> group) {
  size_t rounds = 0;
  for (LogWrite& write : group) {
    write.status = absl::OkStatus();  // It may have failed before, and is tried again.
    rounds = std::max(rounds, write.segments.size());
  }
  if (rounds <= 1) return WriteAndSync(group);
  absl::Status synced;
  for (size_t round = 0; round < rounds; ++round) {
    std::vector<LogWrite> part;
    std::vector<LogWrite*> wholes;
    for (LogWrite& write : group) {
      if (round >= write.segments.size() || !write.status.ok()) continue;
      wholes.push_back(&write);
      part.push_back({.files = write.files,
                      .epochs = round == 0 ? write.epochs : std::vector<EpochEntry>(),
                      .segments = {write.segments[round]},
                      .allocation = write.allocation});
    }
    synced.Update(WriteAndSync(part));
    for (size_t i = 0; i < part.size(); ++i) {
      wholes[i]->status = part[i].status;
      wholes[i]->place = part[i].place;
      std::ranges::move(part[i].sealed, std::back_inserter(wholes[i]->sealed));
    }
  }
  return synced;
}

absl::Status DeferredFlush::WriteAndSync(std::span<LogWrite> group) {
  direct_.MakeDurable(group);
  for (const LogWrite& write : group) direct_.Release(*write.files);
  const auto is_ok = [](const LogWrite& write) { return write.status.ok(); };
  if (std::ranges::none_of(group, is_ok)) return absl::OkStatus();
  absl::Status synced = MayBeStored(sync_.SyncAll());
  for (LogWrite& write : group) write.status.Update(synced);
  return synced;
}

}  // namespace talosmq::storage
