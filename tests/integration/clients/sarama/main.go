// The driver on sarama; package driver has its command line.
//
// Its settings: Producer.Flush.Messages=COUNT, Metadata.Retry.Max=COUNT or Consumer.MaxWaitTime=DURATION.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"talosmq/driver"
)

const retriesMax = 1200 // With the backoff they outlast a restart of the server.

func main() {
	driver.Client[*sarama.Config]{
		Configure: configure, Produce: produce, Consume: consume, Group: group, Member: member, Transaction: transaction,
	}.Main()
}

func configure(_ string, settings []string) (*sarama.Config, error) {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Metadata.Retry.Max = retriesMax
	config.Metadata.Retry.Backoff = driver.Backoff
	for _, setting := range settings {
		if err := set(config, setting); err != nil {
			return nil, fmt.Errorf("%q: %w", setting, err)
		}
	}
	return config, nil
}

func set(config *sarama.Config, setting string) (err error) {
	name, value, _ := strings.Cut(setting, "=")
	switch name {
	case "Producer.Flush.Messages":
		config.Producer.Flush.Messages, err = strconv.Atoi(value)
	case "Metadata.Retry.Max":
		config.Metadata.Retry.Max, err = strconv.Atoi(value)
	case "Consumer.MaxWaitTime":
		config.Consumer.MaxWaitTime, err = time.ParseDuration(value)
	default:
		err = errors.New("no such setting")
	}
	return err
}

func makeIdempotent(config *sarama.Config) {
	config.Net.MaxOpenRequests = 1 // sarama refuses idempotence with more.
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
}

func produce(words []string, config *sarama.Config) error {
	if err := config.Producer.Compression.UnmarshalText([]byte(words[2])); err != nil {
		return err
	}
	makeIdempotent(config)
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.MaxMessageBytes = driver.BatchBytesMax
	config.Producer.Retry.Max = retriesMax
	config.Producer.Retry.Backoff = driver.Backoff
	config.Producer.Return.Successes = true
	producer, err := sarama.NewAsyncProducer([]string{words[0]}, config)
	if err != nil {
		return err
	}
	var unanswered sync.WaitGroup
	sent := make(chan error, 1)
	go func() {
		sent <- send(producer.Input(), words[1], &unanswered)
		unanswered.Wait() // Closed before, sarama gives up what it is sending again.
		producer.AsyncClose()
	}()
	failed := report(producer, &unanswered)
	if err := <-sent; err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d records were not acknowledged", failed)
	}
	return nil
}

func send(input chan<- *sarama.ProducerMessage, topic string, unanswered *sync.WaitGroup) error {
	return driver.ForEachRecord(func(index int, record driver.Record) {
		message := messageOf(topic, record)
		message.Metadata = index
		unanswered.Add(1)
		input <- message
	})
}

// report tells what became of each record until the producer is closed; how many failed.
func report(producer sarama.AsyncProducer, unanswered *sync.WaitGroup) (failed int) {
	successes, failures := producer.Successes(), producer.Errors()
	for successes != nil || failures != nil {
		select {
		case message, isOpen := <-successes:
			if !isOpen {
				successes = nil
				continue
			}
			driver.WriteAcknowledgement(message.Metadata.(int), message.Partition, message.Offset)
			unanswered.Done()
		case refused, isOpen := <-failures:
			if !isOpen {
				failures = nil
				continue
			}
			failed++
			driver.WriteFailure(refused.Msg.Metadata.(int), refused.Err.Error())
			unanswered.Done()
		}
	}
	return failed
}

func messageOf(topic string, record driver.Record) *sarama.ProducerMessage {
	message := &sarama.ProducerMessage{Topic: topic, Partition: record.Partition}
	if record.Key != nil {
		message.Key = sarama.ByteEncoder(record.Key)
	}
	if record.Value != nil {
		message.Value = sarama.ByteEncoder(record.Value)
	}
	for _, header := range record.Headers {
		message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Key), Value: header.Value})
	}
	return message
}

