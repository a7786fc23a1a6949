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
	connectionsMax = 10_000
	durationMax    = 10 * time.Minute
)

type options struct {
	address, from string
	key, secret   string
	connections   int
	streams       int
	length, pause time.Duration
}

// attacks are what a stranger may try. Each runs on a connection of its own, until it is closed or
// the time is over, and counts what it sent.
var attacks = map[string]func(options, net.Conn, *atomic.Int64){
	"bodies":  bodies,  // HTTP/2: PUT whose body never comes
	"streams": streams, // HTTP/2: GET whose answers have no room
	"slow":    slow,    // HTTP/1.1: 32 MiB announced with a key's id, a byte in 5 s
	"idle":    idle,    // connections that say nothing
	"resets":  resets,  // HTTP/2: GET, and RST_STREAM behind each
	"endless": endless, // HTTP/2: HEADERS that never end, CONTINUATION after CONTINUATION
	"pings":   pings,   // HTTP/2: PING after PING, whose answers are not read
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
	flag.DurationVar(&o.pause, "pause", 100*time.Millisecond, "how long until it connects again where it was sent away")
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
		return errors.New("name one of bodies, streams, slow, idle, resets, endless, pings, invoke")
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
				time.Sleep(min(o.pause, time.Until(end)))
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
	if !preface(conn, window) {
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
	block := blockOf(method)
	for stream := uint32(1); stream < 1<<20; stream += 2 {
		select {
		case <-gone:
			return
		case <-places:
		}
		if _, err := conn.Write(frame(1, 4|flags, stream, block)); err != nil {
			return
		}
		sent.Add(1)
		time.Sleep(time.Millisecond)
	}
}

// preface begins HTTP/2, and says how much each stream may be sent.
func preface(conn net.Conn, window uint32) bool {
	b := binary.BigEndian.AppendUint32([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04"), window)
	_, err := conn.Write(b)
	return err == nil
}

// blockOf is the header block of a request for /b/k (RFC 7541, appendix A).
func blockOf(method string) []byte {
	block := append([]byte{0x42, byte(len(method))}, method...)
	return append(block, "\x44\x04/b/k\x86\x41\x01x"...)
}

// frame is one of HTTP/2 (RFC 9113, 4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	b := binary.BigEndian.AppendUint32([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}, stream)
	return append(b, payload...)
}

// flood writes what next makes of the number of a frame, as fast as it is taken. What the server says
// is read if read.
func flood(conn net.Conn, sent *atomic.Int64, read bool, next func(n uint32) []byte) {
	if !preface(conn, 65535) {
		return
	}
	if read {
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
	for n := uint32(0); n < 1<<29; n++ {
		if _, err := conn.Write(next(n)); err != nil {
			return
		}
		sent.Add(1)
	}
}

func resets(_ options, conn net.Conn, sent *atomic.Int64) {
	block := blockOf("GET")
	flood(conn, sent, true, func(n uint32) []byte {
		return append(frame(1, 5, 2*n+1, block), frame(3, 0, 2*n+1, []byte{0, 0, 0, 8})...)
	})
}

func endless(_ options, conn net.Conn, sent *atomic.Int64) {
	more := bytes.Repeat([]byte("\x40\x01a\x01b"), 2000) // a: b, 2,000 times
	flood(conn, sent, true, func(n uint32) []byte {
		if n == 0 {
			return frame(1, 0, 1, blockOf("GET"))
		}
		return frame(9, 0, 1, more)
	})
}

func pings(_ options, conn net.Conn, sent *atomic.Int64) {
	flood(conn, sent, false, func(uint32) []byte { return frame(6, 0, 0, make([]byte, 8)) })
}
