// Package s3test puts an S3 service together for tests and for tools/s3ratchet: signatures,
// service and disk, as package server does, but with one fixed key and nothing else.
package s3test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob/disk"
	"outcrop.dev/outcrop/service/s3"
	"outcrop.dev/outcrop/wire/restxml"
	"outcrop.dev/outcrop/wire/sigv4"
)

// The one account.
const (
	AccessKeyID     = Account // versitygw takes the one for the other
	SecretAccessKey = "outcrop/test+secret"
	Account         = "123456789012"
)

// Handler serves S3 from a store in dir. The caller closes the store when the last request
// is done.
func Handler(ctx context.Context, dir string, log *slog.Logger) (http.Handler, *disk.Store, error) {
	store, err := disk.Open(ctx, dir, disk.Options{Now: time.Now, Rand: rand.Reader, Log: log})
	if err != nil {
		return nil, nil, err
	}
	service := s3.New(store, s3.Options{Domains: []string{"localhost"}, NewRequestID: requestID, Log: log})
	verifier := &sigv4.Verifier{
		Secrets:  func(id string) (string, bool) { return SecretAccessKey, id == AccessKeyID },
		Services: []string{"s3"},
		Bucket:   service.BucketOf,
	}
	return authenticate(verifier, service), store, nil
}

func authenticate(v *sigv4.Verifier, next *s3.Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(r.Context()) // net/http looks at the body of its own request
		id, err := v.Verify(r, time.Now())
		if err == nil && id.SessionToken != "" {
			err = &restxml.Error{Code: "InvalidToken", Status: http.StatusBadRequest, Message: "The provided token is malformed or otherwise invalid."}
		}
		if err != nil {
			next.Refuse(w, r, err)
			return
		}
		caller := outcrop.Caller{Account: Account, Region: id.Region, AccessKeyID: id.AccessKeyID, ARN: "arn:aws:iam::" + Account + ":root"}
		next.ServeHTTP(w, r.WithContext(outcrop.WithCaller(r.Context(), caller)))
	})
}

func requestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: see crypto/rand
	return hex.EncodeToString(b[:])
}

// Server is an HTTP server that speaks HTTP/1.1 and HTTP/2 in clear text, as Outcrop's does.
func Server(h http.Handler) *http.Server {
	s := &http.Server{Handler: h, Protocols: new(http.Protocols), ReadHeaderTimeout: 10 * time.Second}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}
