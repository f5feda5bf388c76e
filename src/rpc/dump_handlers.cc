#include "rpc/dump_handlers.h"

#include "base/status.h"
#include "base/text.h"
#include "rpc/unary_call.h"

#include <utility>

namespace talosmq::rpc {
namespace {

absl::StatusOr<broker::DumpFormat> FormatOf(const v1::DumpDefinition& definition) {
  if (definition.format() == v1::DUMP_FORMAT_JSON) return broker::DumpFormat::kJson;
  if (definition.format() == v1::DUMP_FORMAT_RAW) return broker::DumpFormat::kRaw;
  return MakeError(Reason::kInvalidDumpJob,
                   base::StrCat("the format of a dump is 1 (json) or 2 (raw), not ",
                                static_cast<int>(definition.format())));
}

absl::StatusOr<broker::DumpDefinition> DefinitionOf(const v1::DumpDefinition& definition) {
  broker::DumpDefinition result;
  TALOSMQ_ASSIGN_OR_RETURN(result.format, FormatOf(definition));
  result.name = definition.name();
  result.topic = definition.topic();
  result.target = definition.target();
  result.configs = {definition.configs().begin(), definition.configs().end()};
  return result;
}

v1::DumpFormat ToMessage(broker::DumpFormat format) {
  switch (format) {
    case broker::DumpFormat::kJson:
      return v1::DUMP_FORMAT_JSON;
    case broker::DumpFormat::kRaw:
      return v1::DUMP_FORMAT_RAW;
  }
  return v1::DUMP_FORMAT_UNSPECIFIED;
}

v1::DumpState ToMessage(broker::DumpState state) {
  switch (state) {
    case broker::DumpState::kRunning:
      return v1::DUMP_STATE_RUNNING;
    case broker::DumpState::kPaused:
      return v1::DUMP_STATE_PAUSED;
    case broker::DumpState::kFailed:
      return v1::DUMP_STATE_FAILED;
  }
  return v1::DUMP_STATE_FAILED;
}

void FillDescription(const broker::DumpDescription& dump, v1::DumpDescription& to) {
  v1::DumpDefinition& definition = *to.mutable_definition();
  definition.set_name(dump.definition.name);
  definition.set_topic(dump.definition.topic);
  definition.set_target(dump.definition.target);
  definition.set_format(ToMessage(dump.definition.format));
  for (const auto& [key, value] : dump.definition.configs) {
    (*definition.mutable_configs())[key] = value;
  }
  to.set_topic_id(std::string(dump.topic_id.bytes()));
  to.set_state(ToMessage(dump.state));
  to.set_error(dump.error);
  for (const broker::DumpPartition& partition : dump.partitions) {
    v1::DumpPartition& added = *to.add_partitions();
    added.set_partition(partition.partition.value());
    added.set_next_offset(partition.next_offset.value());
    added.set_high_watermark(partition.high_watermark.value());
    added.set_lag_records(partition.lag_records);
  }
  to.set_files_published(dump.files_published);
  to.set_records_published(dump.records_published);
  to.set_bytes_published(dump.bytes_published);
  to.set_offsets_skipped(dump.offsets_skipped);
}

}  // namespace

grpc::ServerUnaryReactor* DumpHandlers::CreateDump(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  return ServeUnary<v1::CreateDumpRequest, v1::CreateDumpResponse>(
      context, request, response, calls_, [this](auto call) {
        auto definition = DefinitionOf(call->request.definition());
        if (!definition.ok()) {
          call->Finish(definition.status());
          return;
        }
        dumps_.Create(*std::move(definition), call->DeadlineBy(clock_),
                      [call](const absl::Status& status) { call->Finish(status); });
      });
}

grpc::ServerUnaryReactor* DumpHandlers::ListDumps(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListDumpsRequest, v1::ListDumpsResponse>(
      context, request, response, calls_, [this](auto call) {
        dumps_.List([call](const auto& dumps) {
          if (dumps.ok()) {
            for (const auto& dump : *dumps) FillDescription(dump, *call->response.add_dumps());
          }
          call->FinishRead(dumps.status());
        });
      });
}

grpc::ServerUnaryReactor* DumpHandlers::DescribeDump(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  return ServeUnary<v1::DescribeDumpRequest, v1::DescribeDumpResponse>(
      context, request, response, calls_, [this](auto call) {
        dumps_.Describe(call->request.name(), [call](const auto& dump) {
          if (dump.ok()) FillDescription(*dump, *call->response.mutable_dump());
          call->FinishRead(dump.status());
        });
      });
}

grpc::ServerUnaryReactor* DumpHandlers::PauseDump(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  return ServeUnary<v1::PauseDumpRequest, v1::PauseDumpResponse>(
      context, request, response, calls_, [this](auto call) {
        dumps_.Pause(call->request.name(), call->DeadlineBy(clock_),
                     [call](const absl::Status& status) { call->Finish(status); });
      });
}

grpc::ServerUnaryReactor* DumpHandlers::ResumeDump(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  return ServeUnary<v1::ResumeDumpRequest, v1::ResumeDumpResponse>(
      context, request, response, calls_, [this](auto call) {
        dumps_.Resume(call->request.name(), call->DeadlineBy(clock_),
                      [call](const absl::Status& status) { call->Finish(status); });
      });
}

grpc::ServerUnaryReactor* DumpHandlers::DeleteDump(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request,
                                                   grpc::ByteBuffer* response) {
  return ServeUnary<v1::DeleteDumpRequest, v1::DeleteDumpResponse>(
      context, request, response, calls_, [this](auto call) {
        dumps_.Delete(call->request.name(), call->DeadlineBy(clock_),
                      [call](const absl::Status& status) { call->Finish(status); });
      });
}

}  // namespace talosmq::rpc
