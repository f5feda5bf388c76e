// Produces and consumes as told by one JSON object in the arguments; prints one as the answer.
//
//   {"broker": "HOST:PORT", "do": "produce", "topic": T, "codec": C, "values": [...]}   {"offset": "0"}
//   {"broker": "HOST:PORT", "do": "consume", "topic": T, "group": G, "count": N}        {"values": [...]}
//   {"broker": "HOST:PORT", "do": "admin", "topic": T}                                 {"topics": [...], ...}
'use strict'

const { Kafka, logLevel } = require('kafkajs')
const CODECS = require('./codecs')

async function produce (kafka, { topic, codec, values }) {
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  const messages = values.map((value, i) => (
    { key: `key ${i}`, value, partition: 0, headers: { first: 'header', again: ['one', 'two'] } }))
  const [{ baseOffset }] = await producer.send({ topic, compression: CODECS[codec], messages })
  await producer.disconnect()
  return { offset: baseOffset }
}

async function consume (kafka, { topic, group, count }) {
  const consumer = kafka.consumer({ groupId: group })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const values = []
  await new Promise((resolve, reject) => {
    // It calls what it tries again a crash, too, as when the first group of a server comes.
    consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error))
    consumer.run({
      eachMessage: async ({ message }) => {
        values.push(message.value.toString())
        if (values.length === count) resolve()
      }
    }).catch(reject)
  })
  await consumer.disconnect() // Commits what was read.
  return { values }
}

async function administer (kafka, { topic }) {
  const admin = kafka.admin()
  await admin.connect()
  const isNew = await admin.createTopics({ topics: [{ topic, numPartitions: 3, replicationFactor: 1 }] })
  const described = await admin.describeConfigs({ resources: [{ type: 2, name: topic }], includeSynonyms: true })
  const told = {
    isNew,
    topics: await admin.listTopics(),
    offsets: await admin.fetchTopicOffsets(topic),
    configs: described.resources[0].configEntries.map(entry => entry.configName)
  }
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
  return told
}

async function main () {
  const asked = JSON.parse(process.argv[2])
  const kafka = new Kafka({ clientId: 'kafkajs-test', brokers: [asked.broker], logLevel: logLevel.NOTHING })
  const actions = { produce, consume, admin: administer }
  console.log(JSON.stringify(await actions[asked.do](kafka, asked)))
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
