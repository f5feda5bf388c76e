#include "storage/catalogue.h"

#include "base/status.h"
#include "base/text.h"
#include "talosmq/error.h"

namespace talosmq::storage {

std::string CatalogueKey(const TopicPartition& log) { return base::StrCat("log/", log.ToString()); }

absl::Status Catalogue::Add(const std::vector<TopicPartition>& logs) {
  kv::WriteBatch batch;
  for (const TopicPartition& log : logs) {
    batch.Put(CatalogueKey(log), std::string(1, static_cast<char>(kCatalogueVersion)));
  }
  return base::Annotate(store_.Write(batch, kv::Durability::kSynced), "log catalogue");
}

absl::Status Catalogue::Remove(const TopicPartition& log) {
  kv::WriteBatch batch;
  batch.Delete(CatalogueKey(log));
  return base::Annotate(store_.Write(batch, kv::Durability::kSynced), "log catalogue");
}

absl::StatusOr<bool> Catalogue::Contains(const TopicPartition& log) const {
  TALOSMQ_ASSIGN_OR_RETURN(const auto value, store_.Get(CatalogueKey(log)));
  if (!value) return false;
  if (value->size() != 1 || static_cast<uint8_t>(value->front()) != kCatalogueVersion) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("log catalogue, key ", CatalogueKey(log), ": expected version ",
                                  kCatalogueVersion, ", found ", base::Printable(*value, 16)));
  }
  return true;
}

}  // namespace talosmq::storage
