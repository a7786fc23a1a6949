package server

import (
	"time"

	"outcrop.dev/outcrop/wire/sigv4"
)

// Limits of the HTTP edge. There is none on a whole request: uploads and generations take as long
// as they take, and end when the client goes, or takes nothing any more (stallTimeout).
const (
	headerTimeout   = 30 * time.Second // a client that opens a connection and says nothing
	idleTimeout     = 2 * time.Minute  // longer than the SDKs keep idle connections
	headerBytesMax  = 64 << 10         // S3 allows 8 KB of headers, presigned URLs and tokens some more
	streamsMax      = 100              // of one connection; RFC 9113 (6.5.2) recommends no fewer
	shutdownTimeout = 20 * time.Second // for requests in flight, once told to stop
	endingTimeout   = 5 * time.Second  // for the last words of those that are ended then

	metricsConnections = 16 // where metrics have an address of their own
)

// Limits on answers.
const (
	// stallTimeout is how long a client may take nothing of an answer. One that sleeps with its
	// connection open would otherwise keep its request for ever, and with it a place among those
	// that a model answers at once. It is longer than a program that shows an answer to people
	// makes a pause; buffers on the way hold the shorter answers anyway.
	stallTimeout = 2 * time.Minute

	// smallAnswerMax is what HTTP/2 gives a stream to send at once if its client says nothing
	// else (RFC 9113, 6.9.2). Every honest client has room for an answer of that size, so it
	// has no more than smallAnswerTimeout to take it.
	smallAnswerMax     = 65_535
	smallAnswerTimeout = 10 * time.Second
)

// Limits on who has proved nothing. An access key id is no secret, and with it alone anybody can
// have a body read.
const (
	// bodyTimeout is for the body of a request of which we do not know yet who sends it.
	bodyTimeout = 5 * time.Minute

	// A body of a stranger comes at bodyRate at least, counted from bodyGrace on: a line of
	// 1 Mbit/s is twice as fast.
	bodyGrace = 5 * time.Second
	bodyRate  = 64 << 10 // bytes a second

	// refusedBodyTimeout is for the rest of the body of a request that is refused. A client that
	// sends all of it before it reads would otherwise find the connection reset, and not the answer.
	refusedBodyTimeout = time.Second

	// strangersMax requests of strangers are under way together, and strangersEach of one address.
	// Each takes 12 KiB: 48 MiB in all.
	strangersMax  = 4096
	strangersEach = strangersMax / 4

	// shutOutTime is for how long a peer with too many strangers gets no connection. What else it
	// is, it is in error: a client that waits that long and begins anew is not far behind.
	shutOutTime = 10 * time.Second
)

// Limits on the bodies that are in memory, from the socket to the answer. One that does not fit
// waits for bodyWait: longer than a local network takes for a large body, shorter than clients
// wait for an answer.
const (
	bodyCopies        = 2       // a body, and the text in it
	bodyMemoryPercent = 10      // of the machine's memory, for all of them
	smallBodyMax      = 1 << 20 // bodies up to here have a share of their own, a quarter of all
	smallBodiesMin    = 16 * bodyCopies * smallBodyMax
	largeBodiesMin    = 2 * bodyCopies * sigv4.BufferedMax
	bodyMemoryUnknown = 2 << 30 // the memory of a machine that does not tell it
	bodyWait          = 10 * time.Second
)

// Limits on connections: half of the descriptors, so that files and databases always find one,
// and never more than connectionsMax, which take 40 KiB each. One address has half of those.
const (
	connectionsMax     = 4096
	descriptorsPerConn = 2
	addressesPerPlace  = 2
)
