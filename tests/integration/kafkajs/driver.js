// Reads and writes records as told on the command line; each record is a line of JSON, bytes are base64.
//
//   produce BOOTSTRAP TOPIC CODEC   sends the records of standard input, tells where each went
//   consume BOOTSTRAP TOPIC COUNT   prints COUNT records from the starts of all partitions, in a group of its own
'use strict'

const fs = require('fs')
const readline = require('readline')
const { Kafka, logLevel } = require('kafkajs')
const CODECS = require('./codecs')

const encoded = bytes => bytes === null || bytes === undefined ? null : bytes.toString('base64')
const decoded = text => text === null ? null : Buffer.from(text, 'base64')
const write = line => fs.writeSync(1, JSON.stringify(line) + '\n')

// Values of one name stand together: kafkajs has an object for headers.
function headersOf (pairs) {
  const headers = {}
  for (const [name, value] of pairs) (headers[name] ||= []).push(decoded(value))
  return headers
}

const pairsOf = headers => Object.entries(headers).flatMap(
  ([name, values]) => [values].flat().map(value => [name, encoded(value)]))

// What has come in while the last ones were sent goes together.
async function produce (kafka, topic, codec) {
  if (!(codec in CODECS)) throw new Error(`no such codec: ${codec}`)
  const producer = kafka.producer({ idempotent: true, retry: { retries: 100, maxRetryTime: 1000 } })
  await producer.connect()
  let [lines, hasEnded, wake] = [[], false, () => {}]
  readline.createInterface({ input: process.stdin })
    .on('line', line => { lines.push(JSON.parse(line)); wake() })
    .on('close', () => { hasEnded = true; wake() })
  for (let index = 0; ;) {
    while (lines.length === 0 && !hasEnded) await new Promise(resolve => { wake = resolve })
    if (lines.length === 0) break
    const messages = lines.map(({ partition = 0, key, value, headers }) => (
      { partition, key: decoded(key), value: decoded(value), headers: headersOf(headers) }))
    lines = []
    const next = new Map()
    for (const { partition, baseOffset } of await producer.send({ topic, compression: CODECS[codec], messages })) {
      next.set(partition, Number(baseOffset))
    }
    for (const { partition } of messages) {
      const offset = next.get(partition)
      next.set(partition, offset + 1)
      write({ index: index++, partition, offset })
    }
  }
  await producer.disconnect()
}

async function consume (kafka, topic, count) {
  const consumer = kafka.consumer({ groupId: `${topic}.${process.pid}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  let left = Number(count)
  await new Promise((resolve, reject) => {
    // It calls what it tries again a crash, too, as when the first group of a server comes.
    consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error))
    consumer.run({
      eachMessage: async ({ partition, message: { offset, key, value, headers } }) => {
        if (left === 0) return
        write({ partition, offset: Number(offset), key: encoded(key), value: encoded(value), headers: pairsOf(headers) })
        if (--left === 0) resolve()
      }
    }).catch(reject)
  })
  await consumer.disconnect()
}

async function main () {
  const [command, bootstrap, topic, last] = process.argv.slice(2)
  const kafka = new Kafka({ clientId: 'kafkajs-driver', brokers: [bootstrap], logLevel: logLevel.NOTHING })
  await { produce, consume }[command](kafka, topic, last)
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
