"""The driver on confluent-kafka: produce BOOTSTRAP TOPIC CODEC, consume BOOTSTRAP TOPIC COUNT."""

import confluent_kafka as ck
import driver_lines

BATCH_BYTES_MAX = 8 << 20


def produce(bootstrap, topic, codec):
    producer = ck.Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True,
                            "message.max.bytes": BATCH_BYTES_MAX})
    failed = []

    def tell(index, error, message):
        if error is not None:
            failed.append(error)
            driver_lines.write(index=index, error=error.name())
        else:
            driver_lines.write(index=index, partition=message.partition(), offset=message.offset())

    for index, (partition, key, value, headers) in enumerate(driver_lines.records()):
        producer.produce(topic, value, key, partition, headers=headers,
                         on_delivery=lambda error, message, i=index: tell(i, error, message))
        producer.poll(0)
    return producer.flush() == 0 and not failed


def consume(bootstrap, topic, count):
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False,
                            "check.crcs": True})
    partitions = consumer.list_topics(topic).topics[topic].partitions
    consumer.assign([ck.TopicPartition(topic, partition, ck.OFFSET_BEGINNING) for partition in partitions])
    while count > 0:
        for message in consumer.consume(count, 0.5):
            if message.error() is not None:
                raise ck.KafkaException(message.error())
            driver_lines.write_record(message.partition(), message.offset(), message.key(), message.value(),
                                      message.headers())
            count -= 1
    consumer.close()


if __name__ == "__main__":
    driver_lines.run(produce, consume)
