// What does one record cost, on one core, in building, checking and reading batches of 1 MiB?
// Items are records, bytes are bytes of batches. The broker's part of a produced record is
// Validate; the client's is Append plus its share of Finish, which is nearly all CRC.

#include "base/check.h"
#include "base/crc32c.h"
#include "record/batch.h"

#include "benchmark/benchmark.h"

#include <string>

namespace talosmq::record {
namespace {

constexpr size_t kBatchBytes = 1 << 20;
constexpr int64_t kNowMs = 1'767'225'600'000;

/// Fills the builder up to a full batch with records of `value_bytes` each.
void Fill(BatchBuilder& builder, const std::string& value) {
  RecordInput record{.timestamp_ms = kNowMs, .value = value};
  const size_t record_bytes_max = BatchBuilder::EncodedBytesMax(record);
  while (builder.bytes() + record_bytes_max <= kBatchBytes) {
    record.timestamp_ms = kNowMs + builder.count() / 64;
    builder.Append(record);
  }
}

/// Like log lines: some of every value repeats, some does not.
std::string ValueOf(size_t bytes) {
  std::string value;
  while (value.size() < bytes) {
    value += "{\"package\":\"lib" + std::to_string(value.size() * 7919) + "\",\"size\":";
  }
  value.resize(bytes);
  return value;
}

struct FullBatch {
  base::Buffer bytes;
  int64_t records = 0;
};

FullBatch MakeBatch(Codec codec, size_t value_bytes) {
  BatchBuilder builder(codec, kBatchBytes);
  Fill(builder, ValueOf(value_bytes));
  const int64_t records = builder.count();
  absl::StatusOr<base::Buffer> batch = builder.Finish({});
  TALOSMQ_CHECK(batch.ok()) << batch.status();
  return {.bytes = *std::move(batch), .records = records};
}

void Count(benchmark::State& state, int64_t records, size_t batch_bytes) {
  state.SetItemsProcessed(state.iterations() * records);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(batch_bytes));
}

/// Encoding alone: every Append of a batch, without Finish.
void BM_Append(benchmark::State& state) {
  const std::string value = ValueOf(static_cast<size_t>(state.range(0)));
  int64_t records = 0;
  size_t bytes = 0;
  for (auto _ : state) {
    BatchBuilder builder(Codec::kNone, kBatchBytes);
    Fill(builder, value);
    records = builder.count();
    bytes = builder.bytes();
    benchmark::DoNotOptimize(bytes);
  }
  Count(state, records, bytes);
}
BENCHMARK(BM_Append)->Arg(100)->Arg(1000);

/// A finished batch: Append, header and CRC, or compression.
void BM_Encode(benchmark::State& state) {
  const auto codec = static_cast<Codec>(state.range(1));
  const std::string value = ValueOf(static_cast<size_t>(state.range(0)));
  BatchBuilder builder(codec, kBatchBytes);
  int64_t records = 0;
  for (auto _ : state) {
    Fill(builder, value);
    records = builder.count();
    benchmark::DoNotOptimize(builder.Finish({}));
  }
  Count(state, records, kBatchBytes);
}
BENCHMARK(BM_Encode)->ArgsProduct({{100, 1000}, {0, 1, 2, 3, 4}});

/// Everything a broker checks of a client's batch, CRC included.
void BM_Validate(benchmark::State& state) {
  const FullBatch batch =
      MakeBatch(static_cast<Codec>(state.range(1)), static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    const auto facts = ValidateClientBatch(batch.bytes.bytes(), {.now_ms = kNowMs});
    TALOSMQ_CHECK(facts.ok()) << facts.status();
  }
  Count(state, batch.records, kBatchBytes);
}
BENCHMARK(BM_Validate)->ArgsProduct({{100, 1000}, {0, 1, 2, 3, 4}});

/// A consumer's part: CRC and every record as views.
void BM_Decode(benchmark::State& state) {
  const FullBatch batch =
      MakeBatch(static_cast<Codec>(state.range(1)), static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    auto reader = BatchReader::Open(batch.bytes.bytes(), {});
    TALOSMQ_CHECK(reader.ok()) << reader.status();
    while (true) {
      const auto record = reader->Next();
      TALOSMQ_CHECK(record.ok()) << record.status();
      if (!record->has_value()) break;
      benchmark::DoNotOptimize(**record);
    }
  }
  Count(state, batch.records, kBatchBytes);
}
BENCHMARK(BM_Decode)->ArgsProduct({{100, 1000}, {0, 1, 2, 3, 4}});

/// The floor of Validate and Decode.
void BM_Crc32c(benchmark::State& state) {
  const base::Buffer bytes =
      base::Buffer::CopyOf(base::AsBytes(ValueOf(static_cast<size_t>(state.range(0)))));
  for (auto _ : state) benchmark::DoNotOptimize(base::Crc32c(bytes.bytes()));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Crc32c)->Arg(100)->Arg(4096)->Arg(1 << 20);

}  // namespace
}  // namespace talosmq::record
