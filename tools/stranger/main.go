// Command stranger does to a server of one's own what somebody with the port and no key may do, and
// tells what it cost: the server's memory before and at its worst, and how long another client waited.
//
//	go run ./tools/stranger -pid PID -address 127.0.0.1:4510 -from 127.0.0.2 -for 20s streams
//
// It speaks to loopback addresses only, and ends by itself. The figures of docs/reliability.md are its.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// What it does is bounded, whatever its flags say.
const (
	connectionsMax = 1000
	durationMax    = 10 * time.Minute
)

type options struct {
	address, from string
	key, secret   string
	connections   int
	streams       int
	length        time.Duration
}

// attacks are what a stranger may try. Each runs on a connection of its own, until it is closed or
// the time is over, and counts what it sent.
var attacks = map[string]func(options, net.Conn, *atomic.Int64){
	"bodies":  bodies,  // HTTP/2: PUT whose body never comes
	"streams": streams, // HTTP/2: GET whose answers have no room
	"slow":    slow,    // HTTP/1.1: 32 MiB announced with a key's id, a byte in 5 s
	"idle":    idle,    // connections that say nothing
	"invoke":  invoke,  // no stranger: InvokeModel with 24.5 MB of text, signed with -key-id and -secret
}

func main() {
	var o options
	pid := flag.Int("pid", 0, "the server's process `id`")
	flag.StringVar(&o.address, "address", "127.0.0.1:4510", "the server")
	flag.StringVar(&o.from, "from", "127.0.0.2", "the stranger's address")
	flag.StringVar(&o.key, "key-id", "AKIAEXAMPLE", "id of the server's access key, for slow")
	flag.StringVar(&o.secret, "secret", "", "its secret, for invoke")
	flag.IntVar(&o.connections, "connections", 400, "connections")
	flag.IntVar(&o.streams, "streams", 249, "streams on each")
	flag.DurationVar(&o.length, "for", 20*time.Second, "how long")
	flag.Parse()
	if err := run(o, *pid, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "stranger:", err)
		os.Exit(1)
	}
}

func run(o options, pid int, name string) error {
	attack, ok := attacks[name]
	host, _, err := net.SplitHostPort(o.address)
	switch {
	case !ok:
		return errors.New("name one of bodies, streams, slow, idle, invoke")
	case err != nil:
		return err
	case !net.ParseIP(host).IsLoopback() || !net.ParseIP(o.from).IsLoopback():
		return errors.New("both addresses must be of this machine: 127.0.0.0/8")
	case o.connections > connectionsMax || o.length > durationMax:
		return fmt.Errorf("at most %d connections and %v", connectionsMax, durationMax)
	}
	before := resident(pid)
	end := time.Now().Add(o.length)
	var sent, refused atomic.Int64
	var group sync.WaitGroup
	for range o.connections {
		group.Go(func() {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(o.from)}}
			for time.Now().Before(end) {
				conn, err := dialer.Dial("tcp", o.address)
				if err != nil {
					refused.Add(1)
					time.Sleep(time.Second)
					continue
				}
				_ = conn.SetDeadline(end)
				attack(o, conn, &sent)
				conn.Close()
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	waits, failed, worst := other(o.address, pid, end)
	group.Wait()
	slices.Sort(waits)
	fmt.Printf("%s: %d sent on %d connections from %s; %d connections refused\n", name, sent.Load(), o.connections, o.from, refused.Load())
	answers.Range(func(status, _ any) bool { fmt.Println("answered:", status); return true })
	fmt.Printf("the server: %d MiB before, %d MiB at the worst\n", before, worst)
	if len(waits) > 0 {
		fmt.Printf("another client: %d requests, median %v, slowest %v, %d failed\n", len(waits), waits[len(waits)/2], waits[len(waits)-1], failed)
	}
	return nil
}

// other asks from 127.0.0.1, on a connection of its own each time, with a body of a kilobyte, and
// watches the server's memory.
func other(address string, pid int, end time.Time) (waits []time.Duration, failed, worst int) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}, Timeout: 30 * time.Second}
	for time.Now().Before(end) {
		start := time.Now()
		resp, err := client.Post("http://"+address+"/model/x/invoke", "application/json", strings.NewReader(strings.Repeat(" ", 1000)))
		if err != nil {
			failed++
		} else {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		waits = append(waits, time.Since(start).Round(time.Microsecond))
		worst = max(worst, resident(pid))
		time.Sleep(50 * time.Millisecond)
	}
	return waits, failed, worst
}

