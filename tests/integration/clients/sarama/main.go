// Reads and writes records with sarama as told on the command line; each record is a line of JSON.
//
//	produce BOOTSTRAP TOPIC CODEC       sends the records of standard input, tells where each went
//	consume BOOTSTRAP TOPIC COUNT       prints COUNT records from the starts of all partitions
//	group BOOTSTRAP TOPIC GROUP COUNT   the same as a member of a group, commits what it printed
//	transaction BOOTSTRAP               tells the error that a transactional id gets
//
// Then KEY=VALUE: Producer.Flush.Messages=COUNT, Metadata.Retry.Max=COUNT or
// Consumer.MaxWaitTime=DURATION.
// Status 0 when everything was done.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

const (
	transactionTimeout = 20 * time.Second
	backoff            = 100 * time.Millisecond
	retriesMax         = 1200 // With the backoff they outlast a restart of the server.
	batchBytesMax      = 8 << 20
)

// A record as a line: []byte is base64 in JSON, nil is null.
type line struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []header `json:"headers"`
}

type header struct {
	name  string
	value []byte
}

func (h header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.name, h.value}) }

func (h *header) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&h.name, &h.value})
}

type acknowledgement struct {
	Index     int   `json:"index"`
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

type failure struct {
	Index *int   `json:"index,omitempty"`
	Error string `json:"error"`
}

var output = json.NewEncoder(os.Stdout)

// write prints one line at once: whoever reads may kill us or the server next.
func write(value any) {
	if err := output.Encode(value); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	commands := map[string]struct {
		words int
		run   func(words []string, config *sarama.Config) error
	}{
		"produce": {3, produce}, "consume": {3, consume}, "group": {4, group}, "transaction": {1, transaction},
	}
	if len(os.Args) < 2 {
		fail(errors.New("no command"))
	}
	command, isKnown := commands[os.Args[1]]
	words := os.Args[2:]
	if !isKnown || len(words) < command.words {
		fail(fmt.Errorf("no such command: %v", os.Args[1:]))
	}
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Metadata.Retry.Max = retriesMax
	config.Metadata.Retry.Backoff = backoff
	for _, setting := range words[command.words:] {
		if err := set(config, setting); err != nil {
			fail(fmt.Errorf("%q: %w", setting, err))
		}
	}
	if err := command.run(words[:command.words], config); err != nil {
		fail(err)
	}
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
	config.Producer.MaxMessageBytes = batchBytesMax
	config.Producer.Retry.Max = retriesMax
	config.Producer.Retry.Backoff = backoff
	config.Producer.Return.Successes = true
	producer, err := sarama.NewAsyncProducer([]string{words[0]}, config)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		sent <- send(producer.Input(), words[1])
		producer.AsyncClose()
	}()
	failed := report(producer)
	if err := <-sent; err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d records were not acknowledged", failed)
	}
	return nil
}

func send(input chan<- *sarama.ProducerMessage, topic string) error {
	lines := json.NewDecoder(os.Stdin)
	for index := 0; ; index++ {
		var read line
		if err := lines.Decode(&read); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		message := messageOf(topic, read)
		message.Metadata = index
		input <- message
	}
}

// report tells what became of each record until the producer is closed; how many failed.
func report(producer sarama.AsyncProducer) (failed int) {
	successes, failures := producer.Successes(), producer.Errors()
	for successes != nil || failures != nil {
		select {
		case message, isOpen := <-successes:
			if !isOpen {
				successes = nil
				continue
			}
			write(acknowledgement{message.Metadata.(int), message.Partition, message.Offset})
		case refused, isOpen := <-failures:
			if !isOpen {
				failures = nil
				continue
			}
			failed++
			index := refused.Msg.Metadata.(int)
			write(failure{&index, refused.Err.Error()})
		}
	}
	return failed
}

func messageOf(topic string, read line) *sarama.ProducerMessage {
	message := &sarama.ProducerMessage{Topic: topic, Partition: read.Partition}
	if read.Key != nil {
		message.Key = sarama.ByteEncoder(read.Key)
	}
	if read.Value != nil {
		message.Value = sarama.ByteEncoder(read.Value)
	}
	for _, header := range read.Headers {
		message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.name), Value: header.value})
	}
	return message
}

func lineOf(message *sarama.ConsumerMessage) line {
	headers := []header{}
	for _, found := range message.Headers {
		headers = append(headers, header{string(found.Key), found.Value})
	}
	return line{message.Partition, message.Offset, message.Key, message.Value, headers}
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
		write(lineOf(<-messages))
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

// member prints and commits until nothing is left to print; then it ends the session.
type member struct {
	mutex sync.Mutex
	left  int
	end   context.CancelFunc
}

func (*member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		if !m.print(message) {
			break
		}
		session.MarkMessage(message, "")
		if m.isDone() {
			break
		}
		if len(claim.Messages()) == 0 {
			session.Commit()
		}
	}
	session.Commit()
	if m.isDone() {
		m.end()
	}
	return nil
}

// print says whether the message was wanted.
func (m *member) print(message *sarama.ConsumerMessage) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.left == 0 {
		return false
	}
	write(lineOf(message))
	m.left--
	return true
}

func (m *member) isDone() bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.left == 0
}

func group(words []string, config *sarama.Config) error {
	count, err := strconv.Atoi(words[3])
	if err != nil {
		return err
	}
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	consumers, err := sarama.NewConsumerGroup([]string{words[0]}, words[2], config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reader := &member{left: count, end: cancel}
	for !reader.isDone() {
		if err := consumers.Consume(ctx, []string{words[1]}, reader); err != nil {
			return err
		}
	}
	return consumers.Close()
}

// transaction keeps sarama's own retries of the look-up, which are few.
func transaction(words []string, config *sarama.Config) error {
	makeIdempotent(config)
	config.Metadata.Retry = sarama.NewConfig().Metadata.Retry
	config.Producer.Transaction.ID = "t"
	refused := make(chan error, 1)
	go func() {
		_, err := sarama.NewAsyncProducer([]string{words[0]}, config)
		refused <- err
	}()
	select {
	case err := <-refused:
		if err == nil {
			return errors.New("not refused")
		}
		write(failure{Error: err.Error()})
		return nil
	case <-time.After(transactionTimeout):
		return errors.New("no answer")
	}
}
