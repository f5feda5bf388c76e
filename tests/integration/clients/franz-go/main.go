// The driver on franz-go; package driver has its command line.
//
// Its settings: ProducerLinger and FetchMaxWait take a duration.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"talosmq/driver"
)

const (
	deliveryTimeout     = 120 * time.Second // Outlasts a restart of the server.
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

func main() {
	driver.Client[[]kgo.Opt]{
		Configure: configure, Produce: produce, Consume: consume, Group: group, Member: member, Transaction: transaction,
	}.Main()
}

func configure(bootstrap string, settings []string) ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.RetryBackoffFn(func(int) time.Duration { return driver.Backoff }),
	}
	for _, setting := range settings {
		option, err := parse(setting)
		if err != nil {
			return nil, err
		}
		options = append(options, option)
	}
	return options, nil
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

func nameOf(err error) string {
	var refusal *kerr.Error
	if errors.As(err, &refusal) {
		return refusal.Message
	}
	return err.Error()
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
		kgo.ProducerBatchMaxBytes(driver.BatchBytesMax),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(deliveryTimeout),
		kgo.MaxBufferedRecords(bufferedRecordsMax),
	}, options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	var failed atomic.Int64
	err = driver.ForEachRecord(func(index int, record driver.Record) {
		client.Produce(context.Background(), sendable(record), func(sent *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
				driver.WriteFailure(index, nameOf(err))
				return
			}
			driver.WriteAcknowledgement(index, sent.Partition, sent.Offset)
		})
	})
	if err != nil {
		return err
	}
	if err := client.Flush(context.Background()); err != nil {
		return err
	}
	if count := failed.Load(); count > 0 {
		return fmt.Errorf("%d records were not acknowledged", count)
	}
	return nil
}

func sendable(record driver.Record) *kgo.Record {
	sendable := &kgo.Record{Partition: record.Partition, Key: record.Key, Value: record.Value}
	for _, header := range record.Headers {
		sendable.Headers = append(sendable.Headers, kgo.RecordHeader(header))
	}
	return sendable
}

func write(records []*kgo.Record) {
	for _, found := range records {
		headers := []driver.Header{}
		for _, header := range found.Headers {
			headers = append(headers, driver.Header(header))
		}
		driver.Record{
			Partition: found.Partition, Offset: found.Offset, Key: found.Key, Value: found.Value, Headers: headers,
		}.Write()
	}
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
	client, err := newReader(topic, options)
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
		write(records)
		left -= len(records)
		if err := done(client, records); err != nil {
			return err
		}
		client.AllowRebalance()
	}
	return nil
}

func newReader(topic string, options []kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, options...)...)
}

// member lets franz-go commit by itself what earlier polls gave; what is not committed comes again.
func member(words []string, options []kgo.Opt) error {
	client, err := newReader(words[1], append([]kgo.Opt{
		kgo.ConsumerGroup(words[2]),
		kgo.AutoCommitInterval(driver.Backoff),
	}, options...))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx := driver.UntilInputEnds()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		for _, err := range fetches.Errors() {
			driver.Note(err.Err)
		}
		write(fetches.Records())
	}
	return nil
}

func transaction(_ []string, options []kgo.Opt) error {
	client, err := kgo.NewClient(append(options, kgo.TransactionalID("t"))...)
	if err != nil {
		return err
	}
	defer client.Close()
	return driver.WriteRefusal(client.BeginTransaction, nameOf)
}
