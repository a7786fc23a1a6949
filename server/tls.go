package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"outcrop.dev/outcrop/internal/durable"
)

// The certificate that a server makes for itself, in its data directory.
const (
	selfCertFile = "tls-cert.pem"
	selfKeyFile  = "tls-key.pem"

	selfSignedLife  = 397 * 24 * time.Hour // as long as browsers take one for
	selfSignedRenew = 30 * 24 * time.Hour  // before its end it is made anew, at a start
)

// certificatePoll is how often the files of a certificate are looked at, if there are connections.
const certificatePoll = time.Second

// A certificate is that of two files, read again when they change. A pair that cannot be read, as
// while it is being replaced, leaves the one before in use.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu       sync.Mutex
	pair     *tls.Certificate
	looked   time.Time
	modified [2]time.Time
}

func loadCertificate(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, log: log}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("the certificate for TLS: %w", err)
	}
	return c, nil
}

// config is the server's: TLS 1.2 and later, HTTP/2.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil }}
}

func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) >= certificatePoll {
		if err := c.read(); err != nil {
			c.log.Warn("the certificate for TLS has changed and cannot be read; the one before stays", "err", err)
		}
	}
	return c.pair
}

// read reads the files if they have changed.
func (c *certificate) read() error {
	c.looked = c.now()
	var modified [2]time.Time
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		modified[i] = info.ModTime()
	}
	if c.pair != nil && modified == c.modified {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.modified = &pair, modified
	return nil
}

// fingerprint is the SHA-256 of the certificate, as browsers and openssl show it.
func (c *certificate) fingerprint() string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(c.current().Certificate[0])), " ", ":")
}

// selfSigned makes sure of a certificate for names (hosts and addresses) in two files: the one that is
// there if it is for all of them, has not come near its end and reads.
func selfSigned(certFile, keyFile string, names []string, now time.Time) error {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil && pair.Leaf != nil && now.Before(pair.Leaf.NotAfter.Add(-selfSignedRenew)) &&
		!slices.ContainsFunc(names, func(name string) bool { return pair.Leaf.VerifyHostname(probe(name)) != nil }) {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // somebody else's, perhaps
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Outcrop"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, // so that AWS_CA_BUNDLE may name it
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		durable.WriteBytes(keyFile, 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		durable.WriteBytes(certFile, 0o600, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
}

// probe is a name that a pattern such as *.localhost is for.
func probe(name string) string { return strings.Replace(name, "*", "any", 1) }
