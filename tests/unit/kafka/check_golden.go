// Has franz-go read golden_messages.txt and write it again: another implementation, which knows
// every version.
//
// Usage: in an empty folder, go mod init check && go get github.com/twmb/franz-go/pkg/kmsg@v1.15.1
// && cp .../check_golden.go . && go run check_golden.go .../golden_messages.txt
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

type message interface {
	SetVersion(int16)
	ReadFrom([]byte) error
	AppendTo([]byte) []byte
}

func messageOf(api, direction string) message {
	for key := int16(0); key <= kmsg.MaxKey; key++ {
		if !strings.EqualFold(kmsg.NameForKey(key), api) { // SASLHandshake
			continue
		}
		if direction == "request" {
			return kmsg.RequestForKey(key)
		}
		return kmsg.ResponseForKey(key)
	}
	return nil
}

func check(line string) error {
	words := strings.Fields(line)
	m := messageOf(words[0], words[1])
	if m == nil {
		return fmt.Errorf("no such message")
	}
	version, err := strconv.Atoi(words[2])
	if err != nil {
		return err
	}
	data, err := hex.DecodeString(strings.Join(words[4:], ""))
	if err != nil {
		return err
	}
	m.SetVersion(int16(version))
	if err := m.ReadFrom(data); err != nil {
		return err
	}
	if again := m.AppendTo(nil); !bytes.Equal(again, data) {
		return fmt.Errorf("written again as %x", again)
	}
	return nil
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	read, differing := 0, 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") || strings.Contains(line, " header ") {
			continue
		}
		read++
		if err := check(line); err != nil {
			differing++
			fmt.Printf("%.60s: %v\n", line, err)
		}
	}
	fmt.Printf("%d messages read, %d differ\n", read, differing)
	if differing > 0 {
		os.Exit(1)
	}
}