func write(message *sarama.ConsumerMessage) {
	headers := []driver.Header{}
	for _, found := range message.Headers {
		headers = append(headers, driver.Header{Key: string(found.Key), Value: found.Value})
	}
	driver.Record{
		Partition: message.Partition, Offset: message.Offset, Key: message.Key, Value: message.Value, Headers: headers,
	}.Write()
}

func consume(words []string, config *sarama.Config) error {
	count, err := strconv.Atoi(words[2])
	if err != nil {
		return err
	}
	consumer, err := sarama.NewConsumer([]string{words[0]}, config)
	if err != nil {
		return err
	}
	defer consumer.Close()
	partitions, err := consumer.Partitions(words[1])
	if err != nil {
		return err
	}
	messages := make(chan *sarama.ConsumerMessage)
	done := make(chan struct{})
	for _, partition := range partitions {
		found, err := consumer.ConsumePartition(words[1], partition, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		defer found.AsyncClose()
		go forward(found.Messages(), messages, done)
	}
	for range count {
		write(<-messages)
	}
	close(done)
	return nil
}

func forward(from <-chan *sarama.ConsumerMessage, to chan<- *sarama.ConsumerMessage, done <-chan struct{}) {
	for message := range from {
		select {
		case to <- message:
		case <-done:
		}
	}
}

// counting prints and commits until nothing is left to print; then it ends the session.
type counting struct {
	mutex sync.Mutex
	left  int
	end   context.CancelFunc
}

func (*counting) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*counting) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *counting) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		if !c.print(message) {
			break
		}
		session.MarkMessage(message, "")
		if c.isDone() {
			break
		}
		if len(claim.Messages()) == 0 {
			session.Commit()
		}
	}
	session.Commit()
	if c.isDone() {
		c.end()
	}
	return nil
}

// print says whether the message was wanted.
func (c *counting) print(message *sarama.ConsumerMessage) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.left == 0 {
		return false
	}
	write(message)
	c.left--
	return true
}

func (c *counting) isDone() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.left == 0
}

func newConsumers(words []string, config *sarama.Config) (sarama.ConsumerGroup, error) {
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	return sarama.NewConsumerGroup([]string{words[0]}, words[2], config)
}

func group(words []string, config *sarama.Config) error {
	count, err := strconv.Atoi(words[3])
	if err != nil {
		return err
	}
	config.Consumer.Offsets.AutoCommit.Enable = false
	consumers, err := newConsumers(words, config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reader := &counting{left: count, end: cancel}
	for !reader.isDone() {
		if err := consumers.Consume(ctx, []string{words[1]}, reader); err != nil {
			return err
		}
	}
	return consumers.Close()
}

// printing prints and marks what may be committed.
type printing struct{}

func (printing) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (printing) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (printing) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		write(message)
		session.MarkMessage(message, "")
	}
	return nil
}

// member lets sarama commit by itself; what is not committed comes again.
func member(words []string, config *sarama.Config) error {
	config.Consumer.Offsets.AutoCommit.Interval = driver.Backoff
	consumers, err := newConsumers(words, config)
	if err != nil {
		return err
	}
	ctx := driver.UntilInputEnds()
	for ctx.Err() == nil {
		if err := consumers.Consume(ctx, []string{words[1]}, printing{}); err != nil {
			driver.Note(err)
		}
	}
	return consumers.Close()
}

// transaction keeps sarama's own retries of the look-up, which are few.
func transaction(words []string, config *sarama.Config) error {
	makeIdempotent(config)
	config.Metadata.Retry = sarama.NewConfig().Metadata.Retry
	config.Producer.Transaction.ID = "t"
	return driver.WriteRefusal(func() error {
		_, err := sarama.NewAsyncProducer([]string{words[0]}, config)
		return err
	}, error.Error)
}
