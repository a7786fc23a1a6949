package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/server"
)

const defaultDataDirText = "$XDG_DATA_HOME/outcrop or ~/.local/share/outcrop"

// dataDir returns the data directory: --data, OUTCROP_DATA, or the XDG default.
func (a *app) dataDir() (string, error) {
	for _, dir := range []string{a.dataFlag, a.getenv("OUTCROP_DATA")} {
		if dir != "" {
			return filepath.Abs(dir)
		}
	}
	// A relative XDG_DATA_HOME is to be ignored (XDG Base Directory Specification).
	if xdg := a.getenv("XDG_DATA_HOME"); filepath.IsAbs(xdg) {
		return filepath.Join(xdg, "outcrop"), nil
	}
	home := a.getenv("HOME")
	if home == "" {
		return "", usagef("there is no home directory to keep data in: name a directory with --data")
	}
	return filepath.Join(home, ".local", "share", "outcrop"), nil
}

// target is the server that a client command speaks to, and where that was found.
type target struct {
	url, urlFrom  string
	key           iam.Key
	keyFrom       string
	session       string // AWS_SESSION_TOKEN
	region        string
	dataDirLooked string
	public        string // the address for other programs, if that is another than url
	caBundle      string // the file with the certificate of an https address, "" for the system's
}

// target finds the server. An explicit --data wins; else AWS_ENDPOINT_URL and the keys that
// stand beside it; else the default data directory. Keys in the environment without an
// endpoint are most likely for AWS itself, and are not used: nothing here ever calls AWS.
func (a *app) target() (target, error) {
	if url := a.getenv("AWS_ENDPOINT_URL"); url != "" && a.dataFlag == "" {
		t, err := a.newTarget()
		if err != nil {
			return t, err
		}
		return t, a.fromEnvironment(&t, url)
	}
	return a.dataDirTarget()
}

// dataDirTarget is the server of the data directory, whatever the environment says.
func (a *app) dataDirTarget() (target, error) {
	t, err := a.newTarget()
	if err != nil {
		return t, err
	}
	return t, a.fromDataDir(&t)
}

func (a *app) newTarget() (target, error) {
	dir, err := a.dataDir()
	region := cmp.Or(a.getenv("AWS_REGION"), a.getenv("AWS_DEFAULT_REGION"), server.DefaultRegion)
	return target{region: region, dataDirLooked: dir}, err
}

func (a *app) fromEnvironment(t *target, url string) error {
	t.url, t.urlFrom, t.caBundle = strings.TrimRight(url, "/"), "AWS_ENDPOINT_URL", a.getenv("AWS_CA_BUNDLE")
	if info, err := readServerInfo(t.dataDirLooked); err == nil {
		t.public = info.Public
	}
	t.key = iam.Key{AccessKeyID: a.getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: a.getenv("AWS_SECRET_ACCESS_KEY")}
	t.session, t.keyFrom = a.getenv("AWS_SESSION_TOKEN"), "AWS_ACCESS_KEY_ID"
	if t.key.AccessKeyID == "" || t.key.SecretAccessKey == "" {
		return a.keyFromDataDir(t)
	}
	return nil
}

func (a *app) fromDataDir(t *target) error {
	info, err := readServerInfo(t.dataDirLooked)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no server runs with the data directory %s, and AWS_ENDPOINT_URL is not set.\n"+
			"Start one with: outcrop serve%s", t.dataDirLooked, a.dataArgument())
	}
	if err != nil {
		return err
	}
	t.url, t.urlFrom = info.URL, "server.json in "+t.dataDirLooked
	t.public, t.caBundle = info.Public, info.CABundle
	return a.keyFromDataDir(t)
}

func (a *app) keyFromDataDir(t *target) error {
	t.keyFrom = iam.KeyFile + " in " + t.dataDirLooked
	if id := a.getenv("OUTCROP_ROOT_ACCESS_KEY_ID"); id != "" {
		t.keyFrom = "OUTCROP_ROOT_ACCESS_KEY_ID"
		t.key = iam.Key{AccessKeyID: id, SecretAccessKey: a.getenv("OUTCROP_ROOT_SECRET_ACCESS_KEY")}
		return nil
	}
	key, err := iam.ReadRoot(t.dataDirLooked)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there are no credentials: neither AWS_ACCESS_KEY_ID with AWS_ENDPOINT_URL, nor "+
			"OUTCROP_ROOT_ACCESS_KEY_ID, nor %s.\nIf the server was started with a key of its own, set the same here", t.keyFrom)
	}
	t.key = key
	return err
}

// dataArgument is what to add to a command line so that it means the same data directory.
func (a *app) dataArgument() string {
	if a.dataFlag == "" {
		return ""
	}
	return " --data " + shellQuote(a.dataFlag)
}

// config returns the AWS SDK's configuration for the target. It reads no shared files and
// asks no metadata service.
func (t target) config() aws.Config {
	return aws.Config{
		Region:       t.region,
		BaseEndpoint: aws.String(t.url),
		Credentials:  credentials.NewStaticCredentialsProvider(t.key.AccessKeyID, t.key.SecretAccessKey, t.session),
		AppID:        "outcrop-cli",
		HTTPClient:   t.httpClient(),
	}
}

// explain adds to an error of a call what a person can do about it.
func (t target) explain(err error) error {
	var op *net.OpError
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("no server answers at %s (from %s): %v.\nStart one with: outcrop serve --data %s",
			t.url, t.urlFrom, op.Err, shellQuote(t.dataDirLooked))
	case isAuthError(err):
		return fmt.Errorf("%s\nThe key %s came from %s, the server's address (%s) from %s",
			explain(err), t.key.AccessKeyID, t.keyFrom, t.url, t.urlFrom)
	}
	return err
}

// shellQuote quotes s for a POSIX shell where it must be.
func shellQuote(s string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%=,", r)
	}
	if s != "" && strings.TrimLeftFunc(s, safe) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// readServerInfo reads what a server writes into its data directory while it runs.
// fs.ErrNotExist if none has run there, or the last one ended in an orderly way.
func readServerInfo(dir string) (server.Info, error) {
	var info server.Info
	path := filepath.Join(dir, server.InfoFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(b, &info); err != nil {
		return info, fmt.Errorf("read %s: %w", path, err)
	}
	return info, nil
}
