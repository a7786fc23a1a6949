package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"time"

	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/work"
)

// What a server is when nothing else is said. The account is the one that AWS's own
// documents use, so that the ARNs in people's scripts are right.
const (
	DefaultListen  = "127.0.0.1:4510"
	DefaultAccount = "123456789012"
	DefaultRegion  = "us-east-1"
)

// Config says what a server is made of. The zero value of every field but DataDir has a
// sensible meaning.
type Config struct {
	DataDir string  // everything durable lives here; made if missing
	Listen  string  // host:port; port 0 takes a free one
	Account string  // 12 digits
	RootKey iam.Key // from the environment; zero: stored in DataDir, made on the first start

	Kernel  string   // name of the matrix kernel; "" is the fastest that this CPU has
	Threads int      // for serving; 0 is one for each core
	Int8    bool     // serving keeps the weights of matrices in eight bits
	NoReuse bool     // every prompt is read from its beginning (infer.Options.NoReuse)
	Worker  []string // command of a training worker; nil: this program with the argument "worker"

	// ModelBytes bounds the weights of all models that are served (infer.Options.WeightBytes); 0: nothing does.
	ModelBytes  int64
	CacheBytes  int64 // of keys and values (infer.Options.CacheBytes); 0 is infer's default
	MemoryBytes int64 // of the machine: what bodies of requests may take goes by it; 0: not known

	Planner   bedrock.Planner             // checks and plans jobs; nil: none are taken
	Processes []func(work.Site) work.Kind // the kinds of work that processes do

	// TrustedProxies are the networks whose X-Forwarded-For is believed, such as 10.0.0.0/8.
	TrustedProxies []string

	// TLSCert and TLSKey are the files of a certificate and its key: other machines are spoken to by
	// TLS. TLSSelfSigned makes them in DataDir. InsecureHTTP speaks to other machines in clear text.
	TLSCert, TLSKey string
	TLSSelfSigned   bool
	InsecureHTTP    bool

	Hosts     []string // names and addresses by which the server is called, beside its own
	Domains   []string // the same, and each has a host for every bucket: BUCKET.DOMAIN
	Advertise string   // the host:port by which clients reach the server; "": where it listens
	Metrics   string   // host:port where /metrics is for everybody; "": with the key alone

	DrainDelay time.Duration // for how long /readyz says no before the port closes

	NoSigV2 bool // URLs presigned with Signature Version 2 are refused

	Program string // its name and version, for a data directory to say who has written it

	Log   *slog.Logger     // nil discards
	Clock func() time.Time // nil is time.Now
}

var accountForm = regexp.MustCompile(`^[0-9]{12}$`)

// withDefaults fills what is not set and refuses what cannot be.
func (c Config) withDefaults() (Config, error) {
	if c.DataDir == "" {
		return c, fmt.Errorf("no data directory: name one with --data")
	}
	dir, err := filepath.Abs(c.DataDir) // workers have their own working directory
	if err != nil {
		return c, err
	}
	c.DataDir = dir
	c.Listen = cmp.Or(c.Listen, DefaultListen)
	c.Program = cmp.Or(c.Program, "outcrop")
	c.Account = cmp.Or(c.Account, DefaultAccount)
	if !accountForm.MatchString(c.Account) {
		return c, fmt.Errorf("the account %q is not 12 digits", c.Account)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") || c.TLSCert != "" && c.TLSSelfSigned {
		return c, fmt.Errorf("TLS needs a certificate and its key (--tls-cert and --tls-key), or --tls-self-signed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = slog.New(newQuietHandler(c.Log.Handler()))
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c, nil
}
