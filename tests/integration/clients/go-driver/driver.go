// Package driver is what the drivers in Go share: their command line, and records as lines of JSON.
//
//	produce BOOTSTRAP TOPIC CODEC       sends the records of standard input, tells where each went
//	consume BOOTSTRAP TOPIC COUNT       prints COUNT records from the starts of all partitions
//	group BOOTSTRAP TOPIC GROUP COUNT   the same as a member of a group, commits what it printed
//	member BOOTSTRAP TOPIC GROUP        the same until its input ends, whatever becomes of the server
//	transaction BOOTSTRAP               tells the error that a transactional id gets
//
// Then KEY=VALUE, settings in the client's own terms. Status 0 when everything was done.
package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	Backoff       = 100 * time.Millisecond
	BatchBytesMax = 8 << 20

	refusalTimeout = 20 * time.Second
)

// Client has a function for each command, which gets the words after it and what Configure made of them.
type Client[Config any] struct {
	Configure                                    func(bootstrap string, settings []string) (Config, error)
	Produce, Consume, Group, Member, Transaction func(words []string, config Config) error
}

// Main does what the command line says, and ends the program.
func (c Client[Config]) Main() {
	if err := c.run(os.Args[1:]); err != nil {
		fail(err)
	}
}

func (c Client[Config]) run(arguments []string) error {
	commands := map[string]struct {
		words int
		run   func(words []string, config Config) error
	}{
		"produce": {3, c.Produce}, "consume": {3, c.Consume}, "group": {4, c.Group}, "member": {3, c.Member},
		"transaction": {1, c.Transaction},
	}
	if len(arguments) == 0 {
		return errors.New("no command")
	}
	command, isKnown := commands[arguments[0]]
	words := arguments[1:]
	if !isKnown || len(words) < command.words {
		return fmt.Errorf("no such command: %v", arguments)
	}
	config, err := c.Configure(words[0], words[command.words:])
	if err != nil {
		return err
	}
	return command.run(words[:command.words], config)
}

// Record is a record as a line: []byte is base64 in JSON, nil is null.
type Record struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
}

type Header struct {
	Key   string
	Value []byte
}

func (h Header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.Key, h.Value}) }

func (h *Header) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&h.Key, &h.Value})
}

// ForEachRecord calls take with the number and the record of each line of standard input.
func ForEachRecord(take func(index int, record Record)) error {
	lines := json.NewDecoder(os.Stdin)
	for index := 0; ; index++ {
		var record Record
		if err := lines.Decode(&record); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		take(index, record)
	}
}

// UntilInputEnds returns a context that lasts as long as standard input.
func UntilInputEnds() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			fail(err)
		}
	}()
	return ctx
}

func (r Record) Write() { write(r) }

func WriteAcknowledgement(index int, partition int32, offset int64) {
	write(struct {
		Index     int   `json:"index"`
		Partition int32 `json:"partition"`
		Offset    int64 `json:"offset"`
	}{index, partition, offset})
}

// WriteFailure tells why a record was not acknowledged.
func WriteFailure(index int, name string) {
	write(struct {
		Index int    `json:"index"`
		Error string `json:"error"`
	}{index, name})
}

// WriteRefusal tells the error that attempt gets.
func WriteRefusal(attempt func() error, nameOf func(error) string) error {
	refused := make(chan error, 1)
	go func() { refused <- attempt() }()
	select {
	case err := <-refused:
		if err == nil {
			return errors.New("not refused")
		}
		write(struct {
			Error string `json:"error"`
		}{nameOf(err)})
		return nil
	case <-time.After(refusalTimeout):
		return errors.New("no answer")
	}
}

var (
	outputMutex sync.Mutex
	output      = json.NewEncoder(os.Stdout)
)

// write prints one line at once: whoever reads may kill us or the server next.
func write(line any) {
	outputMutex.Lock()
	defer outputMutex.Unlock()
	if err := output.Encode(line); err != nil {
		fail(err)
	}
}

// Note tells of an error that does not end the program.
func Note(err error) { fmt.Fprintln(os.Stderr, err) }

func fail(err error) {
	Note(err)
	os.Exit(1)
}