// resident is a process's memory in MiB; 0 if it is not known.
func resident(pid int) int {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib >> 10
		}
	}
	return 0
}

func idle(_ options, conn net.Conn, sent *atomic.Int64) {
	sent.Add(1)
	_, _ = io.Copy(io.Discard, conn)
}

func slow(o options, conn net.Conn, sent *atomic.Int64) {
	now := time.Now().UTC()
	_, err := fmt.Fprintf(conn, "POST /model/x/invoke HTTP/1.1\r\nHost: %s\r\nContent-Length: 33554432\r\nX-Amz-Date: %s\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=%064d\r\n\r\n",
		o.address, now.Format("20060102T150405Z"), o.key, now.Format("20060102"), 0)
	for err == nil {
		sent.Add(1)
		_, err = conn.Write([]byte("x"))
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, gone := io.ReadAll(conn); gone == nil {
			return
		}
	}
}

// largeBody is nearly what Bedrock allows, 25,000,000 bytes.
var largeBody = []byte(`{"inputText":"` + strings.Repeat("a ", 12_250_000) + `"}`)

func invoke(o options, conn net.Conn, sent *atomic.Int64) {
	r, err := http.NewRequest(http.MethodPost, "http://"+o.address+"/model/amazon.titan-text-express-v1/invoke", bytes.NewReader(largeBody))
	if err != nil {
		return
	}
	sum := sha256.Sum256(largeBody)
	key := aws.Credentials{AccessKeyID: o.key, SecretAccessKey: o.secret}
	if v4.NewSigner().SignHTTP(context.Background(), key, r, hex.EncodeToString(sum[:]), "bedrock", "us-east-1", time.Now()) != nil || r.Write(conn) != nil {
		return
	}
	if resp, err := http.ReadResponse(bufio.NewReader(conn), r); err == nil {
		sent.Add(1)
		answers.Store(resp.Status, true)
	}
}

var answers sync.Map // the statuses that were seen

func bodies(o options, conn net.Conn, sent *atomic.Int64)  { http2(o, conn, sent, "PUT", 0, 65535) }
func streams(o options, conn net.Conn, sent *atomic.Int64) { http2(o, conn, sent, "GET", 1, 0) }

// http2 opens streams, as many as are allowed at once, and a new one for each that is reset.
func http2(o options, conn net.Conn, sent *atomic.Int64, method string, flags byte, window uint32) {
	preface := binary.BigEndian.AppendUint32([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04"), window)
	if _, err := conn.Write(preface); err != nil {
		return
	}
	places := make(chan bool, o.streams)
	for range o.streams {
		places <- true
	}
	gone := make(chan bool)
	go func() {
		defer close(gone)
		for {
			var h [9]byte
			if _, err := io.ReadFull(conn, h[:]); err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, conn, int64(h[0])<<16|int64(h[1])<<8|int64(h[2])); err != nil {
				return
			}
			if h[3] == 3 || h[3] < 2 && h[4]&1 != 0 { // RST_STREAM, or END_STREAM
				select {
				case places <- true:
				default:
				}
			}
		}
	}()
	block := append([]byte{0x42, byte(len(method))}, method...)
	block = append(block, "\x44\x04/b/k\x86\x41\x01x"...)
	for stream := uint32(1); stream < 1<<20; stream += 2 {
		select {
		case <-gone:
			return
		case <-places:
		}
		frame := append([]byte{0, 0, byte(len(block)), 1, 4 | flags}, binary.BigEndian.AppendUint32(nil, stream)...)
		if _, err := conn.Write(append(frame, block...)); err != nil {
			return
		}
		sent.Add(1)
		time.Sleep(time.Millisecond)
	}
}
