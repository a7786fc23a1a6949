package datacheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"outcrop.dev/outcrop"
)

// Source is a data file: its name for messages, a path or an S3 URI, and how to read it.
type Source struct {
	Name string
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// open opens a source. What AWS documents for an object that cannot be read keeps its words,
// so that AWS's runbooks apply ("fine-tuning-troubleshooting").
func (s Source) open(ctx context.Context) (io.ReadCloser, error) {
	r, err := s.Open(ctx)
	if err == nil {
		return r, nil
	}
	bucket, key, notS3 := outcrop.ParseS3URI(s.Name)
	code := outcrop.CodeOf(err)
	var file *fs.PathError
	if notS3 != nil && errors.As(err, &file) {
		return nil, err // it says which file
	}
	if notS3 != nil || code != outcrop.CodeNotFound && code != outcrop.CodeAccessDenied {
		return nil, fmt.Errorf("open %s: %w", s.Name, err)
	}
	return nil, &outcrop.Error{Code: outcrop.CodeValidation, Reason: outcrop.ReasonNoInput, Err: err, Msg: fmt.Sprintf("Could not validate GetObject permissions to access Amazon S3 bucket: %s at key %s. "+
		"Upload the file or correct the S3 URI, then create the job again.", bucket, key)}
}
