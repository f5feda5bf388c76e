"""The driver on kafka-python: produce BOOTSTRAP TOPIC CODEC, consume BOOTSTRAP TOPIC COUNT."""

import driver_lines
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

BATCH_BYTES_MAX = 8 << 20


def produce(bootstrap, topic, codec):
    """One request in flight keeps the order in retries: there is no idempotence."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec,
                             acks="all", retries=1000, max_in_flight_requests_per_connection=1,
                             max_request_size=BATCH_BYTES_MAX)
    sent = [producer.send(topic, value, key, headers, partition)
            for partition, key, value, headers in driver_lines.records()]
    producer.flush()
    is_done = True
    for index, future in enumerate(sent):
        try:
            place = future.get()
            driver_lines.write(index=index, partition=place.partition, offset=place.offset)
        except KafkaError as error:
            is_done = False
            driver_lines.write(index=index, error=type(error).__name__)
    producer.close()
    return is_done


def consume(bootstrap, topic, count):
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, check_crcs=True)
    consumer.assign([TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)])
    consumer.seek_to_beginning()
    while count > 0:
        for records in consumer.poll(500, count).values():
            for record in records:
                driver_lines.write_record(record.partition, record.offset, record.key, record.value, record.headers)
                count -= 1
    consumer.close()


if __name__ == "__main__":
    driver_lines.run(produce, consume)
