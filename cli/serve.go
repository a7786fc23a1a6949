package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/engine/customize"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/server"
)

const serveLong = `Start the server: S3, Bedrock, Bedrock Runtime and STS on one port, with all that is durable in the
data directory. It stops at an interrupt or a termination signal; jobs that run go on by themselves
and are found again at the next start.

Environment:
  OUTCROP_ROOT_ACCESS_KEY_ID, OUTCROP_ROOT_SECRET_ACCESS_KEY
                    the root key; without them one is made and kept in the data directory
  OUTCROP_DATA      the data directory, if --data is not given
  OUTCROP_KERNEL    the matrix kernel to use (outcrop doctor lists them)`

// The shares of the machine's memory that serving may take. The rest is for a job, and for the
// files that the system keeps in memory.
const (
	modelMemoryPercent = 60 // weights, outside Go's heap
	cacheMemoryPercent = 12 // keys and values
	heapMemoryPercent  = 25 // Go's heap: keys and values, and all else
)

// limitHeap keeps Go's heap within its share of the memory. Without a limit the collector lets
// the heap grow to twice what is in use. A limit from GOMEMLIMIT stays as it is.
func limitHeap(total, cache uint64) {
	if total > 0 && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(int64(max(total/100*heapMemoryPercent, cache/4*5+heapMin)))
	}
}

// heapMin is what the server needs beside keys and values: tokenizers above all.
const heapMin = 256 << 20

func (a *app) serveCommand() *cobra.Command {
	var cfg server.Config
	var verbose bool
	var threads threadsFlag
	var memory, cache sizeFlag
	weights := weightsFlag(weightsBF16)
	c := &cobra.Command{
		Use:   "serve",
		Short: "Start the server",
		Long:  serveLong,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := a.dataDir()
			if err != nil {
				return err
			}
			cfg.DataDir, cfg.Threads, cfg.Log, cfg.Int8 = dir, int(threads), a.logger(verbose), weights.int8()
			cfg, done, err := a.serverConfig(cfg)
			if err != nil {
				return err
			}
			defer done()
			unix.Umask(privateMask)
			total := uint64(cfg.MemoryBytes)
			cfg.ModelBytes, cfg.CacheBytes = memory.or(total/100*modelMemoryPercent), cache.or(total/100*cacheMemoryPercent)
			limitHeap(total, uint64(cfg.CacheBytes))
			s, err := server.New(c.Context(), cfg)
			if err != nil {
				return err
			}
			a.noteServer(s)
			return orderly(s.Run(c.Context()))
		},
	}
	f := c.Flags()
	serveFlags(c, &cfg)
	f.StringVar(&cfg.Account, "account", server.DefaultAccount, "account number, 12 digits")
	f.Var(&threads, "threads", "threads to serve with; 0 is one for each core")
	f.Var(&weights, "weights", weightsUsage)
	f.Var(&memory, "model-memory", fmt.Sprintf("what the weights of all models in memory may take together, such as 12GiB; 0 is %d %% of the machine's memory", modelMemoryPercent))
	f.Var(&cache, "cache-memory", fmt.Sprintf("what the keys and values of all requests may take together, such as 4GiB; 0 is %d %% of the machine's memory", cacheMemoryPercent))
	f.BoolVar(&cfg.NoReuse, "no-reuse", false, "keep nothing of prompts in memory: read every one from its beginning")
	f.BoolVar(&verbose, "verbose", false, "log every request")
	return c
}

// privateMask keeps all that the server and its workers make from other users.
const privateMask = 0o077

// noteServer tells where the server is, and how to reach it.
func (a *app) noteServer(s *server.Server) {
	a.note("Outcrop serves %s from %s", s.PublicURL(), s.DataDir())
	if print := s.Fingerprint(); print != "" {
		a.note("Its certificate has the SHA-256 fingerprint %s", print)
	}
	if file := s.CABundle(); file != "" {
		a.note("Its clients need a copy of that certificate: export AWS_CA_BUNDLE=%s", shellQuote(file))
	}
	if s.BothFamilies() {
		a.note("It listens on IPv4 and IPv6")
	}
	a.note(`In another terminal: eval "$(outcrop env%s)"`, a.dataArgument())
}

// serveFlags are the flags of who reaches the server, and how.
func serveFlags(c *cobra.Command, cfg *server.Config) {
	f := c.Flags()
	f.StringVar(&cfg.Listen, "listen", server.DefaultListen, "`address` to listen on; port 0 takes a free one; [::] is IPv6 and IPv4")
	f.StringVar(&cfg.TLSCert, "tls-cert", "", "`file` of the certificate for TLS, with those that sign it; read again when it changes")
	f.StringVar(&cfg.TLSKey, "tls-key", "", "`file` of its key")
	f.BoolVar(&cfg.TLSSelfSigned, "tls-self-signed", false, "TLS, with a certificate that is made and kept in the data directory")
	f.BoolVar(&cfg.InsecureHTTP, "insecure-http", false, "let other machines in without TLS, as behind a proxy")
	f.StringSliceVar(&cfg.Hosts, "host", nil, "`name` or address by which clients call the server, beside its own addresses and localhost; may be given again")
	f.StringSliceVar(&cfg.Domains, "domain", nil, "the same, and BUCKET.`name` is a bucket")
	f.StringVar(&cfg.Advertise, "advertise", "", "`host:port` by which clients reach the server, for outcrop env")
	f.StringVar(&cfg.Metrics, "metrics", "", "`address` where /metrics is shown to everybody; else it is shown to who has the key")
	f.StringSliceVar(&cfg.TrustedProxies, "trusted-proxy", nil, "network (`CIDR`) of proxies whose X-Forwarded-For tells whom limits count a request for; may be given again")
	f.DurationVar(&cfg.DrainDelay, "drain-delay", 0, "for how long /readyz says no before the port closes, when the server is told to stop")
	f.BoolVar(&cfg.NoSigV2, "no-sigv2", false, "refuse URLs that are presigned with Signature Version 2")
}

// orderly is nil for a server that ended because it was asked to.
func orderly(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serverConfig adds what the environment says, what plans jobs, and what works on them. done ends that.
func (a *app) serverConfig(cfg server.Config) (c server.Config, done func(), err error) {
	exec, err := a.exec(threadsFlag(cfg.Threads).count())
	if err != nil {
		return cfg, nil, err
	}
	cfg.RootKey = iam.Key{
		AccessKeyID:     a.getenv("OUTCROP_ROOT_ACCESS_KEY_ID"),
		SecretAccessKey: a.getenv("OUTCROP_ROOT_SECRET_ACCESS_KEY"),
	}
	cfg.Kernel = a.getenv(kernelVariable)
	cfg.Program = "outcrop " + readVersion().Version
	cfg.MemoryBytes = int64(totalMemory())
	turns := make(datacheck.Turns, max(1, exec.Pool.Threads()/2))
	cfg.Planner = customize.Planner{Exec: exec, MemoryBytes: cfg.MemoryBytes, Turns: turns}
	cfg.Processes = processKinds()
	return cfg, exec.Pool.Close, nil
}
