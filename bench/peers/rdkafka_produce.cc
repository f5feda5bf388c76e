// Produces records as fast as librdkafka takes them and prints the records acknowledged a second.
//
//   rdkafka_produce BOOTSTRAP TOPIC RECORDS BYTES [KEY=VALUE]...

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

struct Deliveries {
  long acknowledged = 0;
  long failed = 0;
};

void OnDelivery(rd_kafka_t* /*client*/, const rd_kafka_message_t* message, void* opaque) {
  auto* deliveries = static_cast<Deliveries*>(opaque);
  ++(message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? deliveries->acknowledged : deliveries->failed);
}

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "rdkafka_produce: %s\n", why.c_str());
  std::exit(1);
}

void Set(rd_kafka_conf_t* settings, const std::string& key, const std::string& value) {
  char why[512];
  if (rd_kafka_conf_set(settings, key.c_str(), value.c_str(), why, sizeof(why)) !=
      RD_KAFKA_CONF_OK) {
    Fail(why);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) Fail("usage: rdkafka_produce BOOTSTRAP TOPIC RECORDS BYTES [KEY=VALUE]...");
  const long records = std::atol(argv[3]);
  std::string value(static_cast<size_t>(std::atol(argv[4])), 'x');
  Deliveries deliveries;
  rd_kafka_conf_t* const settings = rd_kafka_conf_new();
  Set(settings, "bootstrap.servers", argv[1]);
  for (int i = 5; i < argc; ++i) {
    const std::string setting = argv[i];
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) Fail("expected KEY=VALUE, found " + setting);
    Set(settings, setting.substr(0, equals), setting.substr(equals + 1));
  }
  rd_kafka_conf_set_dr_msg_cb(settings, OnDelivery);
  rd_kafka_conf_set_opaque(settings, &deliveries);
  char why[512];
  rd_kafka_t* const client = rd_kafka_new(RD_KAFKA_PRODUCER, settings, why, sizeof(why));
  if (client == nullptr) Fail(why);
  rd_kafka_topic_t* const topic = rd_kafka_topic_new(client, argv[2], nullptr);
  if (topic == nullptr) Fail(rd_kafka_err2str(rd_kafka_last_error()));

  const auto began = std::chrono::steady_clock::now();
  for (long i = 0; i < records; ++i) {
    // No two values alike, so that nothing is gained by their being so.
    value[static_cast<size_t>(i) % value.size()] = static_cast<char>('a' + i % 26);
    while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value.data(),
                            value.size(), nullptr, 0, nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        Fail(rd_kafka_err2str(rd_kafka_last_error()));
      }
      rd_kafka_poll(client, 10);
    }
    if (i % 1000 == 0) rd_kafka_poll(client, 0);
  }
  if (rd_kafka_flush(client, 120'000) != RD_KAFKA_RESP_ERR_NO_ERROR) Fail("not flushed in 120 s");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  if (deliveries.acknowledged != records) {
    Fail(std::to_string(deliveries.failed) + " of " + std::to_string(records) + " records failed");
  }
  std::printf("%.0f\n", static_cast<double>(records) / took.count());
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(client);
}
