// Reads and writes records with franz-go as told on the command line; each record is a line of JSON.
//
//	produce BOOTSTRAP TOPIC CODEC       sends the records of standard input, tells where each went
//	consume BOOTSTRAP TOPIC COUNT       prints COUNT records from the starts of all partitions
//	group BOOTSTRAP TOPIC GROUP COUNT   the same as a member of a group, commits what it printed
//	transaction BOOTSTRAP               tells the error that a transactional id gets
//
// Then KEY=VALUE: ProducerLinger and FetchMaxWait take a duration. Status 0 when everything was done.
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
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	deliveryTimeout     = 120 * time.Second // Outlasts a restart of the server.
	transactionTimeout  = 20 * time.Second
	backoff             = 100 * time.Millisecond
	batchBytesMax       = 8 << 20
	bufferedRecordsMax  = 50_000
	durationOptionUsage = "ProducerLinger=DURATION or FetchMaxWait=DURATION"
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

// A record as a line: []byte is base64 in JSON, nil is null.
type line struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []header `json:"headers"`
}

type header kgo.RecordHeader

func (h header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.Key, h.Value}) }

func (h *header) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&h.Key, &h.Value})
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

var (
	outputMutex sync.Mutex
	output      = json.NewEncoder(os.Stdout)
)

// write prints one line at once: whoever reads may kill us or the server next.
func write(value any) {
	outputMutex.Lock()
	defer outputMutex.Unlock()
	if err := output.Encode(value); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func nameOf(err error) string {
	var refusal *kerr.Error
	if errors.As(err, &refusal) {
		return refusal.Message
	}
	return err.Error()
}

func main() {
	commands := map[string]struct {
		words int
		run   func(words []string, options []kgo.Opt) error
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
	options := []kgo.Opt{
		kgo.SeedBrokers(words[0]),
		kgo.RetryBackoffFn(func(int) time.Duration { return backoff }),
	}
	for _, setting := range words[command.words:] {
		option, err := parse(setting)
		if err != nil {
			fail(err)
		}
		options = append(options, option)
	}
	if err := command.run(words[:command.words], options); err != nil {
		fail(err)
	}
}

func parse(setting string) (kgo.Opt, error) {
	name, value, _ := strings.Cut(setting, "=")
	duration, err := time.ParseDuration(value)
	switch {
	case err == nil && name == "ProducerLinger":
		return kgo.ProducerLinger(duration), nil
	case err == nil && name == "FetchMaxWait":
		return kgo.FetchMaxWait(duration), nil
	}
	return nil, fmt.Errorf("%q is not %s", setting, durationOptionUsage)
}

// produce leaves idempotence and acks=all as they are: franz-go's defaults.
func produce(words []string, options []kgo.Opt) error {
	codec, isKnown := codecs[words[2]]
	if !isKnown {
		return fmt.Errorf("no such codec: %s", words[2])
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.DefaultProduceTopic(words[1]),
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(batchBytesMax),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(deliveryTimeout),
		kgo.MaxBufferedRecords(bufferedRecordsMax),
	}, options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	var failed atomic.Int64
	lines := json.NewDecoder(os.Stdin)
	for index := 0; ; index++ {
		var read line
		if err := lines.Decode(&read); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		client.Produce(context.Background(), recordOf(read), func(record *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
				write(failure{&index, nameOf(err)})
				return
			}
			write(acknowledgement{index, record.Partition, record.Offset})
		})
	}
	if err := client.Flush(context.Background()); err != nil {
		return err
	}
	if count := failed.Load(); count > 0 {
		return fmt.Errorf("%d records were not acknowledged", count)
	}
	return nil
}

func recordOf(read line) *kgo.Record {
	record := &kgo.Record{Partition: read.Partition, Key: read.Key, Value: read.Value}
	for _, header := range read.Headers {
		record.Headers = append(record.Headers, kgo.RecordHeader(header))
	}
	return record
}

func lineOf(record *kgo.Record) line {
	headers := []header{}
	for _, found := range record.Headers {
		headers = append(headers, header(found))
	}
	return line{record.Partition, record.Offset, record.Key, record.Value, headers}
}

func consume(words []string, options []kgo.Opt) error {
	return read(words[1], words[2], options, func(*kgo.Client, []*kgo.Record) error { return nil })
}

func group(words []string, options []kgo.Opt) error {
	options = append([]kgo.Opt{
		kgo.ConsumerGroup(words[2]),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // Nobody else gets the partitions before the commit.
	}, options...)
	return read(words[1], words[3], options, func(client *kgo.Client, records []*kgo.Record) error {
		return client.CommitRecords(context.Background(), records...)
	})
}

// read prints the number of records that `wanted` says, and calls done with those of each poll.
func read(topic, wanted string, options []kgo.Opt, done func(*kgo.Client, []*kgo.Record) error) error {
	left, err := strconv.Atoi(wanted)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, options...)...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	for left > 0 {
		fetches := client.PollRecords(context.Background(), left)
		if errs := fetches.Errors(); len(errs) > 0 {
			return errs[0].Err
		}
		records := fetches.Records()
		for _, record := range records {
			write(lineOf(record))
		}
		left -= len(records)
		if err := done(client, records); err != nil {
			return err
		}
		client.AllowRebalance()
	}
	return nil
}

func transaction(_ []string, options []kgo.Opt) error {
	client, err := kgo.NewClient(append(options, kgo.TransactionalID("t"))...)
	if err != nil {
		return err
	}
	defer client.Close()
	refused := make(chan error, 1)
	go func() { refused <- client.BeginTransaction() }()
	select {
	case err := <-refused:
		if err == nil {
			return errors.New("not refused")
		}
		write(failure{Error: nameOf(err)})
		return nil
	case <-time.After(transactionTimeout):
		return errors.New("no answer")
	}
}
